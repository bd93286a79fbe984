"""A model's container: what it is told, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boostline.contracts.archives import ArchiveError, unpack
from boostline.contracts.uri import split_uri
from boostline.local.hosting.server import ServerFailed
from boostline.local.platform import Platform
from boostline.local.runners.base import Call
from boostline.local.store.objects import NoSuchBucket, NoSuchKey


@dataclass(frozen=True)
class Container:
    """A model's container.

    Parameters
    ----------
    image
        Image URI.
    data
        S3 URI of a `model.tar.gz`, or, if not `packed`, of a prefix; empty if it has no data.
    timeout
        Seconds from the start to the first good `/ping`.
    """

    image: str
    data: str = ""
    packed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 480.0

    @property
    def call(self) -> Call:
        """How it is called to serve."""
        return Call(self.image, arguments=("serve",))

    def lay_out(self, platform: Platform, ml: Path) -> None:
        """Unpack the model into `/opt/ml/model`.

        Raises
        ------
        ServerFailed
            If it is not there, or cannot be unpacked.
        """
        model = ml / "model"
        model.mkdir(parents=True, exist_ok=True)
        try:
            if self.data and self.packed:
                archive = platform.blobs.path(platform.objects.get(*split_uri(self.data)).digest)
                unpack(archive, model)
            elif self.data:
                platform.objects.download(self.data, model)
        except (NoSuchKey, NoSuchBucket):
            raise ServerFailed(f"there is no model data at {self.data}") from None
        except ArchiveError as error:
            what = str(error).removeprefix(f"{archive}: ")
            raise ServerFailed(f"{self.data}: {what}") from None
        except ValueError as error:
            raise ServerFailed(f"{self.data}: {error}") from None
