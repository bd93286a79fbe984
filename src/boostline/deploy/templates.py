"""The CloudFormation templates that come with the package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from boostline.project.config import Config

FOLDER = Path(__file__).parents[1] / "infra"
ACCOUNT, PROJECT, SERVING = "account.yaml", "project.yaml", "serving.yaml"
PIPELINE = "pipeline.yaml"
ACCOUNT_STACK = "boostline"  # a project's stack has a hyphen and its name behind it


def read(name: str) -> str:
    """Return a template as it stands."""
    return (FOLDER / name).read_text(encoding="utf-8")


def parameters(template: str) -> list[str]:
    """Return the names of a template's parameters."""
    section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", template, re.MULTILINE)
    return re.findall(r"^  (\w+):", section[1], re.MULTILINE) if section else []


def refusal(given: Iterable[str], free: Iterable[str], section: str) -> str:
    """Return why parameters of a section of `boostline.toml` cannot be taken, or nothing."""
    may = sorted(free)
    if odd := sorted(set(given) - set(may)):
        return f"[{section}] has {', '.join(odd)}; it may have {', '.join(may)}"
    return ""


def stack_of(config: Config) -> str:
    """Return the name of a project's own stack: group, roles, and the rule of its approvals."""
    return f"boostline-{config.name}"
