"""The training of XGBoost: batches of rows, early stopping, and rounds that can be resumed."""

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xgboost

from boostline.container.checkpoints import Checkpoints, State
from boostline.container.flavors.trees import Job
from boostline.container.weights import Part

_RISING = ("-auc", "-aucpr")  # the other metrics are better when they fall


def train(job: Job) -> xgboost.Booster:
    """Train a Booster: the same bytes whether the training was interrupted or not."""
    own = job.parameters | {"tree_method": "hist"}
    own["objective"] = own["objective"].replace("softmax", "softprob")  # the same trees
    most, block = own.pop("num_round"), own.pop("checkpoint_rounds")
    rounds = Rounds(job.checkpoints, most, block, own.pop("early_stopping_rounds", 0))
    on_disk = job.size > own.pop("external_memory_mib") * 2**20
    with TemporaryDirectory(prefix="boostline-") as folder:
        matrices = _matrices(job, Path(folder) if on_disk else None)
        evals = [*zip(matrices, ("train", "validation"), strict=False)]
        with job.checkpoints.watched():
            while True:
                parameters = own | {"seed": own["seed"] + rounds.done}
                booster = xgboost.Booster(parameters, matrices, bytearray(rounds.model) or None)
                for place in rounds.block:
                    booster.update(matrices[0], place)
                    if rounds.told(booster.eval_set(evals, place)):
                        break
                if not rounds.keep(booster.save_raw):
                    break
        del matrices, evals  # XGBoost removes its files, which must be there still
    return booster[: rounds.kept]


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
    def block(self) -> range:
        """The rounds that come before the next checkpoint; none where the training ended."""
        tired = self._patience and self.done - 1 - self._state.best_round >= self._patience
        return range(self.done, self.done if tired else min(self.done + self._block, self._most))

    def told(self, line: str) -> bool:
        """Tell a round as XGBoost does, in fewer digits, and judge it by its last metric.

        Returns
        -------
        bool
            Whether the training has to stop.

        Raises
        ------
        Interrupted
            SIGTERM came, and the next checkpoint is too far away.
        """
        name, _, value = line.rpartition(":")
        print(re.sub(r"(\.\d{6})\d+", r"\1", " ".join(line.split())), flush=True)
        score, best = float(value), self._state.best_score
        rising = name.endswith(_RISING)
        better = best is None or (score > best if rising else score < best)
        best_round, best = (self.done, score) if better else (self._state.best_round, best)
        self._state = State(self.done + 1, best_round, best)
        ended = not self.block
        if not ended:
            self._checkpoints.check(self.done, saved=False)
        return ended

    def keep(self, dump: Callable[[], bytearray]) -> bool:
        """Keep the model after a block, unless it was the last one.

        Returns
        -------
        bool
            Whether there is another block.

        Raises
        ------
        Interrupted
            SIGTERM came.
        """
        if not self.block:
            return False
        self.model = bytes(dump())
        self._checkpoints.save(self._state, self.model)
        self._checkpoints.check(self.done, saved=True)
        return True


def _matrices(job: Job, folder: Path | None) -> list[xgboost.DMatrix]:
    """Bin the rows; a folder holds them, where memory does not."""
    make = xgboost.ExtMemQuantileDMatrix if folder else xgboost.QuantileDMatrix
    options = {"max_bin": job.parameters["max_bin"], "nthread": job.parameters["nthread"] or None}
    train, *held = (_Batches(part, folder) for part in job.parts)
    first = make(train, **options)
    return [first, *(make(rows, ref=first, **options) for rows in held)]


class _Batches(xgboost.DataIter):
    """Hands XGBoost some rows at a time; it reads them several times."""

    def __init__(self, part: Part, folder: Path | None) -> None:
        super().__init__(cache_prefix=str(folder / part.name) if folder else None)
        self._part = part

    def reset(self) -> None:
        self._batches = self._part.batches()

    def next(self, input_data: Any) -> bool:
        batch = next(self._batches, None)
        if batch:
            input_data(**dict(zip(("data", "label", "weight"), batch, strict=False)))
        return batch is not None
