"""The container's own programs keep the contract, with the churn project's own jobs."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from benchmarks.programs import EXAMPLE
from boostline.cli.main import app
from boostline.conformance import models
from tests.conformance.small import IMAGE, SEALED

pytestmark = pytest.mark.slow

MODELS = {check.name for check in models.CHECKS}  # it serves one
LEFT_OUT = {*IMAGE, *SEALED, *MODELS, "hosting.default-port", "hosting.execution-parameters"}


def test_all_holds_for_the_programs() -> None:
    words = ["contract-test", "--json", "--project", str(EXAMPLE), "--"]
    program = [sys.executable, "-m", "boostline.container"]
    result = CliRunner().invoke(app, [*words, *program])
    found = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert {name: f["why"] for name, f in found.items() if f["outcome"] == "fails"} == {}
    assert result.exit_code == 0
    assert {n for n, f in found.items() if f["outcome"] == "not applicable"} <= LEFT_OUT
