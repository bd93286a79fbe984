"""`boostline contract-test`: what it takes, what it prints, how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from boostline.cli.main import app
from boostline.conformance.errors import ConformanceError
from boostline.conformance.suite import CHECKS
from tests.conformance.small import CONTAINER, lay_inputs


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["contract-test", *words], env={"COLUMNS": "200"})


def command(*faults: str) -> list[str]:
    return ["--", sys.executable, str(CONTAINER), ",".join(faults) or "none"]


@pytest.fixture
def processing(tmp_path: Path) -> str:
    lay_inputs(tmp_path)
    return str(tmp_path / "processing")


def test_all_holds(processing: str) -> None:
    result = run("--processing", processing, *command())
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert lines["processing.completes"].split() == ["processing.completes", "must", "holds"]
    assert "give --training" in lines["training.model"]
    assert result.stdout.splitlines()[-1].startswith("7 holds, 0 fails, ")


def test_a_failure_is_told_with_its_reason(processing: str) -> None:
    result = run("--json", "--processing", processing, *command("no reason"))
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [finding["check"] for finding in found] == [check.name for check in CHECKS]
    (failed,) = [finding for finding in found if finding["outcome"] == "fails"]
    assert failed["check"] == "processing.message"
    assert "/opt/ml/output/message" in failed["why"]
    assert failed["line"]


def test_what_was_not_tested_does_not_pass() -> None:
    result = run(*command())
    assert result.exit_code == 2
    assert "nothing could be checked: give --project" in result.output


def test_variables_reach_the_container(processing: str) -> None:
    words = ("--env", "SAGEMAKER_BASE_DIR=/no-such-folder", "--processing", processing, *command())
    result = run("--json", *words)
    assert result.exit_code == 1
    found = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert "/no-such-folder" in found["processing.completes"]["why"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--training", "nowhere"), "nowhere: is no folder"),
        (("--processing", str(Path(__file__).parents[1] / "conformance")), "holds no folder"),
    ],
)
def test_inputs_that_cannot_be_used(words: tuple[str, ...], told: str) -> None:
    result = run(*words, *command())
    assert isinstance(result.exception, ConformanceError)
    assert told in str(result.exception)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("[", "job.json: Expecting value"),
        ("[]", "Expected `object`, got `array`"),
        ('{"HyperParameters": {"rounds": 5}}', "$.HyperParameters[...]"),
        ('{"InputDataConfig": [{}]}', "`ChannelName` - at `$.InputDataConfig[0]`"),
        (
            '{"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "a", "Regex": "("}]}}',
            "Regex: missing )",
        ),
    ],
)
def test_a_request_that_cannot_be_used(tmp_path: Path, request_: str, told: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "job.json").write_text(request_)
    result = run("--training", str(tmp_path), *command())
    assert isinstance(result.exception, ConformanceError)
    assert told in str(result.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--env", "NAME"), "--env"),
        (("--model", "nowhere.tar.gz"), "--model"),
        (("--request", "nowhere.json"), "--request"),
    ],
)
def test_options_that_cannot_be_used(words: tuple[str, ...], told: str) -> None:
    result = run(*words, *command())
    assert result.exit_code == 2
    assert told in result.output


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    result = run("--model", str(tmp_path / "model.tar.gz"), *command())
    assert isinstance(result.exception, ConformanceError)
    assert "model.tar.gz" in str(result.exception)


def test_a_command_that_is_not_there() -> None:
    result = run("--model", str(CONTAINER), "--", "no-such-command-here", "serve")
    assert isinstance(result.exception, ConformanceError)
