"""Where a local platform is, and with which key: the file that it leaves for its clients."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE = "platform.json"
VARIABLE = "BOOSTLINE_DIR"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has to know of a running platform."""

    version: int = 1
    endpoint: str
    account: str
    region: str
    access_key: str
    secret_key: str
    pid: int

    def exports(self) -> dict[str, str]:
        """Return the environment in which AWS's SDKs and CLI reach this platform alone."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def write(self, folder: Path) -> None:
        """Leave the file in the platform's folder, readable by its owner alone."""
        part = folder / f"{FILE}.part"
        part.touch(mode=0o600)
        part.write_bytes(msgspec.json.encode(self))
        part.rename(folder / FILE)


def default_folder() -> Path:
    """Return the platform's folder: `$BOOSTLINE_DIR`, else `~/.boostline`."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".boostline").expanduser()


def read(folder: Path) -> Address | None:
    """Return the address that a platform left in its folder, or None."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Address)
    except (FileNotFoundError, msgspec.DecodeError):  # none, or one that was being written
        return None
