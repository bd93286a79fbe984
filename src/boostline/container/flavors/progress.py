"""The progress of a training, told alike for every framework."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

# As XGBoost names them, so that the same metric definitions read all.
_TOLD = {
    **dict.fromkeys(("binary_logloss", "Logloss"), "logloss"),
    **dict.fromkeys(("multi_logloss", "MultiClass"), "mlogloss"),
    "RMSE": "rmse",
    "learn": "train",
}


class Metric(NamedTuple):
    """Of which rows, its name, and its value after a round."""

    rows: str
    name: str
    value: float


def latest(history: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Metric]:
    """Take what the last round made of each metric, where all rounds are kept by rows and name."""
    return [
        Metric(rows, name, values[-1])
        for rows, metrics in history.items()
        for name, values in metrics.items()
    ]


def tell(place: int, metrics: Iterable[Metric]) -> None:
    """Print a round's metrics."""
    told = [f"{_TOLD.get(r, r)}-{_TOLD.get(n, n)}:{value:.6f}" for r, n, value in metrics]
    print(f"[{place}] {' '.join(told)}", flush=True)
