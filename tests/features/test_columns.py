import datetime as dt
from typing import Any

import polars as pl
import pytest

from boostline.features.columns import TableError, read_coded, read_times

MINUTE = 60_000_000.0


def test_codes_are_places_in_texts() -> None:
    codes, texts = read_coded(pl.Series("c", ["b", " b ", None, "a", "NA"]), ["NA"])
    assert [None if code is None else texts[code] for code in codes] == ["b", "b", None, "a", None]
    assert sorted(texts) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1970-01-01", " 1970-01-01 00:01", "1970-01-01T00:01:00.5"], [0, MINUTE, MINUTE + 5e5]),
        (["1970-01-01T01:00+01:00", "1970-01-01T00:01:00Z"], [0, MINUTE]),
        (["2025", "2026.5"], [2025, 2026.5]),
        ([3, 4], [3, 4]),
        ([dt.date(1970, 1, 2)], [1440 * MINUTE]),
        ([dt.datetime(1970, 1, 1, 0, 1)], [MINUTE]),  # noqa: DTZ001
    ],
)
def test_points_in_time(values: list[Any], expected: list[float]) -> None:
    assert read_times(pl.Series("t", values), []).to_list() == expected


@pytest.mark.parametrize("value", ["soon", "", "31.01.2026", "2026-13-01", None])
def test_what_is_no_point_in_time(value: str | None) -> None:
    with pytest.raises(TableError, match="column 't' is no point in time"):
        read_times(pl.Series("t", ["2026-01-01", value]), [])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([dt.timedelta(1)], "Duration"),
        ([b"\xff"], "Binary"),
        ([["x"]], "List"),
        ([{"x": 1}], "Struct"),
    ],
)
def test_what_is_no_text_is_refused_with_its_column(values: list[object], kind: str) -> None:
    with pytest.raises(TableError, match=rf"^column 'k' holds {kind}.*: a categorical column"):
        read_coded(pl.Series("k", values), [])
