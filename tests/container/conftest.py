"""The churn example, run once through the real programs."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.programs import read_example, run_example
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.loading import LoadedModel, load_model


@dataclass(frozen=True)
class Folders:
    """The base folders of the three jobs."""

    process: Path
    train: Path
    evaluate: Path

    @property
    def processed(self) -> Path:
        return self.process / "processing" / "output"

    @property
    def evaluated(self) -> Path:
        return self.evaluate / "processing" / "output"

    @property
    def model(self) -> Path:
        return self.train / "model"


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("churn")
    example = read_example()
    run_example(root, example.split, example.hyperparameters)
    return Folders(root / "process", root / "train", root / "evaluate")


@pytest.fixture(scope="session")
def artifact(churn: Folders) -> Artifact:
    return open_artifact(churn.model)


@pytest.fixture(scope="session")
def loaded(artifact: Artifact) -> LoadedModel:
    return load_model(artifact)
