import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from boostline.container.report.plots import PLOTS, Plot, Scored, draw

pytestmark = pytest.mark.slow

OBJECTIVES = ("binary", "multiclass", "regression")


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_plot_is_svg_that_needs_nothing_else(
    drawn: Mapping[str, list[Plot]], objective: str
) -> None:
    plots = drawn[objective]
    assert tuple(plot.name for plot in plots) == PLOTS[objective]
    for plot in plots:
        ET.fromstring(plot.svg)
        outside = re.sub(r' xmlns(:xlink)?="[^"]*"', "", plot.svg)
        assert "http" not in outside
        assert "<script" not in outside
        assert len(plot.svg) < 60_000


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_scores_give_the_same_bytes(
    scored: Mapping[str, Scored], drawn: Mapping[str, list[Plot]], objective: str
) -> None:
    assert draw(objective, scored[objective]) == drawn[objective]


def test_text_is_text_and_names_are_kept(drawn: Mapping[str, list[Plot]]) -> None:
    plots = {plot.name: plot.svg for plot in drawn["multiclass"]}
    assert {" _low", " <b>mid</b> & $x_1$", " high"} <= set(texts(plots["roc"]))
    assert {"_low", "high", "answered", "actual"} <= set(texts(plots["confusion"]))
    importance = texts(plots["importance"])
    assert "<i>0</i> $y_0$" in importance
    assert "<i>15</i> $y_15$" not in importance  # the 15 heaviest


def test_ids_of_two_plots_do_not_meet_in_a_page(drawn: Mapping[str, list[Plot]]) -> None:
    page = "".join(plot.svg for plot in drawn["binary"])
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', page)) <= set(ids)


def test_a_page_can_give_the_colours(drawn: Mapping[str, list[Plot]]) -> None:
    for plot in drawn["binary"]:
        assert not re.search(r"(?<!, )#000000", plot.svg)
        assert "var(--ink, #" in plot.svg


def test_curves_that_one_class_alone_does_not_have_are_left_out(
    scored: Mapping[str, Scored],
) -> None:
    binary = scored["binary"]
    alone = replace(binary, labels=np.zeros(len(binary.labels), dtype=np.float32))
    names = {plot.name for plot in draw("binary", alone)}
    assert names == {"confusion", "scores", "importance"}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_few_rows_are_enough(scored: Mapping[str, Scored], objective: str, rows: int) -> None:
    whole = scored[objective]
    few = replace(whole, labels=whole.labels[:rows], scores=whole.scores[:rows])
    assert "importance" in {plot.name for plot in draw(objective, few)}


def test_many_classes_keep_the_confusion_legible(scored: Mapping[str, Scored]) -> None:
    generator = np.random.default_rng(0)
    many = replace(
        scored["multiclass"],
        labels=generator.integers(0, 30, 500).astype(np.float32),
        scores=generator.dirichlet(np.ones(30), 500),
        classes=[f"a class with a long name {code}" for code in range(30)],
    )
    drawn = {plot.name: plot.svg for plot in draw("multiclass", many)}
    assert all(len(text) <= 16 for text in texts(drawn["confusion"]))
    assert len([text for text in texts(drawn["roc"]) if "class with" in text]) == 10
