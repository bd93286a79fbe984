"""`boostline contract-test`."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options
from boostline.cli.options import AsJson

if TYPE_CHECKING:
    from boostline.conformance.bench import Limits
    from boostline.conformance.inputs import Inputs, Request
    from boostline.conformance.subject import Subject
    from boostline.conformance.suite import Finding

STYLES = {"holds": "green", "fails": "red", "not applicable": "dim"}


def contract_test(
    subject: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|COMMAND",
            help="An image of Docker or Podman; or, after --, a command that takes 'train' and "
            "'serve' as the image would.",
        ),
    ],
    project: Annotated[
        Path | None,
        typer.Option("--project", "-p", help="Test with this project's own jobs and its model."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option("--training", help="A folder of channels; job.json beside them."),
    ] = None,
    processing: Annotated[
        Path | None,
        typer.Option("--processing", help="A folder of inputs; job.json beside them."),
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", help="A model.tar.gz.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="A body that the model answers with 200.")
    ] = None,
    content_type: Annotated[
        str, typer.Option("--content-type", help="What that body is.")
    ] = "application/json",
    variables: Annotated[
        list[str] | None, typer.Option("--env", help="NAME=VALUE for the container.")
    ] = None,
    multi_model: Annotated[
        bool, typer.Option("--multi-model", help="Test it as a container of many models too.")
    ] = False,
    start_timeout: Annotated[
        float, typer.Option("--start-timeout", help="Seconds until /ping must answer 200.")
    ] = 480,
    job_timeout: Annotated[
        float, typer.Option("--job-timeout", help="Seconds that a job may take.")
    ] = 3_600,
    as_json: AsJson = False,
) -> None:
    """Test a container against SageMaker's contract. Ends with 1 if a line of it fails."""
    from boostline.conformance.bench import Limits
    from boostline.conformance.inputs import Inputs, read_job
    from boostline.conformance.suite import examine

    found, limits = _subject(subject, variables or []), Limits(start=start_timeout, job=job_timeout)
    given = Inputs(
        training=read_job(training) if training else None,
        processing=read_job(processing) if processing else None,
        model=_file(model, "--model") if model else None,
        request=_request(request, content_type) if request else None,
        many=multi_model,
    )
    with tempfile.TemporaryDirectory(prefix="contract-test-") as folder:
        if project is not None:
            given = _with_project(project, given, found, limits, Path(folder))
        findings = _run(examine(found, given, limits))
    _print(findings, as_json=as_json)
    outcomes = {finding.outcome for finding in findings}
    if "fails" in outcomes:
        raise typer.Exit(1)
    if "holds" not in outcomes:
        raise typer.BadParameter(
            "nothing could be checked: give --project, or --training, --processing or --model"
        )


def _subject(words: Sequence[str], variables: Sequence[str]) -> Subject:
    """Take several words, or the name of a program, for a command; anything else for an image."""
    from boostline.conformance.command import Command
    from boostline.conformance.image import Image

    for text in variables:
        if "=" not in text:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--env")
    environment = dict(text.split("=", 1) for text in variables)
    if len(words) > 1 or shutil.which(words[0]):
        return Command(words, environment)
    return Image(words[0], environment)


def _file(path: Path, option: str) -> Path:
    if not path.is_file():
        raise typer.BadParameter(f"{path}: there is no such file", param_hint=option)
    return path


def _request(path: Path, content_type: str) -> Request:
    from boostline.conformance.inputs import Request

    return Request(_file(path, "--request").read_bytes(), content_type)


def _with_project(
    project: Path, given: Inputs, subject: Subject, limits: Limits, folder: Path
) -> Inputs:
    """Fill what was not given from a project."""
    from dataclasses import replace

    from boostline.cli import inputs
    from boostline.conformance.bench import Bench

    config = options.open_project(project)
    for name in ("jobs", "made"):
        (folder / name).mkdir()
    with Bench(subject, given, limits, folder / "jobs") as bench:
        made = inputs.of_project(config, bench, folder / "made")
    return replace(made, **{name: value for name, value in vars(given).items() if value})


def _run(findings: Iterator[Finding]) -> list[Finding]:
    """Take the findings as they come, and show the last one meanwhile."""
    from rich.console import Console

    taken = []
    with Console(stderr=True).status("starting") as status:
        for finding in findings:
            taken.append(finding)
            status.update(f"{finding.check.name}: {finding.outcome}")
    return taken


def _print(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        options.print_json(
            [
                {
                    "check": finding.check.name,
                    "level": finding.check.level,
                    "line": finding.check.line,
                    "outcome": finding.outcome,
                    "why": finding.why,
                }
                for finding in findings
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("check", "level", "outcome"):
        table.add_column(column, no_wrap=True)
    table.add_column("why")
    for finding in findings:
        outcome = Text(finding.outcome, STYLES[finding.outcome])
        table.add_row(finding.check.name, finding.check.level, outcome, Text(finding.why))
    console = Console()
    console.print(table)
    counted = Counter[str](finding.outcome for finding in findings)
    console.print(", ".join(f"{counted[outcome]} {outcome}" for outcome in STYLES))


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("contract-test")(contract_test)
