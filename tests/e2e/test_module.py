"""A pipeline of the user's own, from a module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.line import Line

pytestmark = pytest.mark.slow
MODULE = """
import json, pathlib

def get_pipeline(definition, fail_with):
    found = json.loads(pathlib.Path(definition).read_text())
    found["Steps"] = [
        {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": fail_with}}
    ]
    return found
"""


def test_a_modules_pipeline_runs_under_its_name_with_its_tags(line: Line, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "definition.json").write_text(line.run("pipeline", "definition").stdout)
    kwargs = json.dumps({"definition": "definition.json", "fail_with": "said by the module"})
    arguments = ("--module", "mine", "--kwargs", kwargs)
    printed = line.run("pipeline", "definition", *arguments, project=tmp_path).stdout
    assert "said by the module" in printed
    done = line.run(
        *("pipeline", "run", *arguments, "--name", "of-mine", "--tags", '{"team": "ml"}'),
        *("--description", "from a module", "--role-arn", "arn:aws:iam::000000000000:role/own"),
        project=tmp_path,
        code=1,
    )
    assert "said by the module" in done.stderr
    client = line.client("sagemaker")
    found = client.describe_pipeline(PipelineName="of-mine")
    assert found["RoleArn"].endswith(":role/own")
    assert found["PipelineDescription"] == "from a module"
    tags = client.list_tags(ResourceArn=found["PipelineArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]
    nameless = line.run("pipeline", "upsert", *arguments, project=tmp_path, code=2)
    assert "the module's pipeline has no name" in nameless.stderr
