"""`boostline deploy` and `boostline predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

Stage = Annotated[str, typer.Argument(help="The stage: part of the names of what it has.")]
STAGE = "staging"
Record = Annotated[
    Path | None,
    typer.Argument(
        help="A raw record as JSON, - for standard input. [default: sample_request.json]"
    ),
]


def deploy(
    stage: Stage = STAGE,
    version: Annotated[
        int | None, typer.Option("--version", help="An approved version. [default: the latest]")
    ] = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Deploy an approved version: endpoint, Lambda function and REST API."""
    from boostline.deploy import stage as stages

    config, target = options.open_both(project, on, folder)

    def report(text: str) -> None:
        if not as_json:
            typer.echo(f"  ▸ {text}")

    made = stages.deploy(target, config, stage, version, report)
    if as_json:
        options.print_json(
            {
                "stage": made.stage,
                "version": made.version,
                "endpoint": made.endpoint,
                "function": made.function,
                "url": made.api.url,
                "apiKey": made.api.key,
            }
        )
        return
    typer.echo(f"version {made.version} answers at {made.api.url}/predict")
    typer.echo("next: boostline api try")


def predict(
    record: Record = None,
    stage: Annotated[str, typer.Option("--stage", help="The stage.")] = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Ask the endpoint itself, past the REST API, to score raw records."""
    from boostline.deploy.stage import name_of

    config, target = options.open_both(project, on, folder)
    answer = target.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name_of(config, stage),
        Body=read_record(record or config.sample),
        ContentType="application/json",
        Accept="application/json",
    )
    typer.echo(answer["Body"].read().decode())


def read_record(record: Path) -> bytes:
    """Return the bytes of a request: of a file, or of standard input."""
    if str(record) == "-":
        return sys.stdin.buffer.read()
    try:
        return record.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{record}: {error.strerror}", param_hint="RECORD") from None


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(deploy)
    app.command()(predict)
