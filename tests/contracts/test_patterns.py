from __future__ import annotations

import re

import pytest

from boostline.contracts.models import service_model
from boostline.contracts.patterns import compiled
from boostline.local.operations import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_of_every_service_compiles(service: str) -> None:
    model = service_model(service)
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    for pattern in patterns - {None}:
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\w-_]*", ["a-b_c", ""], ["a.b", "ü"]),
        (r"\d+", ["12"], ["", "\u0661"]),
        (r"[\p{L}\p{Z}\p{N}_.:\/=+\-@]*", ["Grün 1 @x", ""], ["a;b"]),
        (r"[\p{Zs}-]+", ["\u3000-", " "], ["\u2028"]),
        (r"\p{Alnum}+", ["aZ9"], ["a-b", "ü"]),
        (r"[\p{ASCII}]+\z", ["a~"], ["€"]),
    ],
)
def test_patterns_mean_what_java_means(pattern: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not compiled(pattern).fullmatch(text)] == []
    assert [text for text in bad if compiled(pattern).fullmatch(text)] == []


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(re.error, match="Cyrillic"):
        compiled(r"\p{Cyrillic}+")
