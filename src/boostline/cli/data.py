"""`boostline data`."""

from __future__ import annotations

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

group = typer.Typer(no_args_is_help=True, help="The project's table in S3.")


@group.command()
def upload(
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Store the table and the configuration under the digests of their contents."""
    from boostline.pipeline import data

    config, target = options.open_both(project, on, folder)
    place = data.upload(config, target)
    if as_json:
        options.print_json({"data": place.data_uri, "config": place.config_uri})
    else:
        typer.echo(place.data_uri)


def add(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="data")
