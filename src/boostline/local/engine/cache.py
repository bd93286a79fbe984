"""Earlier runs of a step, and whether one of them may stand for it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from boostline.contracts.pipeline import CacheConfig
from boostline.local.engine.paths import called
from boostline.local.platform import Platform
from boostline.local.runners.programs import CODE, LIBRARY
from boostline.local.store.objects import NoSuchBucket
from boostline.local.store.resources import Document

RUN = "pipeline-cache"
# Members whose parts are no requests': what is called `Image` there is none.
PLAIN = ("Arguments", "CheckpointConfig", "Environment", "HyperParameters")
OUTPUTS = ("ProcessingOutputConfig", "ModelArtifacts", "TransformOutput")
FUNCTION = ("CodeSha256", "Handler", "Runtime", "Environment", "MemorySize", "Timeout")
CONTENT = "content "  # before the digest of what lies at a URI
SHOWN, LONGEST = 5, 80  # differences in an explanation, characters of a value
Parts = dict[str, str]


class Cache:
    """The successful runs of steps that may be cached, by the digest of their parts.

    Parts are the arguments that SageMaker's key covers, each by its path. Where SageMaker takes a
    URI there is the digest of the content, and for an image what it resolves to here.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._readers = {
            **dict.fromkeys(("S3Uri", "ModelDataUrl"), self._content),
            **dict.fromkeys(("Image", "ImageUri", "TrainingImage"), self._program),
            "ModelName": self._model,
            "FunctionArn": self._function,
        }

    def parts(self, request: Document, key: tuple[str, ...]) -> Parts:
        """Return the parts of a request's members that a key covers."""
        covered = {member: request[member] for member in key if member in request}
        return dict(self._flat(covered, ""))

    def find(
        self, pipeline: str, step: str, parts: Parts, config: CacheConfig
    ) -> tuple[Document | None, str]:
        """Return the run that may stand for a step; or None, and what keeps it from a hit."""
        run = self._platform.resources.find(RUN, _name(pipeline, step, parts))
        if run is None:
            return None, self._difference(pipeline, step, parts)
        if time.time() - run["CreationTime"] > config.seconds():
            ago = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["CreationTime"]))
            return None, f"the run of {ago} is older than {config.expire_after or 'no ExpireAfter'}"
        for uri, digest in run["Outputs"].items():
            if self._digest(uri) != digest:
                return None, f"{uri} has changed since the run that wrote it"
        return run, ""

    def keep(
        self, pipeline: str, step: str, parts: Parts, execution: str, metadata: Document
    ) -> None:
        """Keep a run that succeeded, in place of an equal one."""
        name = _name(pipeline, step, parts)
        ((kind, _, made),) = (
            found["Arn"].split(":")[-1].partition("/") for found in metadata.values()
        )
        job = self._platform.resources.find(kind, made) or {}
        run = {
            "StepName": step,
            "Parts": parts,
            "Metadata": metadata,
            "PipelineExecutionArn": execution,
            "CreationTime": time.time(),
            "Outputs": {uri: self._digest(uri) for uri in _uris([job.get(m) for m in OUTPUTS])},
        }
        self._platform.resources.put(RUN, name, run, pipeline)

    def forget(self, pipeline: str) -> None:
        """Remove all runs of a pipeline."""
        for run in self._platform.resources.list(RUN, pipeline):
            self._platform.resources.delete(RUN, _name(pipeline, run["StepName"], run["Parts"]))

    def _difference(self, pipeline: str, step: str, parts: Parts) -> str:
        """Return in what the nearest earlier run differs."""
        runs = self._platform.resources.list(RUN, pipeline)
        earlier = [_changes(run["Parts"], parts) for run in runs if run["StepName"] == step]
        if not earlier:
            return "there is no earlier run of this step"
        changes = min(reversed(earlier), key=len)
        more = f"; and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        return "; ".join(changes[:SHOWN]) + more

    def _flat(self, value: Any, where: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for name, part in value.items():
                inner = f"{where}.{name}".lstrip(".")
                read = self._readers.get(name) if where not in PLAIN else None
                yield from self._flat(part, inner) if read is None else read(str(part), inner)
        elif isinstance(value, list) and value:
            for number, part in enumerate(value):
                yield from self._flat(part, f"{where}[{called(part, number)}]")
        else:
            yield where, str(value)

    def _content(self, uri: str, label: str) -> Iterator[tuple[str, str]]:
        yield label, self._digest(uri)

    def _digest(self, uri: str) -> str:
        digest = hashlib.sha256()
        try:
            for relative, found in self._platform.objects.below(uri):
                digest.update(f"{relative}\0{found.digest}\0".encode())
        except (NoSuchBucket, ValueError):
            return "nothing"
        return f"{CONTENT}{digest.hexdigest()}"

    def _program(self, uri: str, _label: str) -> Iterator[tuple[str, str]]:
        yield from self._platform.runner.identity(uri).items()

    def _model(self, name: str, label: str) -> Iterator[tuple[str, str]]:
        model = self._platform.resources.find("model", name) or {"Containers": name}
        for member in ("PrimaryContainer", "Containers"):
            yield from self._flat(model.get(member, ""), f"{label}.{member}")

    def _function(self, arn: str, label: str) -> Iterator[tuple[str, str]]:
        found = self._platform.call("lambda", "GetFunctionConfiguration", {"FunctionName": arn})
        yield from self._flat({name: found.get(name) for name in FUNCTION}, label)


def _name(pipeline: str, step: str, parts: Parts) -> str:
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{pipeline}/{step}/{key}"


def _changes(before: Parts, now: Parts) -> list[str]:
    """Return what differs: contents first, libraries last."""

    def rank(label: str) -> tuple[bool, bool, str]:
        values = before.get(label, ""), now.get(label, "")
        digest = label == CODE or any(value.startswith(CONTENT) for value in values)
        return label.startswith(LIBRARY), not digest, label

    return [
        f"{label} {_shown(label, before)} → {_shown(label, now)}"
        for label in sorted(before.keys() | now.keys(), key=rank)
        if before.get(label) != now.get(label)
    ]


def _shown(label: str, parts: Parts) -> str:
    value = parts.get(label, "(none)")
    if value.startswith(CONTENT) or label == CODE:
        return value.removeprefix(CONTENT)[:8]
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"


def _uris(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _uris(part)
    elif isinstance(value, str) and value.startswith("s3://"):
        yield value
