"""`boostline new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from boostline.project.delivery import PLACES, Delivery


def new(
    name: Annotated[str, typer.Argument(help="The project's name, and its folder's.")],
    data: Annotated[Path, typer.Option("--data", help="CSV or Parquet: a file, or a folder.")],
    label: Annotated[str, typer.Option("--label", "--target", help="The column to predict.")],
    delivery: Annotated[
        Delivery, typer.Option("--ci", help="Whose files are written that bring it to production.")
    ] = Delivery.GITHUB,
) -> None:
    """Make a project of a table, with the columns' roles guessed."""
    from boostline.project import file, scaffold

    folder = Path(name)
    guess = scaffold.create(folder, folder.name, data, label, delivery)
    for role, columns in guess.roles.items():
        typer.echo(f"{role:<12} {len(columns):>4}  {', '.join(columns[:8])}")
    typer.echo(f"{guess.objective:<12}       {label}: {guess.why}")
    typer.echo(f"each guess is explained in {folder / file.FILE}")
    for place in PLACES[delivery]:
        typer.echo(f"{folder / place} brings it to production (docs/aws.md)")
    typer.echo(f"next: boostline up (in another terminal), then boostline run --project {folder}")


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(new)
