"""The records of a transform job: cut from objects, filtered, joined with their answers."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from boostline.local.store.resources import Document

PART = r"""'[^']*'|"[^"]*"|\*|-?\d*:-?\d*(?::-?\d+)?|-?\d+"""
STEP = re.compile(rf"\.(\w+|\*)|\[\s*((?:{PART})(?:\s*,\s*(?:{PART}))*)\s*\]")


class BadRecords(Exception):
    """Why records cannot be transformed."""


def batches(file: IO[bytes], split: bool, single: bool, limit: int) -> Iterator[list[bytes]]:
    """Cut an object into requests, without empty lines; `limit` is in bytes, 0 for none.

    Not split, the object is one request. Split, a request has one line if `single`, otherwise as
    many as go in.

    Raises
    ------
    BadRecords
        If a record alone is over the limit.
    """
    batch: list[bytes] = []
    size = 0
    lines = (line.rstrip(b"\r\n") for line in file) if split else iter([file.read()])
    for number, line in enumerate(lines, start=1):
        if limit and len(line) > limit:
            what = f"line {number}" if split else "the object, with SplitType None,"
            raise BadRecords(f"{what} has {len(line)} bytes; MaxPayloadInMB allows {limit}")
        if batch and (single or (limit and size + len(line) > limit)):
            yield batch
            batch, size = [], 0
        if line:
            batch.append(line)
            size += len(line) + 1
    if batch:
        yield batch


class Processing:
    """What `DataProcessing` of a request does: a filter before, a join and a filter after.

    Source: "Associate Prediction Results with Input Records" in the Amazon SageMaker guide.

    Raises
    ------
    ValueError
        If a filter, or with filters the type of the records, is none that can be read.
    """

    def __init__(self, request: Document) -> None:
        asked, source = request.get("DataProcessing", {}), request["TransformInput"]
        self._before = steps(asked.get("InputFilter", "$"))
        self._after = steps(asked.get("OutputFilter", "$"))
        self._join = asked.get("JoinSource") == "Input"
        kind = source.get("ContentType", "").partition(";")[0].strip().lower()
        self._csv = kind == "text/csv"
        self._whole = kind == "application/json" and source.get("SplitType", "None") == "None"
        known = ("text/csv", "application/json", "application/jsonlines")
        if (self._join or self._before or self._after) and kind not in known:
            raise ValueError(f"ContentType must be {' or '.join(known)}; found {kind!r}")

    def request(self, records: list[bytes]) -> bytes:
        """Return the body for records."""
        body = b"\n".join(records)
        if not self._before:
            return body
        return b"\n".join(self._write(select(r, self._before)) for r in self._read(body))

    def result(self, records: list[bytes], answer: bytes) -> bytes:
        """Return what is kept of the answer to records: a line for each, if they are joined."""
        if not self._join and not self._after:
            return answer
        asked, answered = self._read(b"\n".join(records)), self._read(answer)
        if len(asked) != len(answered):
            raise BadRecords(f"{len(answered)} records answer {len(asked)}: they cannot be joined")
        found = map(self._joined, asked, answered) if self._join else answered
        return b"".join(self._write(select(each, self._after)) + b"\n" for each in found)

    def _joined(self, record: Any, answer: Any) -> Any:
        if self._csv:
            return record + answer
        source = record if isinstance(record, dict) else {"SageMakerInput": record}
        return {**source, "SageMakerOutput": answer}

    def _read(self, body: bytes) -> list[Any]:
        records = [body] if self._whole else [line for line in body.splitlines() if line]
        try:
            if self._csv:
                return list(csv.reader(record.decode() for record in records))
            return [json.loads(record) for record in records]
        except (ValueError, csv.Error) as error:
            raise BadRecords(f"records that cannot be read: {error}") from None

    def _write(self, value: Any) -> bytes:
        if not self._csv:
            return json.dumps(value).encode()
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value if isinstance(value, list) else [value])
        return line.getvalue().encode()


def steps(path: str) -> list[list[str]]:
    """Read a JSONPath: `$`, then `.name`, `['a','b']`, `[0,5:]` or `[*]`, any number of times.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = list(STEP.finditer(path, 1))
    if path[:1] + "".join(step[0] for step in found) != path or path[:1] != "$":
        raise ValueError(f"{path!r}: expected $, .name, ['name', ...] or [index, start:end, ...]")
    return [[step[1]] if step[1] else re.findall(PART, step[2]) for step in found]


def select(value: Any, path: list[list[str]]) -> Any:
    """Return what a JSONPath means: several parts, a slice or `*` mean an object or a list.

    Raises
    ------
    BadRecords
        If it is not there.
    """
    for parts in path:
        try:
            value = _step(value, parts)
        except (LookupError, TypeError, ValueError) as error:
            raise BadRecords(f"{parts} is not in {str(value)[:100]}: {error!r}") from None
    return value


def _step(value: Any, parts: list[str]) -> Any:
    several = len(parts) > 1 or parts[0] == "*" or ":" in parts[0]
    if isinstance(value, dict):
        names = list(value) if parts == ["*"] else [part.strip("'\"") for part in parts]
        return {name: value[name] for name in names} if several else value[names[0]]
    picked: list[Any] = []
    for part in parts:
        limits = [int(limit) if limit else None for limit in part.replace("*", ":").split(":")]
        picked += value[slice(*limits)] if len(limits) > 1 else [value[int(part)]]
    return picked if several else picked[0]
