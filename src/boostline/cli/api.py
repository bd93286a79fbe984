"""`boostline api`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options
from boostline.cli.deploy import STAGE, Record, read_record
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.deploy.api import RestApi
    from boostline.project.config import Config
    from boostline.project.target import Target

group = typer.Typer(no_args_is_help=True, help="The REST API.")
TIMEOUT_SECONDS = 30


@group.command()
def show(
    stage: Annotated[str, typer.Option("--stage", help="The stage.")] = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Show where the REST API answers, and its key."""
    config, target = options.open_both(project, on, folder)
    found = _find(config, target, stage)
    if as_json:
        options.print_json({"url": found.url, "apiKey": found.key})
    else:
        typer.echo(f"url  {found.url}\nkey  {found.key}")


@group.command("try")
def try_(
    record: Record = None,
    stage: Annotated[str, typer.Option("--stage", help="The stage.")] = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Send a raw record to the REST API as any client would, and show the curl command for it.

    Ends with 1 if the answer is not 200.
    """
    import urllib3

    from boostline.contracts.errors import BoostlineError

    config, target = options.open_both(project, on, folder)
    found = _find(config, target, stage)
    body = read_record(record or config.sample)
    url = f"{found.url}/predict"
    headers = {"content-type": "application/json", "x-api-key": found.key}
    typer.echo(_curl(url, headers, record or config.sample), err=True)
    try:
        answer = urllib3.request(
            "POST", url, body=body, headers=headers, timeout=TIMEOUT_SECONDS, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise BoostlineError(f"{url}: {error}") from None
    text = answer.data.decode(errors="replace")
    typer.echo(text)
    if answer.status != 200:
        where = answer.headers.get("x-validation-error", "")
        typer.echo(f"HTTP {answer.status} {where}".rstrip(), err=True)
        raise typer.Exit(1)


@group.command()
def schema(
    stage: Annotated[str, typer.Option("--stage", help="The stage.")] = STAGE,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
) -> None:
    """Print the REST API as OpenAPI 3.1 with examples, for Postman and other clients."""
    import json

    from boostline.deploy import openapi, registry
    from boostline.deploy import stage as stages

    config, target = options.open_both(project, on, folder)
    found = stages.Stage(target, config, stage)
    api, version = _there(found.api(), stage), found.version()
    package = registry.version(target, config.name, version)
    with stages.opened(target, package) as artifact:
        sample = artifact.golden.records[0].record
        if config.sample.exists():
            sample = json.loads(read_record(config.sample))
        name = stages.name_of(config, stage)
        document = openapi.client_document(name, artifact.contract, api.url, sample)
    options.print_json(document)


def _find(config: Config, target: Target, stage: str) -> RestApi:
    from boostline.deploy.stage import Stage

    return _there(Stage(target, config, stage).api(), stage)


def _there(found: RestApi | None, stage: str) -> RestApi:
    from boostline.contracts.errors import BoostlineError

    if found is None:
        raise BoostlineError(f"no REST API of stage {stage}: `boostline deploy {stage}` makes it")
    return found


def _curl(url: str, headers: dict[str, str], record: Path) -> str:
    flags = [part for name, text in headers.items() for part in ("-H", f"{name}: {text}")]
    return shlex.join(["curl", *flags, "--data-binary", f"@{record}", url])


def add(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="api")
