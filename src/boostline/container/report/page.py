"""``report.html``: an evaluation as one page that needs neither network nor script."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from boostline.artifact.manifest import Manifest
from boostline.container.metrics import per_class
from boostline.container.report.plots import Plot
from boostline.contracts.metrics import COMPARISON, CUSTOM, GROUPS, METRICS

Cell = str | int | float | None

# What a glance needs: the large figures, and the columns of the slices.
_KEY = {
    "binary": ("accuracy", "auc", "precision", "recall", "f1"),
    "multiclass": ("accuracy", "weighted_precision", "weighted_recall", "weighted_f1", "log_loss"),
    "regression": ("mae", "rmse", "r2"),
}
_OPEN_GROUPS, _MOST_GROUPS = 12, 100
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)


@dataclass(frozen=True)
class Content:
    """What the page tells: what evaluation wrote, and about which model and rows."""

    manifest: Manifest
    label: str
    rows: int
    evaluation: Mapping[str, Any]
    parity: Mapping[str, Any]
    slices: Sequence[Mapping[str, Any]]
    undefined: Sequence[str]
    plots: Sequence[Plot]

    @property
    def group(self) -> Mapping[str, Any]:
        """The metrics by SageMaker's names."""
        found: Mapping[str, Any] = self.evaluation[GROUPS[self.manifest.objective]]
        return found

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the metrics that say most."""
        return _KEY[self.manifest.objective]


def build(content: Content) -> str:
    """Write the page as HTML."""
    sections = {
        "Metrics": _metrics(content),
        "Plots": _plots(content.plots),
        "Classes": _classes(content),
        "Slices": "".join(_slice(content, found) for found in content.slices),
        "Model": _model(content.manifest, content.parity),
    }
    shown = {title: html for title, html in sections.items() if html}
    links = "".join(f'<a href="#{title.lower()}">{title}</a>' for title in shown)
    body = "".join(f'<h2 id="{name.lower()}">{name}</h2>{html}' for name, html in shown.items())
    css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    title = f"Evaluation: {escape(content.label)}"
    return (
        f"{_HEAD}<title>{title}</title><style>{css}</style><h1>{title}</h1>{_facts(content)}"
        f"<nav>{links}</nav>{''.join(_warnings(content))}{_tiles(content)}{body}</html>\n"
    )


def _facts(content: Content) -> str:
    manifest = content.manifest
    facts = [f"{content.rows:,} rows of the test split", manifest.objective, manifest.flavor]
    if manifest.threshold is not None:
        facts.append(f"threshold {manifest.threshold:.6g}")
    return _paragraph(" · ".join([*facts, f"artifact {manifest.artifact[:16]}"]), "soft")


def _warnings(content: Content) -> Iterator[str]:
    parity = content.parity
    if parity.get("agrees") is False:
        yield _paragraph(
            f"On this test split {parity['engine']} and native differ by up to "
            f"{parity['max_difference']:.3g}; {parity['tolerance']:.3g} is allowed. All figures "
            f"here are of {parity['engine']}, which serves.",
            *("warning", "The engines disagree."),
        )
    if content.undefined:
        names = ", ".join(content.undefined)
        yield _paragraph(f"{names}.", "warning", "Not defined on these rows:")


def _tiles(content: Content) -> str:
    group = content.group
    tiles = "".join(
        f"<div>{name.replace('_', ' ')}<b>{_text(group[name]['value'])}</b></div>"
        for name in content.key
        if name in group
    )
    constant = group.get("accuracy_best_constant_classifier")
    note = f"The most frequent class has {constant['value']:.1%} of the rows." if constant else ""
    return f'<div class="tiles">{tiles}</div>{_paragraph(note, "soft")}'


def _metrics(content: Content) -> str:
    compared = content.evaluation[COMPARISON]
    own = content.evaluation.get(CUSTOM, {})
    head = {"value": "value", "standard_deviation": "±"}
    note = "± is the standard deviation over five samples of 80 % of the rows; few have none."
    if compared["present"]:
        head |= {"champion": "champion", "drop": "worse by"}
        note += f" The champion is artifact {compared['artifact'][:16]}, on the same rows."
    else:
        note += " There was no champion to compare with."
    rows: list[list[Cell]] = []
    for name in (*METRICS[content.manifest.objective], *own):
        found = dict(content.group.get(name, own.get(name, {})))
        found |= {key: item["value"] for key, item in compared.get(name, {}).items()}
        rows.append([name, *(found.get(key) for key in head)])
    return _table(["metric", *head.values()], rows) + _paragraph(note, "soft note")


def _plots(plots: Sequence[Plot]) -> str:
    figures = "".join(
        f"<figure><b>{plot.title}</b>{plot.svg}<figcaption>{plot.caption}</figcaption></figure>"
        for plot in plots
    )
    return f'<div class="plots">{figures}</div>'


def _classes(content: Content) -> str:
    if "confusion_matrix" not in content.group:
        return ""
    counts = content.group["confusion_matrix"].values()
    matrix = np.array([list(row.values()) for row in counts])
    columns = {"rows": matrix.sum(axis=1), "answered": matrix.sum(axis=0)} | per_class(matrix)
    head = ("rows", "answered", "precision", "recall", "f1")
    return _table(
        ["class", *head],
        [
            [name, *(columns[key][code].item() for key in head)]
            for code, name in enumerate(content.manifest.classes or [])
        ],
    )


def _slice(content: Content, found: Mapping[str, Any]) -> str:
    whole = (content.group.get(name, {}).get("value") for name in content.key)
    rows: list[list[Cell]] = [["all rows", content.rows, *whole]]
    marks, groups = ["all"], found["groups"]
    for group in groups[:_MOST_GROUPS]:
        value = "(missing)" if group["value"] is None else group["value"]
        rows.append([value, group["rows"], *(group["metrics"].get(name) for name in content.key)])
        marks.append("few" if group["few"] else "")
    note = "Pale groups have few rows: chance decides there. " if "few" in marks else ""
    if len(groups) > _MOST_GROUPS:
        note += f"The {_MOST_GROUPS} largest of {len(groups)}: slices.json has them all."
    table = _table([found["column"], "rows", *content.key], rows, marks)
    return (
        f"<details{' open' if len(groups) <= _OPEN_GROUPS else ''}><summary>"
        f"{escape(found['column'])}: {len(groups)} groups</summary>"
        f"{table}{_paragraph(note, 'note')}</details>"
    )


def _model(manifest: Manifest, parity: Mapping[str, Any]) -> str:
    engine = [parity["engine"]]
    if "agrees" in parity:
        relation = "agrees with" if parity["agrees"] else "DIFFERS FROM"
        difference = f"{parity['max_difference']:.3g} apart at most, {parity['tolerance']:.3g}"
        engine.append(f"{relation} native on {parity['rows']:,} rows: {difference} allowed")
    rows: list[list[Cell]] = [
        ["engine", ": ".join(filter(None, [*engine, parity["reason"]]))],
        ["artifact", manifest.artifact],
        ["feature contract", manifest.features],
        ["best round", manifest.best_iteration],
    ]
    for found in (manifest.hyperparameters, manifest.libraries):
        rows += [[name, str(value)] for name, value in sorted(found.items()) if value != ""]
    return _table([], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]], marks: Sequence[str] = ()) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(
        f'<tr class="{mark}">{"".join(f"<td>{_text(cell)}</td>" for cell in row)}</tr>'
        for row, mark in zip(rows, marks or [""] * len(rows), strict=True)
    )
    top = f"<thead><tr>{titles}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>{lines}</tbody></table></div>'


def _paragraph(text: str, style: str, title: str = "") -> str:
    return f'<p class="{style}">{f"<b>{escape(title)}</b> " if title else ""}{escape(text)}</p>'


def _text(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, float):
        size = abs(cell)
        return f"{cell:.4f}" if size < 10 else f"{cell:,.2f}" if size < 10_000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)
