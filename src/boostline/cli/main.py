"""The script `boostline`."""

from __future__ import annotations

import io
import sys

import typer

from boostline import __version__
from boostline.cli import (
    api,
    aws,
    conformance,
    data,
    deploy,
    doctor,
    logs,
    models,
    new,
    pipeline,
    platform,
    status,
)
from boostline.cli.failure import exit_code, sentence

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a table to a governed, accelerated prediction API: on this machine, and with the "
    "same files on Amazon SageMaker.",
)
for group in (
    new,
    platform,
    data,
    pipeline,
    models,
    aws,
    deploy,
    api,
    logs,
    status,
    doctor,
    conformance,
):
    group.add(app)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        typer.echo(f"boostline {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; known errors end it with one sentence and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a ✓ must not end a run where none can be shown
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        typer.secho(f"boostline: {sentence(error)}", fg=typer.colors.RED, err=True)
        sys.exit(code)
