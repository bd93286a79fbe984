import pytest

from boostline.container.programs.media import (
    CSV,
    JSON,
    JSON_LINES,
    PARQUET,
    Route,
    find_route,
    media_type,
    negotiate,
)
from boostline.container.programs.refusals import ScoringError


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        ("text/csv", CSV),
        ("Text/CSV; charset=utf-8", CSV),
        ("text/csv, application/json", JSON),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/json; q = 0.5, text/csv", CSV),
        ("application/json;q=0, */*", CSV),
        ("image/png, */*;q=0.1", JSON),
        ("image/png", None),
        ("application/json;q=0", None),
        ("application/json;q=high", None),
        ("application/json;q=nan", None),
        (",;=,", None),
    ],
)
def test_negotiation(header: str, expected: str | None) -> None:
    assert negotiate(header, (JSON, CSV)) == expected


def test_a_media_type_and_its_parameters() -> None:
    assert media_type(' Text/CSV ; Header = "absent"') == (CSV, {"header": "absent"})


@pytest.mark.parametrize(
    ("content_type", "accept", "explained", "expected"),
    [
        ("text/csv", "", False, Route(CSV, CSV, "")),
        ("text/csv;header=present;charset=UTF-8", "*/*", False, Route(CSV, CSV, "present")),
        ("text/csv", "", True, Route(CSV, JSON, "")),
        ("text/csv", "text/csv, application/json;q=0.1", True, Route(CSV, JSON, "")),
        ("application/json", "text/csv", False, Route(JSON, CSV, "")),
        ("application/jsonlines", "", True, Route(JSON_LINES, JSON_LINES, "")),
        ("application/jsonlines", "application/*;q=0.2", False, Route(JSON_LINES, JSON_LINES, "")),
        (PARQUET, "application/jsonlines", False, Route(PARQUET, JSON_LINES, "")),
        (PARQUET, "", False, Route(PARQUET, JSON, "")),
    ],
)
def test_a_route(content_type: str, accept: str, explained: bool, expected: Route) -> None:
    assert find_route(content_type, accept, "", explained) == expected


@pytest.mark.parametrize(
    ("content_type", "accept", "encoding", "status", "said"),
    [
        ("", "", "", 415, "not none"),
        ("application/octet-stream", "", "", 415, "application/octet-stream"),
        ("text/csv; charset=latin-1", "", "", 415, "charset=latin-1"),
        ("text/csv; header=maybe", "", "", 415, "header=maybe"),
        ("text/csv", "", "gzip", 415, "encoded as gzip"),
        ("text/csv", "image/png", "identity", 406, "accept text/csv or application/json"),
        ("x" * 100_000, "", "", 415, "xxx"),
    ],
)
def test_no_route(content_type: str, accept: str, encoding: str, status: int, said: str) -> None:
    with pytest.raises(ScoringError, match=said) as caught:
        find_route(content_type, accept, encoding, False)
    assert caught.value.status == status
    assert len(caught.value.to_json()) < 500
