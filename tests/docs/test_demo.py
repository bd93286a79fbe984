"""`make demo`: what is written for it alone."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path

DEMO = Path(__file__).parents[2] / "examples/customer_churn/demo.py"


def test_an_approval_deploys_from_a_checkout_whose_path_has_spaces() -> None:
    on_event = runpy.run_path(str(DEMO))["on_event"]
    program, project = Path("/a place/it's/boostline"), Path("/a place/churn")
    glob, _, command = on_event(program, project).partition("=")
    assert glob == "*:codepipeline:*"
    deployed = [str(program), "deploy", "staging", "--project", str(project)]
    assert shlex.split(command) == deployed
