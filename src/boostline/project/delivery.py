"""The files by which a project is delivered: each runs nothing but the commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from boostline import __version__

FOLDER = Path(__file__).with_name("ci")
# Not requirements.txt: beside the user's code that is what jobs install.
REQUIREMENTS = "requirements-ci.txt"


class Delivery(StrEnum):
    """What delivers a project."""

    GITHUB = "github"
    CODEPIPELINE = "codepipeline"
    NONE = "none"


PLACES = {
    Delivery.GITHUB: {".github/workflows/boostline.yml": "github.yml"},
    Delivery.CODEPIPELINE: {"buildspec.yml": "buildspec.yml"},
    Delivery.NONE: {},
}


def write(folder: Path, delivery: Delivery) -> None:
    """Write the files of a delivery into a project's folder."""
    places = PLACES[delivery]
    for place, name in (places | {REQUIREMENTS: REQUIREMENTS} if places else {}).items():
        text = (FOLDER / name).read_text(encoding="utf-8")
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == REQUIREMENTS:
            text = text.format(version=__version__)
        path.write_text(text, encoding="utf-8")
