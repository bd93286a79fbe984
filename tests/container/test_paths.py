from pathlib import Path

import pytest

from boostline.container.errors import ContainerError
from boostline.container.paths import Paths, data_files, read_bytes


def test_the_base_is_the_contracts_unless_it_was_moved() -> None:
    assert Paths.from_environment({}).model == Path("/opt/ml/model")
    assert Paths.from_environment({"SAGEMAKER_BASE_DIR": "/x"}).channel("a") == Path(
        "/x/input/data/a"
    )


def test_data_files_are_sorted_and_visible(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden", "_SUCCESS", "sub/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in data_files(tmp_path)] == ["a.csv", "b.csv", "c.csv"]


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="no files"):
        data_files(tmp_path)
    with pytest.raises(ContainerError, match=r"config\.json: No such file"):
        read_bytes(tmp_path / "config.json")
