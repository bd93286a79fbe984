"""Selective execution: some steps run, what they need of the others comes from an earlier one."""

from __future__ import annotations

from graphlib import TopologicalSorter

from boostline.contracts.pipeline import dependencies
from boostline.local.engine.record import DONE, EXECUTION, Record, number_of
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid


def results(record: Record, selected: list[str], config: Document) -> dict[str, Document]:
    """Return the members of the steps whose results are taken over, by their names.

    Source: "Selective execution of pipeline steps" in the SageMaker guide. Raises `AwsError`
    if a step is not there, if one between two selected steps is left out, or if the source has no
    result of one that is needed.
    """
    needs = record.needs
    for name in selected:
        if name not in needs:
            raise invalid(f"SelectedSteps: the pipeline has no step {name!r}")
    behind: dict[str, set[str]] = {}
    for name in TopologicalSorter(needs).static_order():
        behind[name] = needs[name].union(*(behind[need] for need in needs[name]))
    for name in needs.keys() - set(selected):
        after = [step for step in selected if name in behind[step]]
        if after and (before := behind[name] & set(selected)):
            between = f"lies between {min(before)} and {after[0]}"
            raise invalid(f"SelectedSteps: step {name} {between}: select it, too")
    needed = set().union(*(dependencies(record.steps[name]) for name in selected)) - set(selected)
    return _reused(record, needed, config.get("SourcePipelineExecutionArn", "")) if needed else {}


def _reused(record: Record, needed: set[str], arn: str) -> dict[str, Document]:
    source = record.platform.resources.find(EXECUTION, number_of(arn))
    if source is None or source["PipelineArn"] != record.document["PipelineArn"]:
        names = ", ".join(sorted(needed))
        what = f"the selected steps need the results of {names}"
        raise invalid(f"{what}: SourcePipelineExecutionArn {arn!r} has to have them")
    if source["PipelineExecutionStatus"] not in DONE:
        raise invalid(f"SourcePipelineExecutionArn {arn}: it has not ended")
    known = Record(record.platform, source).documents()
    reused: dict[str, Document] = {}
    for name in sorted(needed):
        found = known.get(name, {})
        if found.get("StepStatus") != "Succeeded":
            raise invalid(f"SourcePipelineExecutionArn {arn}: step {name} did not succeed")
        reused[name] = {
            "StepStatus": "Succeeded",
            "EndTime": found["EndTime"],
            "Metadata": found.get("Metadata", {}),
            "SelectiveExecutionResult": {"SourcePipelineExecutionArn": arn},
        }
    return reused
