"""The container's own programs keep the contract, with the churn project's own jobs."""

from __future__ import annotations

import functools
import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.programs import EXAMPLE
from boostline.cli.main import app
from boostline.conformance import bench, models
from boostline.conformance.bench import Limits
from tests.conformance.small import IMAGE, PATIENT, SEALED

pytestmark = pytest.mark.slow

MODELS = {check.name for check in models.CHECKS}  # it serves one
LEFT_OUT = {*IMAGE, *SEALED, *MODELS, "hosting.default-port"}


@pytest.mark.timeout(1_200)  # thirty programs, one after another: minutes, where others run too
def test_all_holds_for_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = functools.partial(Limits, ping=PATIENT.ping, connection=PATIENT.connection)
    monkeypatch.setattr(bench, "Limits", limits)
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "boostline.toml"
    file.write_text(
        file.read_text().replace("num_round = 500", "num_round = 60\ncheckpoint_rounds = 10")
    )
    words = ["contract-test", "--json", "--project", str(tmp_path), "--"]
    program = [sys.executable, "-m", "boostline.container"]
    result = CliRunner().invoke(app, [*words, *program])
    found = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert {name: f["why"] for name, f in found.items() if f["outcome"] == "fails"} == {}
    assert result.exit_code == 0
    assert {n for n, f in found.items() if f["outcome"] == "not applicable"} <= LEFT_OUT
