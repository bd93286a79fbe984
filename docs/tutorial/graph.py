"""Draw a pipeline definition as a Mermaid graph: from standard input to standard output."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

Step = dict[str, Any]
BRANCHES = {"IfSteps": "yes", "ElseSteps": "no"}
# A shape for each kind of step; what runs a job is a box.
SHAPES = {"Condition": ("{{", "}}"), "Fail": ("[/", "/]"), "RegisterModel": ("([", "])")}
READS = re.compile(r'"Get": "Steps\.([^.\[]+)')


def lines(steps: Sequence[Step]) -> Iterator[str]:
    """Give a line for each step, for what it reads of others, and for its branches."""
    for step in steps:
        opened, closed = SHAPES.get(step["Type"], ("[", "]"))
        name, arguments = step["Name"], step.get("Arguments", {})
        yield f"  {name}{opened}{name}{closed}"
        inner = {key: arguments.get(key, []) for key in BRANCHES}
        own = json.dumps({key: each for key, each in arguments.items() if key not in BRANCHES})
        for before in sorted({*READS.findall(own), *step.get("DependsOn", [])}):
            yield f"  {before} --> {name}"
        for key, answer in BRANCHES.items():
            yield from (f"  {name} -->|{answer}| {after['Name']}" for after in inner[key])
            yield from lines(inner[key])


if __name__ == "__main__":
    print("graph LR", *lines(json.load(sys.stdin)["Steps"]), sep="\n")
