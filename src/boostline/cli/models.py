"""`boostline models`: the registry."""

from __future__ import annotations

from typing import Annotated

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

group = typer.Typer(no_args_is_help=True, help="The registered versions, and their approval.")
NONE = "none"
Version = Annotated[int | None, typer.Argument(help="The version. [default: the newest]")]
Reason = Annotated[str, typer.Option("--reason", help="Why, to be kept with the version.")]


@group.command("list")
def list_(
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """List the versions, newest first."""
    from rich.console import Console
    from rich.table import Table

    from boostline.deploy import registry

    config, target = options.open_both(project, on, folder)
    found = registry.versions(target, config.name)
    if as_json:
        options.print_json(found)
        return
    if not found:
        typer.echo(f"{config.name} has no version yet: `boostline run` registers one")
        return
    table = Table("version", "approval", "registered", box=None, pad_edge=False)
    for item in found:
        when = f"{item['CreationTime']:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(item["ModelPackageVersion"]), item["ModelApprovalStatus"], when)
    Console().print(table)


@group.command()
def show(
    version: Version = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Show a version with the metrics that it was registered with."""
    from boostline.deploy import registry
    from boostline.pipeline import execution

    config, target = options.open_both(project, on, folder)
    found = registry.version(target, config.name, version)
    quality = found.get("ModelMetrics", {}).get("ModelQuality", {})
    uri = quality.get("Statistics", {}).get("S3Uri")  # a version that others registered has none
    values = execution.values(config, execution.read_json(target, uri) if uri else None)
    if as_json:
        found.pop("ResponseMetadata", None)
        options.print_json({**found, "metrics": values})
        return
    (container, *_) = found.get("InferenceSpecification", {}).get("Containers", [{}])
    rows = {
        "version": f"{config.name}/{found['ModelPackageVersion']}",
        "approval": " ".join([found["ModelApprovalStatus"], found.get("ApprovalDescription", "")]),
        "registered": f"{found['CreationTime']:%Y-%m-%d %H:%M:%S}",
        "artifact": container.get("ModelDataUrl", NONE),
        "image": container.get("Image", NONE),
        "evaluation": uri or NONE,
        **{name: f"{value:.4f}" for name, value in values.items()},
    }
    for name, text in rows.items():
        typer.echo(f"{name:<11} {text}")


@group.command()
def approve(
    version: Version = None,
    reason: Reason = "",
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Approve a version: only approved ones are deployed."""
    _decide("Approved", version, reason, project, on, folder)


@group.command()
def reject(
    version: Version = None,
    reason: Reason = "",
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Reject a version: what is under way to a stage with it is taken back."""
    _decide("Rejected", version, reason, project, on, folder)


def _decide(
    status: str, version: int | None, reason: str, project: Project, on: On, folder: Dir
) -> None:
    from boostline.deploy import registry
    from boostline.deploy.stage import Stage

    config, target = options.open_both(project, on, folder)
    package = registry.version(target, config.name, version)
    registry.decide(target, package, status, reason)
    number = int(package["ModelPackageVersion"])
    typer.echo(f"{config.name} version {number} is {status}")
    if status == "Rejected":
        for stage in config.stages:
            Stage(target, config, stage, typer.echo).withdraw(number)


def add(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="models")
