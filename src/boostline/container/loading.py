"""Loading a sealed artifact for scoring: nothing is scored before it was verified."""

import sys
from dataclasses import dataclass

import numpy as np

from boostline.artifact.folder import Artifact
from boostline.container.engines import Choice, choose_engine
from boostline.container.errors import ContainerError
from boostline.container.flavors import SERVE_CODE, find_flavor, with_predict
from boostline.container.flavors.base import Model, Task

# Another build of the native library may round differently.
_GOLDEN_TOLERANCE = 1e-5


@dataclass(frozen=True)
class LoadedModel:
    """A verified model with the engine that scores for it."""

    artifact: Artifact
    model: Model
    choice: Choice


def load_model(artifact: Artifact) -> LoadedModel:
    """Load the model, check it against the golden records, and choose the engine.

    Parameters
    ----------
    artifact
        The opened artifact.

    Returns
    -------
    LoadedModel
        Ready to score.

    Raises
    ------
    ContainerError, ArtifactError
        The model cannot be loaded, or answers other features or scores than it was sealed with.
    """
    artifact.golden.check(artifact.contract)
    task = Task.of(artifact.contract)
    model = find_flavor(artifact.manifest.flavor).load(artifact.folder, task)
    model = with_predict(model, artifact.folder / SERVE_CODE)
    width, rows = len(artifact.contract.columns), artifact.golden.rows
    matrix = np.array(rows, dtype=np.float32).reshape(len(rows), width)
    expected = np.array(artifact.golden.scores, dtype=np.float64).reshape(task.shape(len(rows)))
    difference = np.abs(model.predict(matrix) - expected) / np.maximum(1.0, np.abs(expected))
    if not (difference <= _GOLDEN_TOLERANCE).all():
        difference = difference.reshape(len(rows), -1).max(axis=1)
        raise ContainerError(
            f"golden.json: record {int(np.argmax(difference)) + 1}: the model scores it "
            f"{difference.max():.3g} away from the sealed score: train again with these libraries"
        )
    known = artifact.contract.categories
    categories = [len(known.get(name, ())) for name in artifact.contract.columns]
    choice = choose_engine(model, rows, width, categories=categories)
    if choice.reason:
        print(f"warning: the native engine scores: {choice.reason}", file=sys.stderr, flush=True)
    return LoadedModel(artifact, model, choice)
