"""``model.json``: what a model is, what it was made with, and the digests that seal it."""

import hashlib
from typing import Any

import msgspec

from boostline.artifact.errors import ArtifactError
from boostline.features.contract import canonical_json
from boostline.features.spec import Objective

VERSION = 1
NAME = "model.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed content of ``model.json``.

    Attributes
    ----------
    flavor
        The framework that saved the model and can load it.
    objective, classes
        As in the feature contract.
    threshold
        The score from which on the positive class is answered; None unless binary.
    best_iteration
        The last boosting round that the model holds, counted from 0; None if it has none.
    features
        The digest of the feature contract.
    libraries
        Versions of the libraries that trained it.
    hyperparameters
        As they were used, defaults included.
    metrics
        Measured on the validation split.
    members
        SHA-256 (hex) of each other file of the artifact.
    artifact
        SHA-256 (hex) over all of the above: the identity of the model.
    """

    version: int = VERSION
    flavor: str
    objective: Objective
    classes: list[str] | None
    threshold: float | None
    best_iteration: int | None
    features: str
    libraries: dict[str, str]
    hyperparameters: dict[str, Any]
    metrics: dict[str, float]
    members: dict[str, str] = {}
    artifact: str = ""

    def sealed(self, members: dict[str, str]) -> "Manifest":
        """Add the digests of the members and of the whole."""
        manifest = msgspec.structs.replace(self, members=dict(sorted(members.items())))
        return msgspec.structs.replace(manifest, artifact=manifest.expected_digest())

    def expected_digest(self) -> str:
        """Compute what ``artifact`` has to be."""
        content = msgspec.to_builtins(self)
        del content["artifact"]
        return hashlib.sha256(canonical_json(content)).hexdigest()

    def to_json(self) -> bytes:
        """Write ``model.json``: the same bytes for the same manifest."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Read ``model.json``.

        Raises
        ------
        ArtifactError
            It is not JSON, has another version, or its digest does not fit its content.
        """
        try:
            version = msgspec.json.decode(text, type=_Version).version
            if version != VERSION:
                raise ArtifactError(
                    f"{NAME}: version {version!r} is not known, this release reads version "
                    f"{VERSION}: use the release that wrote it, or train again"
                )
            manifest = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{NAME}: {error}") from None
        if manifest.artifact != manifest.expected_digest():
            raise ArtifactError(f"{NAME}: its digest does not fit its content: it was changed")
        return manifest


class _Version(msgspec.Struct):
    version: Any
