"""`boostline run` and `boostline pipeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options, sources
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.pipeline.execution import GateResult, Submission
    from boostline.project.config import Config
    from boostline.project.target import Target

# Of so many metrics, a person looks at these in the report.
QUIET = {
    "accuracy_best_constant_classifier",
    "au_prc",
    *(f"{truth}_{kind}_rate" for truth in ("true", "false") for kind in ("positive", "negative")),
    *(f"{prefix}{name}" for prefix in ("", "weighted_") for name in ("f0_5", "f2")),
}
group = typer.Typer(no_args_is_help=True, help="The pipeline, one act at a time.")
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of the execution."),
]
Module = Annotated[
    str | None,
    typer.Option("--module", help="A module whose get_pipeline(**kwargs) returns the pipeline."),
]
Execution = Annotated[
    str, typer.Argument(metavar="ID", help="The execution, as `run` prints it, or its ARN.")
]
Kwargs = Annotated[str, typer.Option("--kwargs", help="Arguments of get_pipeline, as JSON.")]
Name = Annotated[str | None, typer.Option("--name", help="The pipeline's name.")]
Role = Annotated[str | None, typer.Option("--role-arn", help="The role that the pipeline runs as.")]
Tags = Annotated[str, typer.Option("--tags", help="Further tags, as a JSON object.")]
Description = Annotated[str, typer.Option("--description", help="The pipeline's description.")]


def run(
    parameter: Parameters = None,
    champion: Annotated[
        bool,
        typer.Option(help="Compare with the approved version, where a gate asks for it."),
    ] = True,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Upload, update the pipeline, run it, and show its steps, metrics and gates.

    Ends with 1 if the execution fails, and says which metric missed which bound.
    """
    from boostline.pipeline import execution

    config, target = options.open_both(project, on, folder)
    pipeline, found = sources.of_project(config, target, sources.Given(champion=champion))
    execution.upsert(target, pipeline)
    found |= _parameters(parameter)
    _follow(config, target, execution.start(target, pipeline.name, found), as_json)


@group.command()
def definition(
    module: Module = None,
    kwargs: Kwargs = "{}",
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Print the pipeline definition (JSON, schema 2020-12-01); nothing is sent but the data."""
    given = sources.Given(module, kwargs)
    _, _, pipeline, _ = sources.open_pipeline(project, on, folder, given)
    typer.echo(pipeline.definition)


@group.command()
def upsert(
    module: Module = None,
    kwargs: Kwargs = "{}",
    name: Name = None,
    role_arn: Role = None,
    tags: Tags = "{}",
    description: Description = "",
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Create or update the pipeline."""
    given = sources.Given(module, kwargs, name, role_arn, tags, description)
    _, target, pipeline, _ = sources.open_pipeline(project, on, folder, given)
    _upsert(target, pipeline)
    typer.echo(pipeline.name)


@group.command("run")
def run_(
    module: Module = None,
    kwargs: Kwargs = "{}",
    name: Name = None,
    role_arn: Role = None,
    tags: Tags = "{}",
    description: Description = "",
    parameter: Parameters = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Create or update the pipeline, run it, and show its steps; the module may be your own."""
    from boostline.pipeline import execution

    given = sources.Given(module, kwargs, name, role_arn, tags, description)
    config, target, pipeline, found = sources.open_pipeline(project, on, folder, given)
    _upsert(target, pipeline)
    found |= _parameters(parameter)
    arn = execution.start(target, pipeline.name, found)
    _follow(None if module else config, target, arn, as_json)


@group.command()
def start(
    parameter: Parameters = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Start an execution of the pipeline as it is, and print its ARN."""
    from boostline.pipeline import execution

    config, target = options.open_both(project, on, folder)
    typer.echo(execution.start(target, config.name, _parameters(parameter)))


@group.command()
def wait(
    execution: Execution,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Follow an execution to its end, as `run` does."""
    config, target = options.open_both(project, on, folder)
    _follow(config, target, target.execution_arn(config.name, execution), as_json)


@group.command()
def stop(
    execution: Execution,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Stop an execution and its jobs."""
    import uuid

    config, target = options.open_both(project, on, folder)
    arn = target.execution_arn(config.name, execution)
    target.client("sagemaker").stop_pipeline_execution(
        PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex
    )
    typer.echo(f"stopping {arn}")


def _upsert(target: Target, pipeline: Submission) -> None:
    from boostline.pipeline import execution

    if not pipeline.name:
        raise typer.BadParameter("the module's pipeline has no name: say it", param_hint="--name")
    execution.upsert(target, pipeline)


def _parameters(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: expected NAME=VALUE", param_hint="--parameter")
        found[name] = value
    return found


def _follow(config: Config | None, target: Target, arn: str, as_json: bool) -> None:
    from boostline.cli.progress import follow
    from boostline.pipeline import execution

    described, steps = follow(target, arn, quiet=as_json)
    report = execution.evaluation(target, steps) if config else None
    page = execution.report_page(target, steps) if config else None
    values = execution.values(config, report) if config else {}
    results = execution.gates(config, report) if config and report is not None else []
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
                "report": page,
                "gates": [
                    {"gate": str(result.gate), "value": result.value, "holds": result.holds}
                    for result in results
                ],
                "modelPackageArn": package,
            }
        )
    else:
        _show(values, results)
        if page:
            typer.echo(f"report: {page}")
        if package:
            _say_registered(target, package)
    if not succeeded:
        for text in (reason, *(str(result) for result in results if not result.holds)):
            typer.secho(f"boostline: {text}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _show(values: dict[str, float], results: list[GateResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not values:
        return
    table = Table("metric", "value", "gate", "holds", box=None, pad_edge=False)
    gated = {result.gate.metric for result in results}
    for name, value in values.items():
        if name in QUIET and name not in gated:
            continue
        found = [result for result in results if result.gate.metric == name]
        bounds = "\n".join(str(result.gate) for result in found)
        holds = "\n".join("yes" if result.holds else "[red]no[/]" for result in found)
        table.add_row(name, f"{value:.4f}", bounds, holds)
    Console().print(table)


def _say_registered(target: Target, package: str) -> None:
    from boostline.deploy import registry

    name, version = package.split("/")[-2:]
    twin = registry.twin(target, package)
    same = f", the same artifact as version {twin}" if twin is not None else ""
    typer.echo(
        f"registered {name} version {version}{same}; next: boostline models approve {version}"
    )


def add(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command()(run)
    app.add_typer(group, name="pipeline")
