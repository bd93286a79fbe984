import shutil
from pathlib import Path

import msgspec
import pytest

from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import open_archive, open_artifact, read_contract, seal
from boostline.artifact.golden import Golden
from boostline.artifact.manifest import Manifest
from boostline.contracts.archives import pack
from boostline.features.contract import FeatureContract


def test_a_sealed_folder_opens(sealed: Path, contract: FeatureContract) -> None:
    artifact = open_artifact(sealed)
    assert artifact.contract == contract
    assert sorted(artifact.manifest.members) == ["features.json", "golden.json", "model.ubj"]
    assert len(artifact.manifest.artifact) == 64


@pytest.mark.parametrize("name", ["model.json", "features.json", "golden.json", "model.ubj"])
def test_a_missing_member_is_named(sealed: Path, name: str) -> None:
    (sealed / name).unlink()
    with pytest.raises(ArtifactError, match=f"^{name}: missing"):
        open_artifact(sealed)


@pytest.mark.parametrize("name", ["features.json", "golden.json", "model.ubj"])
def test_a_corrupt_member_is_named(sealed: Path, name: str) -> None:
    content = (sealed / name).read_bytes()
    (sealed / name).write_bytes(content[:-1] + b" ")
    with pytest.raises(ArtifactError, match=f"^{name}: corrupt"):
        open_artifact(sealed)


def test_an_added_file_is_named(sealed: Path) -> None:
    (sealed / "code").mkdir()
    (sealed / "code" / "serve.py").write_text("print()")
    with pytest.raises(ArtifactError, match=r"^code/serve\.py: not a member"):
        open_artifact(sealed)


def test_a_contract_of_another_model_is_noticed(
    tmp_path: Path, contract: FeatureContract, manifest: Manifest
) -> None:
    foreign = msgspec.structs.replace(manifest, features="0" * 64)
    seal(tmp_path, contract, foreign, Golden(records=[]))
    with pytest.raises(ArtifactError, match=r"features\.json: its digest"):
        open_artifact(tmp_path)


def test_an_archive_opens(sealed: Path, tmp_path: Path, contract: FeatureContract) -> None:
    archive = tmp_path / "model.tar.gz"
    pack(sealed, archive)
    found, manifest = read_contract(archive)
    assert found == contract
    assert manifest == open_artifact(sealed).manifest


def test_sealing_twice_gives_the_same_bytes(sealed: Path, tmp_path: Path) -> None:
    artifact = open_artifact(sealed)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(sealed / "model.ubj", again)
    seal(again, artifact.contract, artifact.manifest, artifact.golden)
    for path in sealed.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"no archive")
    with pytest.raises(ArtifactError, match=r"^model\.tar\.gz: neither"):
        open_archive(archive, tmp_path / "out")
    with pytest.raises(ArtifactError, match=r"^model\.tar\.gz: No such file or directory$"):
        read_contract(tmp_path / "nowhere" / "model.tar.gz")


def test_what_an_archive_lacks_is_named_without_the_folder_it_was_unpacked_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.pkl").touch()
    pack(tmp_path / "other", tmp_path / "model.tar.gz")
    with pytest.raises(ArtifactError, match=r"^model\.tar\.gz: model\.json: missing") as told:
        read_contract(tmp_path / "model.tar.gz")
    assert "/" not in str(told.value)
