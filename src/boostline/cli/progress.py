"""An execution's steps, live on a terminal and line by line elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from boostline.project.target import Target

PACE_SECONDS = {"local": 0.1, "aws": 5.0}
MARKS = {"Succeeded": "[green]✓[/]", "Failed": "[red]✗[/]", "Executing": "[cyan]▸[/]"}


def follow(target: Target, arn: str, quiet: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Show an execution until it is done; return its description and its steps.

    A line is printed when a step begins and when it ends.
    """
    from botocore.exceptions import ConnectionError as UnreachableError

    from boostline.pipeline import execution
    from boostline.project.target import TargetError

    console = Console(quiet=quiet, highlight=False)
    name = arn.rpartition("/")[2]
    console.print(f"execution {name}")
    shown: dict[str, str] = {}
    latest: tuple[dict[str, Any], list[dict[str, Any]]] = ({}, [])
    try:
        for latest in execution.watch(target, arn, PACE_SECONDS[target.name]):
            for step in latest[1]:
                if shown.get(step["StepName"]) != step["StepStatus"]:
                    shown[step["StepName"]] = step["StepStatus"]
                    console.print(_line(target, step), soft_wrap=True)
    except KeyboardInterrupt:
        typer.echo(
            f"interrupted; the execution goes on. To stop it: boostline pipeline stop {name}"
        )
        raise typer.Exit(130) from None
    except UnreachableError:
        raise TargetError(
            f"the target stopped answering; once it is there again: boostline pipeline wait {name}"
        ) from None
    return latest


def _line(target: Target, step: dict[str, Any]) -> str:
    from boostline.pipeline import execution

    status = step["StepStatus"]
    words = [f"  {MARKS.get(status, '·')} {step['StepName']:<22} {status}"]
    if "EndTime" in step and "StartTime" in step:
        words.append(f"{(step['EndTime'] - step['StartTime']).total_seconds():.1f} s")
    if "Condition" in step.get("Metadata", {}):
        words.append(f"outcome {step['Metadata']['Condition'].get('Outcome', '')}")
    if "EndTime" in step and (note := execution.cache_note(target, step)):
        words.append(f"[dim]{escape(note)}[/]")
    if "FailureReason" in step:
        words.append(f"[red]{escape(step['FailureReason'])}[/]")
    return "  ".join(words)
