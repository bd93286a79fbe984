"""The definition against AWS's public JSON schema, less what that schema is known to omit."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from boostline.contracts.definition import encode
from boostline.pipeline.definition import Place, build
from boostline.project import file

ROOT = Path(__file__).parents[2]
VARIABLE = "PIPELINE_SCHEMA"  # the schema's file, which is AWS's and not in this repository
PLACE = Place(
    role="arn:aws:iam::000000000000:role/r",
    image="image",
    bucket="bucket",
    data_uri="s3://b/data",
    config_uri="s3://b/config",
    evaluation_uri="s3://b/evaluation",
    champion_uri="s3://b/champion",
    code={"train": "s3://b/code"},
)
Definitions = dict[str, Any]

pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no file")


def json_get_in_conditions(definitions: Definitions) -> None:
    function = {"type": "object", "required": ["Std:JsonGet"], "additionalProperties": False}
    function["properties"] = {
        "Std:JsonGet": {"type": "object", "required": ["PropertyFile", "Path"]}
    }
    definitions["BinaryCondition"]["properties"]["LeftValue"]["anyOf"].append(function)


def property_files(definitions: Definitions) -> None:
    members = ("PropertyFileName", "OutputName", "FilePath")
    item = {"type": "object", "required": list(members), "additionalProperties": False}
    item["properties"] = {member: {"type": "string"} for member in members}
    step = definitions["ProcessingStep"]["properties"]
    step["PropertyFiles"] = {"type": "array", "items": item}


def join_as_a_string(definitions: Definitions) -> None:
    reference = {"$ref": "#/definitions/JoinFunction"}
    definitions["StringArgumentValue"]["oneOf"].append(reference)


def members_of_join(definitions: Definitions) -> None:
    """The schema's own JoinFunction lacks a `properties` level: it refuses every member."""
    values = {"type": "array", "items": {"$ref": "#/definitions/StringArgumentValue"}}
    definitions["JoinFunction"]["properties"]["Std:Join"] = {
        "type": "object",
        "properties": {"On": {"type": "string"}, "Values": values},
        "required": ["Values"],
        "additionalProperties": False,
    }


def several_exception_types(definitions: Definitions) -> None:
    policy = definitions["RetryPolicy"]["properties"]
    policy["ExceptionType"] = {"type": "array", "items": policy["ExceptionType"]}


def enum_values_of_a_parameter(definitions: Definitions) -> None:
    parameter = definitions["StringParameter"]["properties"]
    parameter["EnumValues"] = {"type": "array", "items": {"type": "string"}}


def approval_status_of_a_package(definitions: Definitions) -> None:
    arguments = definitions["RegisterModelStep"]["properties"]["Arguments"]["properties"]
    arguments["ModelApprovalStatus"] = {"$ref": "#/definitions/StringArgumentValue"}


OMISSIONS: tuple[Callable[[Definitions], None], ...] = (
    json_get_in_conditions,
    property_files,
    join_as_a_string,
    members_of_join,
    several_exception_types,
    enum_values_of_a_parameter,
    approval_status_of_a_package,
)


def problems(amendments: tuple[Callable[[Definitions], None], ...]) -> list[str]:
    schema = copy.deepcopy(json.loads(Path(os.environ[VARIABLE]).read_text()))
    for amend in amendments:
        amend(schema["definitions"])
    config = file.read(ROOT / "examples/customer_churn")
    definition = json.loads(encode(build(config, PLACE)))
    validator = jsonschema.Draft7Validator(schema)
    return [error.message[:300] for error in validator.iter_errors(definition)]


def test_the_definition_fits_the_schema_less_its_omissions() -> None:
    assert problems(OMISSIONS) == []


@pytest.mark.parametrize("omission", OMISSIONS, ids=lambda omission: omission.__name__)
def test_each_omission_is_one(omission: Callable[[Definitions], None]) -> None:
    assert problems(tuple(other for other in OMISSIONS if other is not omission))
