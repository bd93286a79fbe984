"""`boostline run` and `boostline pipeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.pipeline.definition import Place
    from boostline.pipeline.execution import GateResult
    from boostline.project.config import Config
    from boostline.project.target import Target

group = typer.Typer(no_args_is_help=True, help="The pipeline, one act at a time.")
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of the execution."),
]


def run(
    parameter: Parameters = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Upload, update the pipeline, run it, and show its steps, metrics and gates.

    Ends with 1 if the execution fails, and says which metric missed which bound.
    """
    from boostline.pipeline import execution

    config = options.open_project(project)
    target = options.open_target(on, folder, config)
    place = _upsert(config, target)
    arn = execution.start(target, config.name, _parameters(place, parameter))
    _follow(config, target, arn, as_json)


@group.command()
def definition(project: Project = HERE, on: On = TargetName.LOCAL, folder: Dir = None) -> None:
    """Print the pipeline definition (JSON, schema 2020-12-01); nothing is sent but the data."""
    from boostline.contracts.pipeline import encode
    from boostline.pipeline import data
    from boostline.pipeline.definition import build

    config = options.open_project(project)
    place = data.upload(config, options.open_target(on, folder, config))
    typer.echo(encode(build(config, place)))


@group.command()
def upsert(project: Project = HERE, on: On = TargetName.LOCAL, folder: Dir = None) -> None:
    """Create or update the pipeline."""
    config = options.open_project(project)
    _upsert(config, options.open_target(on, folder, config))
    typer.echo(config.name)


@group.command()
def start(
    parameter: Parameters = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Start an execution of the pipeline as it is, and print its ARN."""
    from boostline.pipeline import execution

    config = options.open_project(project)
    target = options.open_target(on, folder, config)
    typer.echo(execution.start(target, config.name, _parameters(None, parameter)))


@group.command()
def wait(
    execution: Annotated[str, typer.Argument(metavar="ARN", help="The execution's ARN.")],
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Follow an execution to its end, as `run` does."""
    config = options.open_project(project)
    _follow(config, options.open_target(on, folder, config), execution, as_json)


def _upsert(config: Config, target: Target) -> Place:
    from boostline.pipeline import data, execution
    from boostline.pipeline.definition import build

    place = data.upload(config, target)
    execution.upsert(target, config, build(config, place))
    return place


def _parameters(place: Place | None, given: list[str] | None) -> dict[str, str]:
    found = {} if place is None else {"InputDataUri": place.data_uri}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: expected NAME=VALUE", param_hint="--parameter")
        found[name] = value
    return found


def _follow(config: Config, target: Target, arn: str, as_json: bool) -> None:
    from boostline.cli.progress import follow
    from boostline.pipeline import execution

    described, steps = follow(target, arn, quiet=as_json)
    report = execution.evaluation(target, steps)
    values = execution.values(config, report)
    results = execution.gates(config, values) if report is not None else []
    package = execution.registered(steps)
    succeeded = described["PipelineExecutionStatus"] == "Succeeded"
    reason = described.get("FailureReason", "")
    if as_json:
        options.print_json(
            {
                "execution": arn,
                "status": described["PipelineExecutionStatus"],
                "failureReason": reason or None,
                "steps": steps,
                "metrics": values,
                "gates": [
                    {"gate": str(result.gate), "value": result.value, "holds": result.holds}
                    for result in results
                ],
                "modelPackageArn": package,
            }
        )
    else:
        _show(values, results, package)
    if not succeeded:
        for text in (reason, *(str(result) for result in results if not result.holds)):
            typer.secho(f"boostline: {text}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _show(values: dict[str, float], results: list[GateResult], package: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if values:
        table = Table("metric", "value", "gate", "holds", box=None, pad_edge=False)
        for name, value in values.items():
            found = [result for result in results if result.gate.metric == name]
            bounds = "\n".join(str(result.gate) for result in found)
            holds = "\n".join("yes" if result.holds else "[red]no[/]" for result in found)
            table.add_row(name, f"{value:.4f}", bounds, holds)
        console.print(table)
    if package:
        group, version = package.split("/")[-2:]
        console.print(
            f"registered [bold]{group}[/] version [bold]{version}[/]; "
            f"next: boostline models approve {version}",
            highlight=False,
        )


def add(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command()(run)
    app.add_typer(group, name="pipeline")
