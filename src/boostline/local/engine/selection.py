"""Selective execution: some steps run, what they need of the others comes from an earlier one."""

from __future__ import annotations

from collections.abc import Iterable

from boostline.contracts.pipeline import dependencies
from boostline.local.engine.record import EXECUTION, Record
from boostline.local.engine.work import Document


class ExecutionError(ValueError):
    """An execution that cannot run: the message names the step, and what to do."""


def reused(record: Record, selected: list[str], config: Document) -> dict[str, Document]:
    """Return the members of the steps whose results are taken over, by their names.

    Source: "Selective execution of pipeline steps" in the SageMaker guide.

    Raises
    ------
    ExecutionError
        If a step is not there, if one between two selected steps is left out, or if the source
        has no result of one that is needed.
    """
    needs = {name: _needs(record, name) for name in record.steps}
    for name in selected:
        if name not in needs:
            raise ExecutionError(f"SelectedSteps: the pipeline has no step {name!r}")
    behind = {name: _reach(needs, [name]) - {name} for name in needs}
    for name in needs.keys() - set(selected):
        after = [step for step in selected if name in behind[step]]
        before = behind[name] & set(selected)
        if after and before:
            between = f"lies between {min(before)} and {after[0]}"
            raise ExecutionError(f"SelectedSteps: step {name} {between}: select it, too")
    needed = set().union(*(dependencies(record.steps[name]) for name in selected)) - set(selected)
    return _results(record, needed, config.get("SourcePipelineExecutionArn", "")) if needed else {}


def _needs(record: Record, name: str) -> set[str]:
    branch = record.branches[name]
    return dependencies(record.steps[name]) | ({branch} if branch else set())


def _reach(needs: dict[str, set[str]], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += needs[name]
    return found


def _results(record: Record, needed: set[str], arn: str) -> dict[str, Document]:
    source = record.platform.resources.find(EXECUTION, arn.rpartition("/")[2])
    if source is None or source["PipelineArn"] != record.document["PipelineArn"]:
        names = ", ".join(sorted(needed))
        raise ExecutionError(
            f"SourcePipelineExecutionArn {arn!r}: the selected steps need the results of {names}: "
            "give an execution of this pipeline that has them"
        )
    if source["PipelineExecutionStatus"] not in ("Succeeded", "Failed", "Stopped"):
        raise ExecutionError(f"SourcePipelineExecutionArn {arn}: it has not ended")
    known = Record(record.platform, source).documents()
    results: dict[str, Document] = {}
    for name in sorted(needed):
        found = known.get(name, {})
        if found.get("StepStatus") != "Succeeded":
            raise ExecutionError(f"SourcePipelineExecutionArn {arn}: step {name} did not succeed")
        results[name] = {
            "StepStatus": "Succeeded",
            "EndTime": found["EndTime"],
            "Metadata": found.get("Metadata", {}),
            "SelectiveExecutionResult": {"SourcePipelineExecutionArn": arn},
        }
    return results
