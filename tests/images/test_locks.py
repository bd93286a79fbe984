"""What the images may hold is locked, flavor by flavor, at the versions that the tests run with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements" / "flavors").glob("*.txt"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def pins(lock: Path) -> dict[str, set[str]]:
    """The versions by name; there can be more than one, by the version of Python."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_there_is_a_lock_for_each_flavor() -> None:
    assert [lock.stem for lock in LOCKS] == ["catboost", "lightgbm", "scikit-learn", "xgboost"]
    assert {lock.stem for lock in LOCKS} <= EXTRAS.keys()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_is_complete_and_agrees_with_the_others(lock: Path) -> None:
    pinned, every = pins(lock), pins(ROOT / "requirements" / "dev.txt")
    wanted = {re.split(r"[<>=;\[ ]", need)[0] for need in EXTRAS["container"] + EXTRAS[lock.stem]}
    assert wanted <= pinned.keys()
    assert all(versions <= every[name] for name, versions in pinned.items())
    assert not {"pyarrow", "boto3", "botocore"} & pinned.keys()  # large, and of no use in there
    text = lock.read_text()
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "index-url" not in text
