"""A model's container: how it is called, and what it finds."""

from __future__ import annotations

from pathlib import Path

from boostline.contracts.archives import ArchiveError, unpack
from boostline.contracts.uri import split_uri
from boostline.local.hosting.server import ServerFailed
from boostline.local.platform import Platform
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document

SERVE = ("serve",)  # its arguments


def lay_out(platform: Platform, container: Document, ml: Path) -> None:
    """Put a model's data into `/opt/ml/model`.

    Parameters
    ----------
    container
        `data` is the S3 URI of a `model.tar.gz`; empty if there is none.

    Raises
    ------
    ServerFailed
        If it is not there, or cannot be unpacked.
    """
    data, model = container["data"], ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    try:
        if data:
            archive = platform.blobs.path(platform.objects.get(*split_uri(data)).digest)
            unpack(archive, model)
    except (NoSuchKey, NoSuchBucket):
        raise ServerFailed(f"there is no model data at {data}") from None
    except ArchiveError as error:
        raise ServerFailed(f"{data}: {str(error).removeprefix(f'{archive}: ')}") from None
    except ValueError as error:
        raise ServerFailed(f"{data}: {error}") from None
