"""A model artifact as a folder and as ``model.tar.gz``."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from boostline.artifact.errors import ArtifactError
from boostline.artifact.golden import NAME as GOLDEN
from boostline.artifact.golden import Golden
from boostline.artifact.manifest import NAME as MANIFEST
from boostline.artifact.manifest import Manifest
from boostline.contracts.archives import ArchiveError, unpack
from boostline.features.contract import ContractError, FeatureContract

FEATURES = "features.json"


@dataclass(frozen=True)
class Artifact:
    """An artifact whose digests were checked."""

    contract: FeatureContract
    manifest: Manifest
    golden: Golden
    folder: Path


def seal(folder: Path, contract: FeatureContract, manifest: Manifest, golden: Golden) -> Manifest:
    """Complete a folder that holds the saved model.

    Parameters
    ----------
    folder
        Where the flavor saved the model; every file in it becomes a member of the artifact.
    contract, manifest, golden
        What is written beside it.

    Returns
    -------
    Manifest
        The manifest with the digests.
    """
    (folder / FEATURES).write_bytes(contract.to_json())
    (folder / GOLDEN).write_bytes(golden.to_json())
    sealed = manifest.sealed(_digests(folder))
    (folder / MANIFEST).write_bytes(sealed.to_json())
    return sealed


def open_artifact(folder: Path) -> Artifact:
    """Read an artifact and check that it is whole.

    Parameters
    ----------
    folder
        The unpacked ``model.tar.gz``.

    Returns
    -------
    Artifact
        Its parts.

    Raises
    ------
    ArtifactError
        A member is missing, was changed, was added, or does not fit the others; named.
    """
    manifest = Manifest.from_json(_read(folder, MANIFEST))
    found = _digests(folder)
    for name, digest in manifest.members.items():
        if name not in found:
            raise ArtifactError(f"{name}: missing in the artifact: pack all of it again")
        if found[name] != digest:
            raise ArtifactError(
                f"{name}: corrupt in the artifact: its digest is not the sealed one"
            )
    extra = sorted(set(found) - set(manifest.members))
    if extra:
        raise ArtifactError(f"{extra[0]}: not a member of the artifact: pack it anew")
    return Artifact(
        contract=_contract(folder, manifest),
        manifest=manifest,
        golden=Golden.from_json(_read(folder, GOLDEN)),
        folder=folder,
    )


def open_archive(archive: Path, folder: Path) -> Artifact:
    """Unpack ``model.tar.gz`` into an empty folder and open it.

    Raises
    ------
    ArtifactError
        The archive or its content cannot be used.
    """
    try:
        unpack(archive, folder)
        return open_artifact(folder)
    except OSError as error:
        raise ArtifactError(f"{archive.name}: {error.strerror or error}") from None
    except (ArchiveError, ArtifactError, ContractError) as error:
        reason = str(error).removeprefix(f"{archive}: ")
        raise ArtifactError(f"{archive.name}: {reason}") from None


def read_contract(archive: Path) -> tuple[FeatureContract, Manifest]:
    """Read the feature contract and the manifest of a ``model.tar.gz``, for a deployment.

    Raises
    ------
    ArtifactError
        The archive or its content cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        artifact = open_archive(archive, Path(folder))
        return artifact.contract, artifact.manifest


def _contract(folder: Path, manifest: Manifest) -> FeatureContract:
    try:
        contract = FeatureContract.from_json(_read(folder, FEATURES))
    except ContractError as error:
        raise ArtifactError(str(error)) from None
    if contract.digest != manifest.features:
        raise ArtifactError(f"{FEATURES}: its digest is not the one in {MANIFEST}")
    return contract


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise ArtifactError(f"{name}: missing in the artifact: {reason}") from None


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.relative_to(folder).as_posix() != MANIFEST
    }
