"""Explanations: how much each column moves the score of a row."""

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Model, Rows
from boostline.features.contract import FeatureContract

MOST_ROWS = 1_000  # at a time; frameworks need some milliseconds a row for many deep trees


class ExplainError(ContainerError):
    """The model cannot explain its scores; the text says why, and what can."""


class TooManyRowsError(ExplainError):
    """The model explains fewer rows at a time; the text says how many."""


class Contribution(msgspec.Struct, frozen=True):
    """What one column adds.

    Attributes
    ----------
    column
        The user's own column, or the computed one, by its name in the feature contract.
    value
        What the row has there: a number, the name of a category, or None for missing.
    contribution
        How much it adds to the sum.
    """

    column: str
    value: float | str | None
    contribution: float


class Explanation(msgspec.Struct, frozen=True):
    """Why a row scores as it does: ``base`` + all contributions + ``other`` is a sum.

    Attributes
    ----------
    base
        What the sum is where nothing is known of the row.
    contributions
        The largest by magnitude, the largest first.
    other
        What the columns that are not shown add together.
    link
        How the sum becomes the score: ``identity``, ``log`` (score = exp(sum)), ``logit``
        (score = 1 / (1 + exp(-sum))), or ``softmax`` (the sum is one of those that compete: that of
        the predicted class).
    """

    base: float
    contributions: list[Contribution]
    other: float
    link: str


class _Column(NamedTuple):
    name: str
    categories: list[str]

    def shown(self, value: float) -> float | str | None:
        """Give a feature's value back as the user knows it."""
        if math.isnan(value):
            return None
        # A row of CSV may have any number here.
        known = value.is_integer() and 0 <= value < len(self.categories)
        return self.categories[int(value)] if known else value


class Explainer:
    """Explains the scores of one model, by what its flavor computes.

    Parameters
    ----------
    model
        The loaded model; it is the native one that explains, whatever engine scores.
    contract
        Names the columns.
    """

    def __init__(self, model: Model, contract: FeatureContract) -> None:
        self._model = model
        categories = contract.categories
        self._columns = [_Column(name, categories.get(name, [])) for name in contract.columns]

    def explain(self, rows: Rows, k: int) -> list[Explanation]:
        """Explain each row's score.

        Parameters
        ----------
        rows
            Feature rows of shape (rows, columns), NaN for missing.
        k
            How many contributions are shown; the others are summed.

        Returns
        -------
        list[Explanation]
            One a row; for multiclass that of the predicted class.

        Raises
        ------
        TooManyRowsError
            They are more than the model explains at a time.
        ExplainError
            The model has no contributions of its columns, or is too large.
        """
        self._check(len(rows))
        found = self._model.contributions(rows)
        if found is None:
            raise ExplainError(
                "this model cannot explain its scores: models of XGBoost and LightGBM can, of "
                "CatBoost symmetric trees, and of scikit-learn trees, forests, histogram boosting "
                "and linear models, where parts add up to the score and no serve code scores"
            )
        parts = found.parts
        if parts.ndim == 3:
            parts = parts[np.arange(len(rows)), self._model.predict(rows).argmax(axis=1)]
        return [self._one(row, part, k, found.link) for row, part in zip(rows, parts, strict=True)]

    def _check(self, count: int) -> None:
        """Refuse too many rows, by the size of the model alone."""
        able = self._model.most_explained
        if able == 0:
            raise ExplainError("this model is too large to explain a score: train a smaller one")
        most = MOST_ROWS if able is None else min(able, MOST_ROWS)
        if count > most:
            raise TooManyRowsError(
                f"this model explains at most {most:,} rows in a request: send fewer"
            )

    def _one(self, row: Rows, part: NDArray[np.float64], k: int, link: str) -> Explanation:
        order = np.argsort(-np.abs(part[:-1]), kind="stable")
        shown = [
            Contribution(column.name, column.shown(float(row[place])), float(part[place]))
            for place in order[:k].tolist()
            for column in [self._columns[place]]
        ]
        return Explanation(float(part[-1]), shown, float(part[order[k:]].sum()), link)
