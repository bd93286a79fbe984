"""Transform jobs: a model's server for the time of a job, and who feeds it."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from boostline.local.engine.work import NO_PROGRAM, JobFailed, Launch, Upload, Work, head
from boostline.local.hosting.client import ANSWER_TIMEOUT, Unavailable
from boostline.local.hosting.records import BadRecords, Processing, batches
from boostline.local.hosting.server import SERVE, Server, ServerFailed, lay_out
from boostline.local.platform import Platform
from boostline.local.runners.base import Call, Command, Program, Sink
from boostline.local.store.objects import NoSuchBucket, Object
from boostline.local.store.resources import Document

LOG = logging.getLogger(__name__)
# How to send, in the request's and the container's words: the variable that tells it, the default.
TOLD = {
    "BatchStrategy": ("SAGEMAKER_BATCH_STRATEGY", "MULTI_RECORD"),
    "MaxPayloadInMB": ("SAGEMAKER_MAX_PAYLOAD_IN_MB", 6),
    "MaxConcurrentTransforms": ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 1),
}
STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
FAILURE, OUT = "failure", "out"  # beside the program's /opt/ml
TIMEOUT, RETRIES = 600, 3
PAUSE = 0.5  # seconds before the first retry; then twice as long each


class Transform(Work):
    """Transform jobs; see `Work`. Source: "Use Batch Transform" in the Amazon SageMaker guide."""

    stem = "Transform"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Unpack the model."""
        try:
            lay_out(platform, document["Container"], ml)
        except ServerFailed as error:
            raise JobFailed(f"ClientError: {error}") from None

    def launch(self, document: Document) -> Launch:
        """Return how the model's server starts, with the one who feeds it."""
        told = {TOLD[member][0]: value for member, value in _asked(document).items()}
        container, batch = document["Container"], {"SAGEMAKER_BATCH": "true"}
        called = Call(container["image"], arguments=SERVE)
        environment = {**container["environment"], **told, **batch}
        return Launch(called, environment, ("model",), partial(Transformation, document))

    def message(self, ml: Path) -> str:
        """Return why objects could not be transformed."""
        return head(ml.parent / FAILURE, 1024).decode("utf-8", "replace")

    def uploads(self, document: Document, ml: Path, status: str) -> list[Upload]:
        """Return the objects that were transformed as a whole; of a stopped job, none."""
        found = Upload(ml.parent / OUT, document["TransformOutput"]["S3OutputPath"])
        return [found] if status != "Stopped" else []


TRANSFORM = Transform()


class Transformation(Program):
    """A running transform job, as a `Program` that ends with it: code 0 if all went well."""

    def __init__(
        self, document: Document, platform: Platform, command: Command, sink: Sink
    ) -> None:
        super().__init__()
        self._platform = platform
        self._document = document
        self._folder = command.folder.parent
        self._processing = Processing(document)
        source, output = document["TransformInput"], document["TransformOutput"]
        types = {"Content-Type": source.get("ContentType"), "Accept": output.get("Accept")}
        self._headers = {name: value for name, value in types.items() if value}
        self._lines = output.get("AssembleWith") == "Line"
        self._server = Server(platform.runner, command, sink, document["Container"]["timeout"])
        name = f"feed {document['TransformJobName']}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self, grace: float) -> int:
        """Send no more, and end the server."""
        self._server.close(0, grace)
        return self._code.result()

    def _run(self) -> None:
        problem = "the platform failed; see its own log"
        try:
            problem = self._feed()
        except ServerFailed as error:
            problem = str(error)
        except Exception:
            LOG.exception("%s", self._document["TransformJobArn"])
        finally:
            (self._folder / FAILURE).write_text(problem)
            self._server.close(0)
            self._code.set_result(NO_PROGRAM if problem else 0)

    def _feed(self) -> str:
        """Transform all objects; return why some could not be, or nothing."""
        self._server.settled()
        uri = self._document["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        try:
            found = list(self._platform.objects.below(uri))
        except NoSuchBucket:
            found = []
        told = self._told()
        problems = [] if found else [f"no S3 objects found under {uri}"]
        for path, item in found:
            try:
                self._transform(path, item, told)
            except (BadRecords, OSError, EOFError, ValueError) as error:
                problems.append(f"s3://{item.bucket}/{item.key}: {error}")
        return "; ".join(problems)

    def _told(self) -> Document:
        """Return how to send: as the request says, then the container, then by default."""
        told = {member: default for member, (_, default) in TOLD.items()}
        # It may have no such path, answer to any, or be gone: that is found out soon enough.
        with (
            contextlib.suppress(Unavailable, ValueError, TypeError),
            self._server.client() as client,
        ):
            told |= json.loads(client.get("/execution-parameters", ANSWER_TIMEOUT) or b"{}")
        return told | _asked(self._document)

    def _transform(self, path: str, item: Object, told: Document) -> None:
        """Transform an object; its output has its name only when it is whole."""
        if ".." in path.split("/"):
            raise BadRecords("'..' in a key cannot be a file")
        source = self._document["TransformInput"]
        opened: Any = gzip.open if source.get("CompressionType") == "Gzip" else open
        split, single = source.get("SplitType") == "Line", told["BatchStrategy"] == "SINGLE_RECORD"
        limit, width = int(told["MaxPayloadInMB"]) << 20, int(told["MaxConcurrentTransforms"])
        part, target = self._folder / "part", self._folder / OUT / f"{path}.out"
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting: deque[Future[bytes]] = deque()
        with (
            opened(self._platform.blobs.path(item.digest), "rb") as file,
            part.open("wb") as output,
            ThreadPoolExecutor(width) as executor,
        ):
            for batch in batches(file, split, single, limit):
                waiting.append(executor.submit(self._ask, batch, chunked=not limit))
                if len(waiting) > width:
                    output.write(waiting.popleft().result())
            output.writelines(each.result() for each in waiting)
        part.rename(target)

    def _ask(self, records: list[bytes], chunked: bool) -> bytes:
        answer = self._send(self._processing.request(records), chunked)
        kept = self._processing.result(records, answer)
        return kept + b"\n" if self._lines and not kept.endswith(b"\n") else kept

    def _send(self, body: bytes, chunked: bool) -> bytes:
        """Return the answer; what may pass is asked again."""
        settings = self._document.get("ModelClientConfig", {})
        timeout = settings.get("InvocationsTimeoutInSeconds", TIMEOUT)
        problem = ""
        for attempt in range(1 + settings.get("InvocationsMaxRetries", RETRIES)):
            if attempt:
                self._server.closing.wait(PAUSE * 2 ** (attempt - 1))
            try:
                with self._server.client() as client:
                    answer = client.invoke(body, self._headers, timeout, chunked=chunked)
            except Unavailable as error:
                problem = self._server.why or str(error)
                continue
            except TimeoutError as error:
                problem = str(error)
                continue
            if answer.status < 400:
                return answer.data
            text = answer.data[:300].decode("utf-8", "replace")
            problem = f"Bad HTTP status received from algorithm: {answer.status}: {text}"
            if answer.status < 500:
                break
        raise BadRecords(problem)


def _asked(document: Document) -> dict[str, str]:
    """Return what a request says of how to send, in the container's words."""
    found = {member: str(document[member]) for member in TOLD if member in document}
    if found.get("MaxConcurrentTransforms") == "0":  # as if it were not there
        del found["MaxConcurrentTransforms"]
    return {member: STRATEGIES.get(value, value) for member, value in found.items()}
