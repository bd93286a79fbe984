"""Scores of made-up models."""

from collections.abc import Mapping

import numpy as np
import pytest

from boostline.container.report.plots import Plot, Scored, draw

ROWS = 600
# What SVG, HTML or matplotlib's own notations could stumble over.
NAMES = ["_low", "<b>mid</b> & $x_1$", "high"]
WEIGHTS = {f"<i>{place}</i> $y_{place}$": 1 / (1 + place) for place in range(20)}


@pytest.fixture(scope="package")
def scored() -> Mapping[str, Scored]:
    generator = np.random.default_rng(0)
    binary = generator.random(ROWS)
    positive = (generator.random(ROWS) < binary).astype(np.float32)
    several = generator.dirichlet([1.0, 2.0, 0.7], ROWS)
    codes = np.array([generator.choice(3, p=row) for row in several], dtype=np.float32)
    numbers = generator.normal(50, 10, ROWS).astype(np.float32)
    predicted = numbers + generator.normal(0, 3, ROWS)
    return {
        "binary": Scored(positive, binary, 0.4, NAMES[:2], WEIGHTS, "<u>"),
        "multiclass": Scored(codes, several, None, NAMES, WEIGHTS, "<u>"),
        "regression": Scored(numbers, predicted, None, None, WEIGHTS, "<u>"),
    }


@pytest.fixture(scope="package")
def drawn(scored: Mapping[str, Scored]) -> Mapping[str, list[Plot]]:
    return {objective: draw(objective, found) for objective, found in scored.items()}
