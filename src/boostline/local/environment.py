"""What a program of the platform finds in its environment: nothing of the caller's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boostline.local.platform import Platform

NOWHERE = "/nonexistent"


def scrubbed(platform: Platform, home: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return all of the environment of a process of this host: `host`, and `given`, which wins."""
    return host(home) | given(platform, extra)


def host(home: Path) -> dict[str, str]:
    """Return what a process has of this host; an image has its own.

    Only PATH (the platform's Python first) and LANG come from the caller. `home` is the program's
    own folder, as HOME and for temporary files.
    """
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": str(home),
        "TMPDIR": str(home),
    }


def given(platform: Platform, extra: Mapping[str, str]) -> dict[str, str]:
    """Return what the platform tells a job, a model server or a function.

    Its key and endpoint take the place of credentials, profiles and instance metadata. Python
    writes its lines at once, as it is set to in SageMaker's images. `extra` is what the request
    and the program's contract give; it wins.
    """
    environment = {
        "PYTHONUNBUFFERED": "1",
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_REGION": platform.settings.region,
        "AWS_DEFAULT_REGION": platform.settings.region,
        "AWS_ACCESS_KEY_ID": platform.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": platform.credentials.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{NOWHERE}/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{NOWHERE}/credentials",
    }
    return environment | dict(extra)
