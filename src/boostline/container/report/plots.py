"""Plots of a model's scores as SVG: the same bytes for the same scores, text as text."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn import metrics as sk

from boostline.container.metrics import answers, confusion, thinned

Array = NDArray[Any]
Axes = Any
Curve = Callable[[Array, Array], tuple[Array, ...]]

# A page that defines the variables gives the plots its colours; a file alone has these.
_INK, _RULE, _MAIN, _SECOND, _PAPER = "#1d2733", "#c9d1da", "#2468b4", "#d9622b", "#fdfdfe"
_VARIABLES = {_INK: "ink", _RULE: "rule", _MAIN: "main", _SECOND: "second"}
_MORE = ("#3c9a6a", "#a05bb5", "#c49a1a", "#3aa3b5", "#c2477f", "#7a8694", "#8a6d3b", "#5a6bd8")
_LINES = (_MAIN, _SECOND, *_MORE)
_DASHED: Any = {"color": _INK, "linewidth": 0.8, "linestyle": (0, (4, 3))}
_STYLE: Any = {
    **{f"axes.{name}": False for name in ("spines.right", "spines.top")},
    **dict.fromkeys(("axes.axisbelow", "axes.grid", "figure.constrained_layout.use"), True),
    **{f"{name}.color": _INK for name in ("text", "xtick", "ytick")},
    **{f"{name}.labelcolor": _INK for name in ("axes", "legend")},
    **dict.fromkeys(("axes.edgecolor", "grid.color"), _RULE),
    "font.size": 9,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.parse_math": False,
}
_BINS, _CELLS, _FEATURES, _POINTS = 10, 12, 15, 250


@dataclass(frozen=True)
class Scored:
    """Rows as :func:`boostline.container.metrics.measure` has them, and the weights of features.

    ``classes`` are the names of the codes, None for regression; ``unit`` says in words what the
    weights are.
    """

    labels: Array
    scores: Array
    threshold: float | None
    classes: list[str] | None
    weights: Mapping[str, float]
    unit: str

    @property
    def names(self) -> list[str]:
        """The classes; none for regression."""
        return self.classes or []

    def one_against_rest(self) -> Iterator[tuple[str, Array, Array]]:
        """Give name, 0/1 labels and probabilities of each class, of a binary model the last one.

        A class that no row has, or every row, is left out; so are all after the tenth.
        """
        columns = self.scores if self.scores.ndim == 2 else self.scores[:, None]
        first = len(self.names) - columns.shape[1]
        for code, name in list(enumerate(self.names))[first : first + len(_LINES)]:
            own = (self.labels == code).astype(np.int64)
            if 0 < own.sum() < len(own):
                yield name, own, columns[:, code - first]


Draw = Callable[[Axes, Scored], None]


@dataclass(frozen=True)
class Plot:
    """A drawn plot."""

    name: str
    title: str
    caption: str
    svg: str


def draw(objective: str, scored: Scored) -> list[Plot]:
    """Draw the plots of an objective; those that the rows have nothing for are left out."""
    plots = []
    for name in PLOTS[objective]:
        title, caption, function = _KINDS[name]
        # The salt keeps the ids of two plots in one page apart.
        with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
            figure = Figure(figsize=(4.6, 3.4))
            axes = figure.add_subplot()
            function(axes, scored)
            if len(axes.get_legend_handles_labels()[0]) > 1:
                axes.legend()
            if axes.has_data():
                plots.append(Plot(name, title, caption, _svg(figure, title)))
    return plots


def _svg(figure: Figure, title: str) -> str:
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-z.A-Z0-9]+_\d+"', "", text)  # not unique in a page, and not needed
    text = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable}, {colour})")
    paper = f'style="background: var(--paper, {_PAPER})"'
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" {paper} ', 1)


def _curves(curve: Curve, x: str, y: str, *, diagonal: bool = True, **style: Any) -> Draw:
    """Draw a line for each class."""

    def drawn(axes: Axes, scored: Scored) -> None:
        for place, (name, own, scores) in enumerate(scored.one_against_rest()):
            points = map(thinned, curve(own, scores))
            axes.plot(*points, color=_LINES[place], label=_visible(name), **style)
        if diagonal and axes.has_data():
            axes.plot([0, 1], [0, 1], **_DASHED)
        axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))

    return drawn


def _visible(name: str) -> str:
    return f" {name}"  # matplotlib hides a label that begins with an underscore


def _calibrated(own: Array, scores: Array) -> tuple[Array, ...]:
    bins = np.array_split(np.argsort(scores, kind="stable"), min(_BINS, len(scores)))
    return tuple(np.array([values[rows].mean() for rows in bins]) for values in (scores, own))


def _confusion(axes: Axes, scored: Scored) -> None:
    names = scored.names
    matrix = confusion(scored.labels, answers(scored.scores, scored.threshold), len(names))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for (actual, answered), share in np.ndenumerate(shares):
        cell = mpl.patches.Rectangle((answered - 0.5, actual - 0.5), 1, 1, facecolor=_MAIN)
        cell.set(alpha=0.04 + 0.66 * float(share), linewidth=0)
        axes.add_patch(cell)
        if len(names) <= _CELLS:
            count = f"{matrix[actual, answered]:,}"
            axes.text(answered, actual, count, ha="center", va="center")
    short = [name if len(name) <= 16 else name[:15] + "…" for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90 if len(names) > 4 else 0)
    axes.set_yticks(range(len(names)), short)
    axes.grid(visible=False)
    limit = len(names) - 0.5
    axes.set(xlabel="answered", ylabel="actual", xlim=(-0.5, limit), ylim=(limit, -0.5))


def _scores(axes: Axes, scored: Scored) -> None:
    if scored.scores.ndim == 2:
        right = answers(scored.scores, None) == scored.labels
        best = scored.scores.max(axis=1)
        groups, label = {"right": best[right], "wrong": best[~right]}, "score of the answer"
    else:
        codes = enumerate(scored.names)
        groups = {name: scored.scores[scored.labels == code] for code, name in codes}
        label = "score"
    _bars(axes, groups, np.linspace(0, 1, 41))
    if scored.threshold is not None:
        axes.axvline(scored.threshold, **_DASHED)
    axes.set(xlabel=label, ylabel="share of its group")


def _importance(axes: Axes, scored: Scored) -> None:
    chosen = sorted(scored.weights.items(), key=lambda item: -item[1])[:_FEATURES][::-1]
    axes.barh(range(len(chosen)), [weight for _, weight in chosen], color=_MAIN, height=0.7)
    axes.set_yticks(range(len(chosen)), [name for name, _ in chosen])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(scored.unit)


def _predictions(axes: Axes, scored: Scored) -> None:
    rows = np.linspace(0, len(scored.labels) - 1, min(len(scored.labels), _POINTS)).astype(int)
    actual, predicted = scored.labels[rows], scored.scores[rows]
    axes.scatter(actual, predicted, s=9, color=_MAIN, alpha=0.55, linewidths=0)
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, **_DASHED)
    axes.set(xlabel="actual", ylabel="predicted")


def _residuals(axes: Axes, scored: Scored) -> None:
    errors = scored.scores - scored.labels
    largest = float(np.abs(errors).max()) or 1.0
    _bars(axes, {"": errors}, np.linspace(-largest, largest, 42))
    axes.set(xlabel="predicted - actual", ylabel="share of the rows")


def _bars(axes: Axes, groups: Mapping[str, Array], edges: Array) -> None:
    for place, (name, values) in enumerate(groups.items()):
        if len(values):
            shares = np.histogram(values, edges)[0] / len(values)
            style = {"color": _LINES[place], "alpha": 0.5, "label": _visible(name)}
            axes.stairs(shares, edges, fill=True, **style)


_KINDS: Mapping[str, tuple[str, str, Draw]] = {
    "confusion": ("Confusion", "Rows by class; the shade is the share of its line.", _confusion),
    "roc": (
        *("ROC", "A class against the rest; the dashed line is chance."),
        _curves(
            lambda own, scores: sk.roc_curve(own, scores)[:2],
            *("false positive rate", "true positive rate"),
        ),
    ),
    "precision_recall": (
        *("Precision and recall", "What a lower or a higher threshold would cost."),
        _curves(
            lambda own, scores: sk.precision_recall_curve(own, scores)[1::-1],
            *("recall", "precision"),
            diagonal=False,
        ),
    ),
    "calibration": (
        *("Calibration", "Ten equal groups of rows by score; on the line, a score is a rate."),
        _curves(_calibrated, "mean score", "share of the class", marker="o", markersize=4),
    ),
    "scores": ("Scores", "How they are spread; the dashed line is the threshold.", _scores),
    "predictions": ("Predictions", "At most 250 rows; on the line, they are exact.", _predictions),
    "residuals": ("Residuals", "How far the predictions are off.", _residuals),
    "importance": ("Importance", "The features that move the scores most.", _importance),
}
_CLASSES = ("confusion", "roc", "precision_recall", "calibration", "scores", "importance")
PLOTS: Mapping[str, tuple[str, ...]] = {
    "binary": _CLASSES,
    "multiclass": _CLASSES,
    "regression": ("predictions", "residuals", "importance"),
}
