import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from boostline.artifact.manifest import Manifest
from boostline.container.metrics import quality
from boostline.container.report.page import Content, build
from boostline.container.report.plots import Plot, Scored

PARITY = {"engine": "onedal", "reason": "", "rows": 600, "agrees": True}
NATIVE = {"engine": "native", "reason": "daal4py is not <here>"}


class Reader(HTMLParser):
    """Takes a page's elements and text apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if tag == "a" else []

    def handle_data(self, data: str) -> None:
        self.text += data


def content(objective: Any, scored: Scored, **changed: Any) -> Content:
    manifest = Manifest(
        flavor="xgboost",
        objective=objective,
        classes=scored.classes,
        threshold=scored.threshold,
        best_iteration=7,
        features="f" * 64,
        libraries={"xgboost": "3"},
        hyperparameters={"eta": 0.1},
        metrics={},
        artifact="a" * 64,
    )
    evaluation, undefined = quality(objective, scored.labels, scored.scores, scored.threshold)
    evaluation["champion_comparison"] = {"present": False}
    members: dict[str, Any] = {
        "manifest": manifest,
        "label": "<label>",
        "rows": len(scored.labels),
        "evaluation": evaluation,
        "parity": PARITY | {"max_difference": 1e-8, "tolerance": 1e-6},
        "slices": [],
        "undefined": undefined,
        "plots": [],
    }
    return Content(**(members | changed))


@pytest.mark.parametrize("objective", ["binary", "multiclass", "regression"])
def test_a_page_is_whole_in_itself(
    scored: Mapping[str, Scored], drawn: Mapping[str, list[Plot]], objective: str
) -> None:
    page = build(content(objective, scored[objective], plots=drawn[objective]))
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe"}
    assert "http" not in re.sub(r' xmlns(:xlink)?="[^"]*"|http-equiv', "", page)
    assert reader.links == ["#metrics", "#plots", *reader.links[2:]]
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert ("#classes" in reader.links) == (objective != "regression")
    assert len(page) < 200_000
    assert "prefers-color-scheme: dark" in page


def test_names_are_text(scored: Mapping[str, Scored]) -> None:
    reader = Reader(build(content("multiclass", scored["multiclass"], parity=NATIVE)))
    assert "Evaluation: <label>" in reader.text
    assert "<b>mid</b> & $x_1$" in reader.text
    assert "native: daal4py is not <here>" in reader.text
    assert "i" not in reader.tags


def test_engines_that_disagree_stand_first(scored: Mapping[str, Scored]) -> None:
    parity = PARITY | {"agrees": False, "max_difference": 0.25, "tolerance": 1e-6}
    text = Reader(build(content("binary", scored["binary"], parity=parity))).text
    place = text.index("The engines disagree. On this test split onedal and native differ by up")
    assert place < text.index("accuracy", text.index("Evaluation: <label>", 200))
    assert "0.25" in text


def test_what_is_not_defined_is_said(scored: Mapping[str, Scored]) -> None:
    text = Reader(build(content("binary", scored["binary"], undefined=["auc", "recall"]))).text
    assert "Not defined on these rows: auc, recall." in text


def test_a_champion_stands_beside_the_metrics(scored: Mapping[str, Scored]) -> None:
    base = content("regression", scored["regression"])
    values = {"champion": 3.5, "challenger": 3.0, "drop": -0.5}
    compared = {"present": True, "artifact": "c" * 64}
    compared["mae"] = {name: {"value": value} for name, value in values.items()}
    evaluation = {**base.evaluation, "champion_comparison": compared}
    evaluation["custom_metrics"] = {"cost": {"value": 12345.678}}
    page = build(content("regression", scored["regression"], evaluation=evaluation))
    assert "<th>champion</th><th>worse by</th>" in page
    assert "<td>3.5000</td><td>-0.5000</td>" in page
    assert "<td>cost</td><td>12,346</td><td>-</td><td>-</td><td>-</td>" in page


def test_slices_mark_few_rows_and_say_what_is_left_out(scored: Mapping[str, Scored]) -> None:
    groups = [
        {"value": f"g{place}", "rows": 30 - place % 30, "few": place > 90, "metrics": {"mae": 2.0}}
        for place in range(120)
    ]
    groups[3]["value"] = None
    page = build(
        content(
            "regression",
            scored["regression"],
            slices=[{"column": "A & B", "groups": groups}],
        )
    )
    assert "<summary>A &amp; B: 120 groups</summary>" in page
    assert "<td>(missing)</td>" in page
    assert "The 100 largest of 120" in page
    assert page.count('<tr class="few">') == 9
