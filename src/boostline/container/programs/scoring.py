"""Scoring of one request: it knows bytes and media types, and no HTTP server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import FunctionModel, Scores
from boostline.container.loading import LoadedModel
from boostline.container.programs.media import CSV, JSON, media_type, negotiate
from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform
from boostline.features.values import number_parser

_SHOWN_PROBLEMS = 100


class RowProblem(NamedTuple):
    """What is wrong with one field of a request; rows are counted from 1."""

    row: int
    field: str
    message: str


class ScoringError(Exception):
    """A request that cannot be scored; it carries its HTTP status."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[RowProblem] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.problems = list(problems)

    def to_json(self) -> bytes:
        """Write the body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.problems:
            first = self.problems[0]
            error |= {"row": first.row, "column": first.field}
            error["problems"] = [p._asdict() for p in self.problems[:_SHOWN_PROBLEMS]]
        return msgspec.json.encode({"error": error})


@dataclass(frozen=True)
class Request:
    """What arrives: media types as the headers have them, and the custom attributes."""

    body: bytes
    content_type: str
    accept: str = ""
    attributes: str = ""


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    body: bytes
    media_type: str


class Scorer:
    """Scores requests with one model.

    Parameters
    ----------
    loaded
        The verified model.
    version
        The model's version in the registry, told back with each answer; may be empty.
    """

    def __init__(self, loaded: LoadedModel, version: str = "") -> None:
        manifest, contract = loaded.artifact.manifest, loaded.artifact.contract
        self._engine = loaded.choice.engine
        self._contract = contract
        self._record = RecordTransform(contract).transform
        self._number = number_parser()
        self._prediction = _predictor(contract, manifest.threshold)
        # Even one row may take long.
        self.slow = isinstance(loaded.model, FunctionModel)
        self._readers = {CSV: self._read_csv, JSON: self._read_json}
        self.attributes = ";".join(
            (
                f"artifact={manifest.artifact[:16]}",
                f"engine={self._engine.name}",
                f"features={contract.digest}",
                *([] if manifest.threshold is None else [f"threshold={manifest.threshold!r}"]),
                f"model={version}",
            )
        )

    def score(self, request: Request) -> Reply:
        """Score a request.

        Parameters
        ----------
        request
            Feature rows as CSV (float32 in the contract's order, an empty field is missing), or
            raw records as JSON: one, a list, or ``{"instances": [...]}``.

        Returns
        -------
        Reply
            ``{"predictions": [{"score", "label"}]}``: binary. Multiclass has the probability of
            the label as ``score``, and beside it ``scores`` by class; regression has no label. Or
            CSV with one row's score, or its scores in the order of the classes, a line.

        Raises
        ------
        ScoringError
            With status 400, 406, 409 or 415 and every problem found; 500 where the user's code
            fails.
        """
        kind = media_type(request.content_type)
        reader = self._readers.get(kind)
        if reader is None:
            known = " or ".join(self._readers)
            raise ScoringError(415, "unsupported_media_type", f"send {known}, not {kind or 'none'}")
        answer = negotiate(request.accept, (JSON, CSV))
        if answer is None:
            raise ScoringError(406, "not_acceptable", f"accept {JSON} or {CSV}")
        if kind == CSV:
            self._check_digest(request.attributes)
        if not request.body.strip():
            raise ScoringError(400, "empty_body", "the body is empty: send at least one row")
        rows = reader(request.body)
        try:
            scores = self._engine.score(rows)
        except ContainerError as error:
            raise ScoringError(500, "model_failed", str(error)) from None
        return Reply(self._write_json(scores) if answer == JSON else _write_csv(scores), answer)

    def _check_digest(self, attributes: str) -> None:
        sent = dict(part.strip().partition("=")[::2] for part in attributes.split(";"))
        digest = sent.get("features", self._contract.digest)
        if digest != self._contract.digest:
            raise ScoringError(
                409,
                "other_features",
                f"the rows were made by feature contract {digest[:16]}, this model has "
                f"{self._contract.digest[:16]}: send the raw records as {JSON}",
            )

    def _read_csv(self, body: bytes) -> NDArray[np.float32]:
        try:
            lines = body.decode("ascii").strip("\r\n").split("\n")
        except UnicodeDecodeError:
            raise ScoringError(400, "bad_csv", "the body is not ASCII text") from None
        rows: list[list[float]] = []
        problems: list[RowProblem] = []
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\r").split(",")
            try:
                rows.append([self._number(field) for field in fields])
            except ValueError:
                problems += self._field_problems(number, fields)
            if len(fields) != len(self._contract.columns):
                expected = f"has {len(fields)} fields, expected {len(self._contract.columns)}"
                problems.append(RowProblem(number, "", expected))
        if problems:
            raise _refused(problems)
        return np.array(rows, dtype=np.float32)

    def _field_problems(self, number: int, fields: list[str]) -> list[RowProblem]:
        problems = []
        for name, field in zip(self._contract.columns, fields, strict=False):
            try:
                self._number(field)
            except ValueError as error:
                problems.append(RowProblem(number, name, str(error)))
        return problems

    def _read_json(self, body: bytes) -> NDArray[np.float32]:
        records = _records(body)
        rows: list[list[float]] = []
        problems: list[RowProblem] = []
        for number, record in enumerate(records, 1):
            try:
                rows.append(self._record(record))
            except RecordError as error:
                problems += [RowProblem(number, *problem) for problem in error.problems]
        if problems:
            raise _refused(problems)
        return np.array(rows, dtype=np.float32)

    def _write_json(self, scores: Scores) -> bytes:
        predictions = [self._prediction(score) for score in scores.tolist()]
        return msgspec.json.encode({"predictions": predictions})


def _predictor(
    contract: FeatureContract, threshold: float | None
) -> Callable[[Any], dict[str, Any]]:
    """Return what makes the answer for one row of its score, or of its scores by class."""
    labels = contract.classes or []

    def multiclass(scores: list[float]) -> dict[str, Any]:
        best = max(scores)
        by_class = dict(zip(labels, scores, strict=True))
        return {"score": best, "label": labels[scores.index(best)], "scores": by_class}

    if contract.objective == "multiclass":
        return multiclass
    if contract.objective == "regression":
        return lambda score: {"score": score}
    if threshold is None:
        raise ContainerError("a binary model without a threshold cannot be served: train again")
    return lambda score: {"score": score, "label": labels[score >= threshold]}


def _records(body: bytes) -> list[Any]:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ScoringError(400, "bad_json", f"the body is not JSON: {error}") from None
    if isinstance(content, dict) and isinstance(content.get("instances"), list):
        content = content["instances"]
    records = content if isinstance(content, list) else [content]
    if not records:
        raise ScoringError(400, "empty_body", "the list is empty: send at least one record")
    return records


def _refused(problems: list[RowProblem]) -> ScoringError:
    row, field, message = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    place = f"row {row}, column {field!r}" if field else f"row {row}"
    return ScoringError(400, "invalid_rows", f"{place}: {message}{more}", problems)


def _write_csv(scores: Scores) -> bytes:
    rows = scores.reshape(len(scores), -1).tolist()
    return "".join(",".join(map(repr, row)) + "\n" for row in rows).encode()
