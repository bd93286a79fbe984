"""Data capture: requests and answers of endpoints as JSON lines in S3."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import time
import uuid
from collections import defaultdict

from boostline.local.platform import Platform
from boostline.local.store.resources import Document

LOG = logging.getLogger(__name__)
PERIOD = 2.0  # seconds between writings
FULL = 8 << 20  # bytes kept: the request that brings more writes them


class Captures:
    """Writes captured exchanges every few seconds; no invocation waits for it, unless many come.

    One file for each variant and writing, below
    `<DestinationS3Uri>/<endpoint>/<variant>/<yyyy>/<mm>/<dd>/<hh>/` (UTC). Source: "Capture data
    from real-time endpoint" in the Amazon SageMaker guide.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._kept: list[tuple[Document, Document, Document, float]] = []
        self._size = 0

    def note(self, config: Document | None, request: Document, answer: Document) -> None:
        """Keep members of InvokeEndpoint, if a DataCaptureConfig says so, with its chance."""
        if not config or not config["EnableCapture"]:
            return
        if random.random() * 100 >= config["InitialSamplingPercentage"]:  # noqa: S311
            return
        with self._lock:
            if not self._kept:
                timer = threading.Timer(PERIOD, self.write)
                timer.daemon = True
                timer.start()
            self._kept.append((config, request, answer, time.time()))
            self._size += len(request["Body"]) + len(answer["Body"])
            full = self._size > FULL
        if full:
            self.write()

    def write(self) -> None:
        """Write what is kept, after what is being written."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        with self._lock:
            kept, self._kept, self._size = self._kept, [], 0
        files: defaultdict[str, list[str]] = defaultdict(list)
        for config, request, answer, moment in kept:
            hour = time.strftime("%Y/%m/%d/%H", time.gmtime(moment))
            root, variant = config["DestinationS3Uri"], answer["InvokedProductionVariant"]
            folder = f"{root.rstrip('/')}/{request['EndpointName']}/{variant}/{hour}"
            line = json.dumps(_event(config, request, answer, moment))
            files[folder].append(f"{line}\n")
        for folder, lines in files.items():
            uri = f"{folder}/{time.strftime('%M-%S', time.gmtime())}-{uuid.uuid4()}.jsonl"
            try:
                self._platform.objects.write(uri, "".join(lines).encode())
            except Exception:  # the next may pass
                LOG.exception("%d captured requests could not be written to %s", len(lines), uri)


def _event(config: Document, request: Document, answer: Document, moment: float) -> Document:
    modes = "".join(option["CaptureMode"] for option in config["CaptureOptions"])  # InputAndOutput
    kept = {
        f"endpoint{mode}": _side(config, mode, side)
        for mode, side in (("Input", request), ("Output", answer))
        if mode in modes
    }
    attributes = [
        side["CustomAttributes"] for side in (request, answer) if "CustomAttributes" in side
    ]
    found = {"inferenceId": request.get("InferenceId"), "customAttributes": attributes}
    metadata = {
        "eventId": str(uuid.uuid4()),
        "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
        **{member: value for member, value in found.items() if value},
    }
    return {"captureData": kept, "eventMetadata": metadata, "eventVersion": "0"}


def _side(config: Document, mode: str, side: Document) -> Document:
    kind = side.get("ContentType", "").lower()
    encoding = "BASE64"
    for name, members in config.get("CaptureContentTypeHeader", {}).items():
        if {kind, kind.partition(";")[0].strip()} & {member.lower() for member in members}:
            encoding = name.removesuffix("ContentTypes").upper()
    try:
        data = side["Body"].decode()
    except UnicodeDecodeError:
        encoding = "BASE64"
    if encoding == "BASE64":
        data = base64.b64encode(side["Body"]).decode()
    found = {"mode": mode.upper(), "data": data, "encoding": encoding}
    return {"observedContentType": side.get("ContentType", ""), **found}
