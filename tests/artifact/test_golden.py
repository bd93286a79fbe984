import math
from pathlib import Path

import msgspec
import pytest

from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import open_artifact
from boostline.artifact.golden import Golden
from boostline.features.contract import FeatureContract, Input


def test_rows_and_scores_come_back(sealed: Path) -> None:
    golden = open_artifact(sealed).golden
    assert golden.rows[1] == [0.10000000149011612, 1.0]
    assert math.isnan(golden.rows[2][0])
    assert golden.scores == [0.1, 0.2, 0.3]


def test_the_same_transform_passes(sealed: Path, contract: FeatureContract) -> None:
    open_artifact(sealed).golden.check(contract)


@pytest.mark.parametrize(
    ("categories", "message"), [(["b", "a"], "record 1: .*other features"), (["a"], "record 2: c")]
)
def test_another_transform_is_noticed(
    sealed: Path, contract: FeatureContract, categories: list[str], message: str
) -> None:
    inputs = [contract.inputs[0], Input("c", "categorical", categories)]
    other = msgspec.structs.replace(contract, inputs=inputs)
    with pytest.raises(ArtifactError, match=message):
        open_artifact(sealed).golden.check(other)


@pytest.mark.parametrize("text", [b"{}", b'{"version":2,"records":[]}', b"["])
def test_what_is_no_golden_file_is_refused(text: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"golden\.json"):
        Golden.from_json(text)
