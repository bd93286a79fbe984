from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boostline.local.store.database import Database
from boostline.local.store.resources import Exists, Missing, Resources


@pytest.fixture
def resources(tmp_path: Path) -> Resources:
    return Resources(Database(tmp_path / "db"))


def test_a_document_is_made_once_found_and_removed(resources: Resources) -> None:
    resources.create("model", "a", {"Name": "a"})
    with pytest.raises(Exists, match="a"):
        resources.create("model", "a", {})
    resources.create("endpoint", "a", {})
    assert resources.get("model", "a") == {"Name": "a"}
    resources.delete("model", "a")
    assert resources.find("model", "a") is None
    for call in (resources.get, resources.delete, resources.update):
        with pytest.raises(Missing, match="a"):
            call("model", "a")


def test_documents_are_listed_by_kind_and_parent_oldest_first(resources: Resources) -> None:
    for name, parent in (("z", "g"), ("a", "h"), ("m", "g")):
        resources.create("package", name, {"n": name}, parent)
    resources.create("other", "x", {})
    assert [each["n"] for each in resources.list("package")] == ["z", "a", "m"]
    assert [each["n"] for each in resources.list("package", "g")] == ["z", "m"]
    assert resources.list("nothing") == []


def test_a_change_that_fails_changes_nothing(resources: Resources) -> None:
    resources.create("model", "a", {"n": 1})

    def fail(document: dict[str, Any]) -> None:
        document["n"] = 2
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        resources.change("model", "a", fail)
    assert resources.get("model", "a") == {"n": 1}
    assert resources.update("model", "a", n=3)["n"] == 3
    assert resources.get("model", "a")["LastModifiedTime"] > 0
