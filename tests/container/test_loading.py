import dataclasses
import importlib.util

import msgspec
import pytest

from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import Artifact
from boostline.container.errors import ContainerError
from boostline.container.loading import LoadedModel, load_model


def test_the_engine_is_chosen(loaded: LoadedModel) -> None:
    onedal = importlib.util.find_spec("daal4py") is not None
    assert loaded.choice.engine.name == ("onedal" if onedal else "native")


def test_another_score_than_the_sealed_one_is_refused(artifact: Artifact) -> None:
    records = [*artifact.golden.records]
    records[3] = msgspec.structs.replace(records[3], score=0.0)
    golden = msgspec.structs.replace(artifact.golden, records=records)
    with pytest.raises(ContainerError, match=r"golden\.json: record 4"):
        load_model(dataclasses.replace(artifact, golden=golden))


def test_other_features_than_the_sealed_ones_are_refused(artifact: Artifact) -> None:
    records = [*artifact.golden.records]
    records[0] = msgspec.structs.replace(records[0], features=[0.0] * 24)
    golden = msgspec.structs.replace(artifact.golden, records=records)
    with pytest.raises(ArtifactError, match="record 1"):
        load_model(dataclasses.replace(artifact, golden=golden))


def test_an_unknown_flavor_is_refused(artifact: Artifact) -> None:
    manifest = msgspec.structs.replace(artifact.manifest, flavor="prophet")
    with pytest.raises(ContainerError, match="unknown flavor 'prophet'"):
        load_model(dataclasses.replace(artifact, manifest=manifest))
