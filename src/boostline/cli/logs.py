"""`boostline logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from boostline.cli import options
from boostline.cli.options import HERE, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.project.config import Config
    from boostline.project.target import Target


def logs(
    what: Annotated[
        str,
        typer.Argument(
            help="A step of the latest execution (Process, Train, …), `endpoint` or `function`."
        ),
    ],
    stage: Annotated[str, typer.Option("--stage", help="Of endpoint and function.")] = "staging",
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Print what a step, the endpoint or the function wrote."""
    from botocore.exceptions import ClientError

    from boostline.contracts.errors import BoostlineError
    from boostline.deploy.stage import name_of
    from boostline.project.target import of_stage

    config, target = options.open_both(project, on, folder)
    name = name_of(config, stage)
    places = {"endpoint": f"/aws/sagemaker/Endpoints/{name}", "function": f"/aws/lambda/{name}"}
    if what in places:
        target, group, prefix = of_stage(target, config, stage), places[what], ""
    else:
        group, prefix = _job(target, config, what)
    request = {"logGroupName": group, **({"logStreamNamePrefix": prefix} if prefix else {})}
    try:
        for page in target.client("logs").get_paginator("filter_log_events").paginate(**request):
            for event in page["events"]:
                typer.echo(event["message"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise BoostlineError(f"{group} has no lines: it has not run yet") from None


def _job(target: Target, config: Config, step: str) -> tuple[str, str]:
    """Return the log group of a step's job, and the prefix of its streams."""
    from boostline.contracts.errors import BoostlineError
    from boostline.pipeline import execution

    client = target.client("sagemaker")
    latest = client.list_pipeline_executions(
        PipelineName=config.name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["PipelineExecutionSummaries"]
    reached: list[dict[str, Any]] = []
    if latest:
        reached = execution.steps(client, latest[0]["PipelineExecutionArn"])
    for found in reached:
        job = execution.job_of(found)
        if found["StepName"] == step and job is not None:
            return job[0], f"{job[1]}/"
    names = ", ".join(found["StepName"] for found in reached) or "none"
    raise BoostlineError(f"the latest execution has no job of a step {step!r}; reached: {names}")


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)
