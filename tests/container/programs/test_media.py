import pytest

from boostline.container.programs.media import CSV, JSON, media_type, negotiate


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
        ("application/json;q=0, */*", CSV),
        ("image/png, */*;q=0.1", JSON),
        ("image/png", None),
        ("application/json;q=0", None),
        ("application/json;q=high", None),
    ],
)
def test_negotiation(header: str, expected: str | None) -> None:
    assert negotiate(header, (JSON, CSV)) == expected


def test_a_media_type_and_its_parameters() -> None:
    assert media_type(' Text/CSV ; Header = "absent"') == (CSV, {"header": "absent"})
