from __future__ import annotations

from pathlib import Path

import pytest

from boostline.local.store.database import Database
from boostline.local.store.logs import Logs


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    made = Logs(Database(tmp_path / "db"))
    made.append("/g", "a", ["1", "2"])
    made.append("/g", "b", ["3"])
    made.append("/g", "a", ["4"])
    return made


def test_nothing_appended_makes_no_stream(logs: Logs) -> None:
    logs.append("/g", "c", [])
    assert list(logs.streams("/g")) == ["a", "b"]
    assert list(logs.groups()) == ["/g"]
    assert list(logs.streams("/g", "b")) == ["b"]
    assert logs.streams("/none") == {}


def test_events_keep_their_order_over_streams(logs: Logs) -> None:
    def read(**more: object) -> list[str]:
        return [event.message for event in logs.events("/g", **more)]  # type: ignore[arg-type]

    numbers = [event.number for event in logs.events("/g")]
    assert read() == ["1", "2", "3", "4"]
    assert read(streams=["a"]) == ["1", "2", "4"]
    assert read(streams=[]) == []
    assert read(after=numbers[1]) == ["3", "4"]
    assert read(before=numbers[2], newest=True, limit=1) == ["2"]
    assert read(newest=True, limit=2) == ["3", "4"]
    assert read(since=logs.groups()["/g"]) == ["1", "2", "3", "4"]
    assert read(until=logs.groups()["/g"]) == []
