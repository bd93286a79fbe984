"""Scores as the body of an answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from boostline.container.errors import ContainerError
from boostline.container.explain import Explanation
from boostline.container.flavors.base import Scores
from boostline.container.programs.media import CSV, JSON, JSON_LINES
from boostline.features.contract import FeatureContract

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class Prediction(msgspec.Struct, gc=False):
    """What is answered for a row: regression has no label, multiclass the scores by class."""

    score: float
    label: str | UnsetType = UNSET
    scores: dict[str, float] | UnsetType = UNSET
    explanation: Explanation | UnsetType = UNSET


class Predictions(msgspec.Struct, gc=False):
    """What is answered in JSON."""

    predictions: list[Prediction]


class Answers:
    """Writes the answers of one model.

    Parameters
    ----------
    contract
        Has the labels.
    threshold
        The score from which on the positive class is answered; None unless binary.

    Raises
    ------
    ContainerError
        A binary model has no threshold.
    """

    def __init__(self, contract: FeatureContract, threshold: float | None) -> None:
        self._predict = _predictor(contract, threshold)
        self._writers: Mapping[str, Callable[[list[Prediction]], bytes]] = {
            JSON: lambda predictions: _encode(Predictions(predictions)),
            JSON_LINES: _encode_lines,
        }

    def write(self, kind: str, scores: Scores, explanations: Sequence[Explanation] = ()) -> bytes:
        """Write scores as a media type has them; explanations not as CSV."""
        if kind == CSV:
            return _write_csv(scores)
        predictions = self._predict(scores.tolist())
        for prediction, explanation in zip(predictions, explanations, strict=False):
            prediction.explanation = explanation
        return self._writers[kind](predictions)


def _predictor(
    contract: FeatureContract, threshold: float | None
) -> Callable[[Any], list[Prediction]]:
    """Return what makes predictions of scores, or of each row's scores by class."""
    labels = contract.classes or []

    def multiclass(scores: list[float]) -> Prediction:
        best = max(scores)
        by_class = dict(zip(labels, scores, strict=True))
        return Prediction(best, labels[scores.index(best)], by_class)

    if contract.objective == "multiclass":
        return lambda rows: [multiclass(scores) for scores in rows]
    if contract.objective == "regression":
        return lambda scores: [Prediction(score) for score in scores]
    if threshold is None:
        raise ContainerError("a binary model without a threshold cannot be served: train again")
    return lambda scores: [Prediction(score, labels[score >= threshold]) for score in scores]


def _write_csv(scores: Scores) -> bytes:
    """Write a line a row."""
    rows = scores.tolist()
    if scores.ndim == 1:
        # JSON has the same numbers with the same separators: much faster for many rows.
        return _encode(rows)[1:-1].replace(b",", b"\n") + b"\n"
    return b"".join([_encode(row)[1:-1] + b"\n" for row in rows])
