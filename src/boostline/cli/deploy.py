"""`boostline deploy` and `boostline predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.deploy.stage import Deployment
    from boostline.deploy.stage import Stage as DeployedStage

Stage = Annotated[str, typer.Argument(help="The stage, as boostline.toml has it.")]
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Bring a stage to an approved version, and test it: endpoint, function and REST API.

    A version that is there and has passed its test stays as it is. Ends with 4 if the version is
    not approved, or has not passed the stage before; with 6 if it fails its smoke test.
    """
    found = _stage(stage, project, on, folder, as_json)
    if not dry_run:
        _show(found.deploy(version), as_json)
        return
    plan = found.plan(version)
    if as_json:
        changes = [vars(change) for change in plan.changes]
        options.print_json({"version": plan.version, "changes": changes})
        return
    typer.echo(f"stage {stage} would come to version {plan.version}:")
    for change in plan.changes or ("nothing would change",):
        typer.echo(f"  {change}")


def rollback(
    stage: Stage = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Bring a stage back to the version that passed its test there before."""
    _show(_stage(stage, project, on, folder, as_json).rollback(), as_json)


def destroy(
    stage: Annotated[str, typer.Argument(help="The stage.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Remove all that a stage has; what it captured stays in the bucket."""
    found = _stage(stage, project, on, folder, quiet=False)
    if not yes:
        typer.confirm(f"remove stage {stage}, with its REST API and key?", abort=True)
    typer.echo(f"stage {stage} is removed" if found.destroy() else f"stage {stage} is not there")


def _stage(
    name: str, project: Project, on: TargetName, folder: Path | None, quiet: bool
) -> DeployedStage:
    from boostline.deploy import stage as stages

    config, target = options.open_both(project, on, folder)

    def report(text: str) -> None:
        if not quiet:
            typer.echo(f"  ▸ {text}")

    return stages.Stage(target, config, name, report)


def _show(made: Deployment, as_json: bool) -> None:
    if as_json:
        options.print_json(
            {
                "stage": made.stage,
                "version": made.version,
                "endpoint": made.endpoint,
                "function": made.function,
                "url": made.api.url,
                "apiKey": made.api.key,
                "smokeTest": str(made.outcome) if made.outcome else None,
            }
        )
        return
    if made.outcome is None:
        typer.echo(f"stage {made.stage} has version {made.version} already, and it passed its test")
    typer.echo(f"version {made.version} answers at {made.api.url}/predict")
    typer.echo(f"next: boostline api try --stage {made.stage}")


def predict(
    record: Record = None,
    stage: Annotated[str, typer.Option("--stage", help="The stage.")] = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Ask the endpoint itself, past the REST API, to score raw records."""
    from botocore.exceptions import ClientError

    from boostline.contracts.errors import BoostlineError
    from boostline.deploy.stage import name_of
    from boostline.project.target import of_stage

    config, home = options.open_both(project, on, folder)
    target = of_stage(home, config, stage)
    try:
        answer = target.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name_of(config, stage),
            Body=read_record(record or config.sample),
            ContentType="application/json",
            Accept="application/json",
        )
    except ClientError as error:
        if "not found" not in error.response["Error"]["Message"]:
            raise
        raise BoostlineError(
            f"no endpoint of stage {stage}: `boostline deploy {stage}` makes it"
        ) from None
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
    app.command()(rollback)
    app.command()(destroy)
    app.command()(predict)
