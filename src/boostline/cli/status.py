"""`boostline status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.project.config import Config
    from boostline.project.target import Target


def status(
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Show what the project has on its target: executions, versions, endpoints."""
    config, target = options.open_both(project, on, folder)
    found = _collect(target, config)
    if as_json:
        options.print_json(found)
        return
    for heading, rows in found.items():
        typer.echo(f"{heading}:" if rows else f"{heading}: none")
        for row in rows:
            typer.echo("  " + "  ".join(str(text) for text in row.values()))


def _collect(target: Target, config: Config) -> dict[str, list[dict[str, Any]]]:
    from boostline.deploy import registry

    client = target.client("sagemaker")
    try:
        executions = client.list_pipeline_executions(PipelineName=config.name, MaxResults=5)
    except client.exceptions.ResourceNotFound:  # no pipeline yet
        executions = {"PipelineExecutionSummaries": []}
    prefix = f"{config.name}--"
    pages = client.get_paginator("list_endpoints").paginate(NameContains=prefix)
    endpoints = [found for page in pages for found in page["Endpoints"]]
    return {
        "target": [{"name": target.name, "account": target.account, "region": target.region}],
        "executions": [
            {
                "id": found["PipelineExecutionArn"].rpartition("/")[2],
                "status": found["PipelineExecutionStatus"],
                "started": f"{found['StartTime']:%Y-%m-%d %H:%M:%S}",
            }
            for found in executions["PipelineExecutionSummaries"]
        ],
        "versions": [
            {"version": found["ModelPackageVersion"], "approval": found["ModelApprovalStatus"]}
            for found in registry.versions(target, config.name)
        ],
        "endpoints": [
            {"endpoint": found["EndpointName"], "status": found["EndpointStatus"]}
            for found in endpoints
            if found["EndpointName"].startswith(prefix)
        ],
    }


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)
