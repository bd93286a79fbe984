"""Rounds of boosting: told alike for every framework, and trained so that they can be resumed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from boostline.container.checkpoints import Checkpoints, State

# Progress is told alike for every framework, so that the same metric definitions read it.
_TOLD = {
    **dict.fromkeys(("binary_logloss", "Logloss"), "logloss"),
    **dict.fromkeys(("multi_logloss", "MultiClass"), "mlogloss"),
    "RMSE": "rmse",
    "learn": "train",
}
_RISING = ("auc", "aucpr")  # the others are better when they fall


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


def parse(line: str) -> list[Metric]:
    """Read a round's metrics as they are told here, and by XGBoost."""
    found = re.findall(r"(\w+)-(\S+):(\S+)", line)
    return [Metric(rows, name, float(value)) for rows, name, value in found]


class Rounds:
    """The rounds of a training that may be interrupted, and that stops when they gain nothing.

    Sampling and the sums of leaves depend on what was done since a model was made. So every
    training makes it anew after each block of rounds, of its bytes, interrupted or not.

    Parameters
    ----------
    checkpoints
        Where to resume from, and what keeps the model after each block.
    most, block
        How many rounds there are at most, and until the next checkpoint.
    patience
        After how many rounds without a gain it stops; 0 for never, and all rounds are kept.

    Attributes
    ----------
    model
        What the next block starts from; empty for the first one.
    """

    def __init__(self, checkpoints: Checkpoints, most: int, block: int, patience: int) -> None:
        self._checkpoints, self._most = checkpoints, most
        self._block, self._patience = block, patience
        self._state, self.model = checkpoints.load()
        if self.model:
            print(f"resumed after round {self.done} from the checkpoint", flush=True)

    @property
    def done(self) -> int:
        """How many rounds are done."""
        return self._state.rounds

    @property
    def kept(self) -> int:
        """How many rounds the model keeps."""
        return self._state.best_round + 1 if self._patience else self.done

    @property
    def block(self) -> int:
        """How many rounds come before the next checkpoint; 0 where the training ended."""
        tired = self._patience and self.done - 1 - self._state.best_round >= self._patience
        return 0 if tired else min(self._block, self._most - self.done)

    def told(self, metrics: Sequence[Metric]) -> bool:
        """Tell a round, and judge it by its last metric.

        Returns
        -------
        bool
            Whether the training has to stop.

        Raises
        ------
        Interrupted
            SIGTERM came, and the next checkpoint is too far away.
        """
        tell(self.done, metrics)
        (_, name, score), best = metrics[-1], self._state.best_score
        better = best is None or (score > best if name in _RISING else score < best)
        best_round, best = (self.done, score) if better else (self._state.best_round, best)
        self._state = State(self.done + 1, best_round, best)
        ended = not self.block
        if not ended:
            self._checkpoints.check(self.done, saved=False)
        return ended

    def keep(self, dump: Callable[[], bytes | bytearray]) -> None:
        """Keep the model after a block, unless it was the last one.

        Raises
        ------
        Interrupted
            SIGTERM came.
        """
        if self.block:
            self.model = bytes(dump())
            self._checkpoints.save(self._state, self.model)
            self._checkpoints.check(self.done, saved=True)
