"""A model's container: what it is told, what it finds, how it is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boostline.contracts.archives import ArchiveError, unpack
from boostline.contracts.uri import split_uri
from boostline.local.platform import Platform
from boostline.local.runners.base import KILLED, LOOPBACK, PORT, Call, Program, last_words
from boostline.local.store.objects import NoSuchBucket, NoSuchKey

REASON_LINES = 700  # characters of last lines, so that the very last are in a FailureReason


class ServerFailed(Exception):
    """Why a container cannot serve."""


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

    def lay_out(self, platform: Platform, ml: Path) -> None:
        """Unpack the model into `/opt/ml/model`.

        Raises
        ------
        ServerFailed
            If it is not there, or cannot be unpacked.
        """
        model = ml / "model"
        model.mkdir(parents=True, exist_ok=True)
        if not self.data:
            return
        try:
            if self.packed:
                archive = platform.blobs.path(platform.objects.get(*split_uri(self.data)).digest)
                unpack(archive, model)
            else:
                platform.objects.download(self.data, model)
        except (NoSuchKey, NoSuchBucket):
            raise ServerFailed(f"there is no model data at {self.data}") from None
        except ArchiveError as error:
            what = str(error).removeprefix(f"{archive}: ")
            raise ServerFailed(f"{self.data}: {what}") from None
        except ValueError as error:
            raise ServerFailed(f"{self.data}: {error}") from None

    def serving(self, platform: Platform) -> tuple[Call, dict[str, str]]:
        """Return how it is called to serve, and its variables, a free `PORT` among them.

        Raises
        ------
        RunnerError
            If there is no such image.
        """
        told = {PORT: str(platform.runner.port(self.image)), "BOOSTLINE_BIND_ADDRESS": LOOPBACK}
        return Call(self.image, arguments=("serve",)), {**self.environment, **told}


def unhealthy(program: Program, waited: float) -> ServerFailed:
    """Return why a program that was waited for does not serve, with its last lines."""
    code = program.wait(0)
    if code is not None:
        killed = ": it was killed, as when it needs more memory than there is"
        what = f"the program ended with exit code {code}{killed if code == KILLED else ''}"
    else:
        what = f"/ping did not answer 200 within {waited:.0f} s"
    return ServerFailed(what + last_words(program.tail(), REASON_LINES))
