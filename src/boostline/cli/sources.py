"""Where a pipeline comes from: a project, or a module of the user's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from boostline.cli import options
from boostline.cli.options import TargetName

if TYPE_CHECKING:
    from boostline.pipeline.execution import Submission
    from boostline.project.config import Config
    from boostline.project.target import Target


class Given(NamedTuple):
    """What the command line says of a pipeline, in place of what the project says."""

    module: str | None = None
    kwargs: str = "{}"
    name: str | None = None
    role_arn: str | None = None
    tags: str = "{}"
    description: str = ""
    champion: bool = True


def open_pipeline(
    project: Path, on: TargetName, folder: Path | None, given: Given
) -> tuple[Config | None, Target, Submission, dict[str, str]]:
    """Return project, target, pipeline, and the parameters that are known already.

    A module needs no project; if there is one, its tags are the pipeline's too.
    """
    from boostline.project.file import FILE

    there = project.is_file() or (project / FILE).exists()
    config = options.open_project(project) if there or not given.module else None
    target = options.open_target(on, folder, config)
    if config is not None and not given.module:
        return config, target, *of_project(config, target, given)
    return config, target, of_module(config, target, given), {}


def of_project(config: Config, target: Target, given: Given) -> tuple[Submission, dict[str, str]]:
    """Upload a project's data and return its pipeline, with the parameters of a run."""
    from boostline.contracts.definition import encode
    from boostline.deploy import registry
    from boostline.pipeline import data
    from boostline.pipeline.definition import CHAMPION, build
    from boostline.pipeline.execution import Submission

    place = data.upload(config, target)
    found = {"InputDataUri": place.data_uri}
    if config.compares:
        champion = registry.latest_approved(target, config.name) if given.champion else None
        found[CHAMPION] = registry.model_uri(champion) if champion else place.champion_uri
    return Submission(
        name=given.name or config.name,
        definition=encode(build(config, place)),
        role=given.role_arn or target.role,
        tags=[*config.tagging, *_tags(given)],
        description=given.description or config.project.description,
        group=config.name,
    ), found


def of_module(config: Config | None, target: Target, given: Given) -> Submission:
    """Return the pipeline of a module of the user's own."""
    from boostline.pipeline import module
    from boostline.pipeline.execution import Submission

    # What the module makes with boto3 or an SDK acts on the same target as the command.
    os.environ.update(target.exports())
    found = module.load(given.module or "", _object("--kwargs", given.kwargs))
    return Submission(
        name=given.name or found.name or "",
        definition=found.definition,
        role=given.role_arn or target.role,
        tags=[*(config.tagging if config else ()), *_tags(given)],
        description=given.description,
    )


def _tags(given: Given) -> list[dict[str, str]]:
    found = _object("--tags", given.tags)
    return [{"Key": key, "Value": str(text)} for key, text in found.items()]


def _object(option: str, text: str) -> dict[str, object]:
    import typer

    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter("is not a JSON object", param_hint=option)
    return found
