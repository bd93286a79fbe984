"""Draw the last results against what they must reach: `python -m benchmarks.picture`.

The picture of the model server has its own file, since it has its own command.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.serving import TABLE

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
FURTHEST = 1.1  # where text starts, so that it stays in the picture


class Goal(NamedTuple):
    """A figure: where its result is, and the most (or least) that it may be."""

    title: str
    file: str
    path: tuple[str, ...]
    bound: float
    unit: str = "times"
    least: bool = False


GOALS = (
    Goal("record → features, against scikit-learn", "features", ("ratio",), 300, least=True),
    Goal("table: time a row, against scikit-learn", "process", ("ratios", "time a row"), 0.2),
    Goal("table: peak at 10 M rows, against scikit-learn", "process", ("ratios", "peak"), 0.2),
    Goal(
        "table: peak at 10 M rows, against 1 M",
        "process",
        ("ratios", "peak, ten times the rows"),
        1.3,
    ),
    Goal("training from Parquet, against bare XGBoost", "training", ("ratio_wall",), 1.1),
    Goal("five steps, against the programs by hand", "platform", ("ratio",), 1.15),
    Goal("second identical run", "platform", ("second_identical_run_s",), 1.5, "s"),
    Goal("idle platform: memory", "platform", ("idle_mib",), 150, "MiB"),
    Goal("idle platform: start", "platform", ("start_s",), 1.5, "s"),
    Goal(
        "body → row of features, against scikit-learn", "api", ("against_sklearn",), 100, least=True
    ),
    Goal("record over the API, against its parts", "api", ("ratio",), 2),
    Goal("record over the API, one connection", "api", ("api_ms",), 5, "ms"),
    Goal("function: first answer", "api", ("cold_start_ms",), 400, "ms"),
    Goal(
        "deployment under 200 requests/s: answered", "api", ("answered",), 1, "of all", least=True
    ),
)


def serving_goals() -> tuple[Goal, ...]:
    """Return what the model server must reach, as its benchmark's table has it."""
    return tuple(
        Goal(row.what, "serving", ("figures", name, "median"), row.required, row.unit, row.least)
        for name, row in TABLE.items()
    )


def measured(goal: Goal) -> float:
    """Return a goal's last result."""
    found = json.loads((HERE / f"results/{goal.file}.json").read_text())
    for name in goal.path:
        found = found[name]
    return float(found)


def main() -> None:
    """Draw both pictures."""
    draw(GOALS, DOCS / "benchmarks.svg")
    draw(serving_goals(), DOCS / "serving.svg")


def draw(goals: Sequence[Goal], picture: Path) -> None:
    """Draw one bar a figure, as its share of what is allowed."""
    mpl.rcParams.update({"svg.hashsalt": "boostline", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(9, 0.9 + 0.3 * len(goals)), layout="constrained")
    axes = figure.add_subplot()
    for place, goal in enumerate(reversed(goals)):
        value = measured(goal)
        share = goal.bound / value if goal.least else value / goal.bound
        axes.barh(place, share, color="#2f6db3" if share <= 1 else "#c2542d", height=0.6)
        sign = "≥" if goal.least else "≤"
        text = f" {value:.3g} {goal.unit} (must be {sign} {goal.bound:g})"
        axes.text(min(share, FURTHEST), place, text, va="center")
    axes.set_yticks(range(len(goals)), [goal.title for goal in reversed(goals)])
    axes.axvline(1, color="#555", linewidth=1)
    axes.set_xlim(0, 1.75)
    axes.set_xlabel("share of what is allowed")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, metadata={"Date": None})
    print(picture.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
