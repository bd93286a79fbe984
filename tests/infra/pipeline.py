"""What must lead where in pipeline.yaml, and what its builds run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from boostline.project.delivery import FOLDER
from tests.infra.names import attribute, same, trusts
from tests.infra.rendering import Json, Rendered

KINDS = [
    {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    for category, provider in (
        ("Source", "CodeStarSourceConnection"),
        ("Build", "CodeBuild"),
        ("Approval", "Manual"),
    )
]
# https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
VERSION = "#{variables.VERSION}"


def problems(it: Rendered) -> Iterator[str]:
    there = {"BuildLog", "Build", "BuildRole", "PipelineRole", "Training", "Delivery"}
    yield from same("resources", set(it.resources), there)
    build = it.resources["Build"].properties
    yield from same("build's role", build["ServiceRole"], attribute(it, "BuildRole", "Arn"))
    yield from same(
        "build's log", build["LogsConfig"]["CloudWatchLogs"]["GroupName"], "/aws/codebuild/churn"
    )
    yield from trusts(it.resources["BuildRole"].properties, "codebuild")
    yield from trusts(it.resources["PipelineRole"].properties, "codepipeline")
    policy = it.parameters["DeployerPolicyArn"]
    yield from same(
        "build's policy", it.resources["BuildRole"].properties["ManagedPolicyArns"], [policy]
    )
    yield from same("build's commands", build["Source"]["BuildSpec"], "buildspec.yml")
    yield from same(
        "build's target",
        build["Environment"]["EnvironmentVariables"],
        [{"Name": "BOOSTLINE_TARGET", "Value": "aws"}],
    )
    for name, push in (("Training", "true"), ("Delivery", "false")):
        pipeline = it.resources[name].properties
        yield from same("role", pipeline["RoleArn"], attribute(it, "PipelineRole", "Arn"))
        yield from same("store", pipeline["ArtifactStore"]["Location"], it.parameters["Bucket"])
        yield from same("push", _source(pipeline)["DetectChanges"], push)
        yield from _stages(pipeline, it)
    commands = [
        each
        for name in ("Training", "Delivery")
        for each in _commands(it.resources[name].properties)
    ]
    jobs = workflow()
    expected = [{"BOOSTLINE_TARGET": "local", "COMMANDS": jobs["test"]}]
    expected += [{"COMMANDS": jobs[name]} for name in ("images", "pipeline")]
    given = {"VERSION": VERSION}
    expected += [given | {"COMMANDS": jobs["staging"]}, given, given | {"COMMANDS": jobs["prod"]}]
    yield from same("commands", commands, expected)
    yield from same("no version", it.resources["Training"].properties.get("Variables"), None)
    (variable,) = it.resources["Delivery"].properties["Variables"]
    yield from same("variable", variable, {**variable, "Name": "VERSION"})
    if variable.keys() != {"Name", "Description"} or variable["Description"].count(" ") < 3:
        yield f"an execution starts with a version that somebody named, not {variable}"


def _source(pipeline: Json) -> Json:
    found: Json = pipeline["Stages"][0]["Actions"][0]["Configuration"]
    return found


def _stages(pipeline: Json, it: Rendered) -> Iterator[str]:
    known = {
        "ConnectionArn": "ConnectionArn",
        "FullRepositoryId": "Repository",
        "BranchName": "Branch",
    }
    for member, parameter in known.items():
        yield from same(member, _source(pipeline).get(member), it.parameters[parameter])
    made: set[str] = set()
    words = [each["Name"] for each in pipeline["Stages"]]
    words += [each["Name"] for stage in pipeline["Stages"] for each in stage["Actions"]]
    if not all(re.fullmatch("[A-Z][A-Za-z]+", word) for word in words):
        yield f"{words} are no names"
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            if not {each["Name"] for each in action.get("InputArtifacts", [])} <= made:
                yield f"{stage['Name']} takes what no stage before it made"
            if action["ActionTypeId"] not in KINDS:
                yield f"{action['ActionTypeId']} is no kind of ours"
            if action["ActionTypeId"]["Provider"] == "CodeBuild":
                yield from same("input", action.get("InputArtifacts"), [{"Name": "Source"}])
                yield from same(
                    "build", action["Configuration"]["ProjectName"], it.resources["Build"].physical
                )
            made |= {each["Name"] for each in action.get("OutputArtifacts", [])}
    names = [stage["Name"] for stage in pipeline["Stages"]]
    if names[0] != "Source" or len({*names}) < len(names) or made != {"Source"}:
        yield f"stages are {names}"


def workflow() -> dict[str, str]:
    """Return the commands of each job of GitHub's workflow, which are to be the same."""
    jobs = yaml.safe_load((FOLDER / "github.yml").read_text())["jobs"]
    lines = {
        name: [step["run"] for step in job["steps"] if "boostline" in step.get("run", "")]
        for name, job in jobs.items()
    }
    return {name: "\n ".join(found) for name, found in lines.items()}


def _commands(pipeline: Json) -> Iterator[dict[str, str]]:
    for stage in pipeline["Stages"][1:]:
        for action in stage["Actions"]:
            kind = action["ActionTypeId"]
            given = action["Configuration"].get("EnvironmentVariables")
            if kind["Category"] == "Approval":
                said = action["Configuration"]["CustomData"]
                yield {"VERSION": VERSION} if VERSION in said and said.count(" ") > 3 else {}
            elif kind["Category"] == "Build":
                yield {each["name"]: each["value"] for each in json.loads(given)}
