"""From the table to the answer, as a person does it."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.line import BIN, DECOY, Api, Line

pytestmark = pytest.mark.slow


def test_the_run_shows_metrics_and_registers_a_version(execution: Any) -> None:
    assert execution["status"] == "Succeeded"
    assert execution["metrics"]["accuracy"] >= 0.95
    assert all(gate["holds"] for gate in execution["gates"])
    assert execution["modelPackageArn"].endswith(":model-package/customer-churn/1")
    statuses = {step["StepName"]: step["StepStatus"] for step in execution["steps"]}
    assert set(statuses.values()) == {"Succeeded"}
    assert "Fail-accuracy-min" not in statuses


def test_an_unapproved_version_is_not_deployed(line: Line, execution: Any) -> None:
    done = line.run("deploy", "prod", "--version", "99", code=4)
    assert "has no version 99" in done.stderr


def test_the_answer_is_a_decision(api: Api, sample: dict[str, Any]) -> None:
    status, answer = api.post(json.dumps(sample).encode())
    assert status == 200
    assert set(answer) == {"prediction", "label", "score", "threshold", "model", "requestId"}
    assert answer["prediction"] in ("False.", "True.")
    assert answer["label"] == int(answer["score"] >= answer["threshold"])
    assert answer["model"] == "customer-churn/1"


def test_the_api_says_what_the_endpoint_says(line: Line, api: Api, sample: dict[str, Any]) -> None:
    _, through_api = api.post(json.dumps(sample).encode())
    direct = json.loads(line.run("predict").stdout)["predictions"][0]
    assert direct["score"] == through_api["score"]
    assert direct["label"] == through_api["prediction"]


def test_the_api_explains_a_score(api: Api, sample: dict[str, Any]) -> None:
    body = json.dumps(sample).encode()
    status, answer = api.post(body, query="?explain=2")
    assert status == 200
    why = answer["explanation"]
    shown = sum(each["contribution"] for each in why["contributions"])
    assert len(why["contributions"]) == 2
    total = why["base"] + shown + why["other"]
    assert 1 / (1 + math.exp(-total)) == pytest.approx(answer["score"], abs=1e-5)
    status, answer = api.post(body, query="?explain=0")
    assert (status, answer["error"]["code"]) == (400, "bad_parameter")


def test_a_bad_record_of_a_batch_does_not_spoil_the_others(
    api: Api, sample: dict[str, Any]
) -> None:
    records = [sample, {**sample, "State": "XX"}, {"Shoe Size": 44}, 7, sample]
    status, answer = api.post(json.dumps(records).encode(), "/batch")
    first, *bad, last = answer["predictions"]
    single = api.post(json.dumps(sample).encode())[1]
    assert (status, first) == (200, last)
    assert {**first, "requestId": single["requestId"]} == single
    codes = [one["error"]["code"] for one in bad]
    assert codes == ["invalid_record", "invalid_record", "not_an_object"]
    assert api.post(b"[]", "/batch")[0] == 400


def test_without_the_key_nobody_is_answered(api: Api, sample: dict[str, Any]) -> None:
    body = json.dumps(sample).encode()
    assert api.post(body, x_api_key="wrong")[0] == 403
    assert api.post(body, x_api_key="")[0] == 403


def test_the_order_of_keys_does_not_matter(api: Api, sample: dict[str, Any]) -> None:
    shuffled = dict(sorted(sample.items(), key=lambda item: item[0][::-1]))
    answers = [api.post(json.dumps(record).encode())[1] for record in (sample, shuffled)]
    assert list(shuffled) != list(sample)
    assert answers[0]["score"] == answers[1]["score"]


def bodies() -> dict[str, tuple[Any, list[str]]]:
    """Changes of the sample (or whole bodies), each with the fields that the answer names."""
    return {
        "one key missing": ({"Day Mins": ...}, ["Day Mins"]),
        "an unknown category": ({"State": "XX"}, ["State"]),
        "text in a number": ({"Day Calls": "many"}, ["Day Calls"]),
        "an unknown key": ({"Shoe Size": 44}, ["Shoe Size"]),
        "several at once": ({"State": "XX", "Eve Calls": "1_000"}, ["Eve Calls", "State"]),
        "an empty body": (b"", []),
        "broken JSON": (b'{"State": ', []),
        "no object": (b"[1, 2]", []),
    }


@pytest.mark.parametrize("case", bodies())
def test_bad_requests_name_their_fields(api: Api, sample: dict[str, Any], case: str) -> None:
    change, fields = bodies()[case]
    body = change
    if isinstance(change, dict):
        changed = {**sample, **change}
        body = json.dumps({k: v for k, v in changed.items() if v is not ...}).encode()
    status, answer = api.post(body)
    assert status == 400
    assert answer["error"]["message"]
    assert answer["requestId"]
    named = [found["field"] for found in answer["error"]["fields"]]
    # Keys are checked before the function is asked, values by the function.
    for field in fields:
        assert field in named or f'"{field}"' in answer["where"]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("min = 0.999", "accuracy is 0.9"),
    ],
)
def test_a_gate_that_does_not_hold_registers_nothing(
    line: Line, tmp_path: Path, gate: str, said: str
) -> None:
    project = line.copy(
        tmp_path, ("min = 0.95", gate), ('name = "customer-churn"', 'name = "strict-churn"')
    )
    done = line.run("run", code=1, project=project)
    assert said in done.stderr
    assert "the minimum 0.999 does not hold" in done.stderr
    assert "the gate accuracy >= 0.999 does not hold" in done.stderr
    assert line.json("models", "list", project=project) == []
    line.run("deploy", code=4, project=project)


def test_decoy_credentials_reach_neither_jobs_nor_functions(line: Line, api: Api) -> None:
    """Everything before this ran among decoys; here the platform's own processes are looked at."""
    assert line.process is not None
    looked_at = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            names = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if b"awslambdaric" in names or b"boostline.container" in names:
            if str(line.folder).encode() not in environment + names:
                continue
            looked_at += 1
            assert DECOY.encode() not in environment
            assert b"decoy" not in environment
    assert looked_at >= 2


def test_a_second_platform_in_the_folder_is_refused(line: Line) -> None:
    done = line.run("up", "--port", "0", "--dir", line.folder, code=1)
    assert "runs a platform in this folder" in done.stderr


def test_status_logs_and_versions_are_shown(line: Line, api: Api) -> None:
    status = line.json("status")
    assert status["versions"][-1] == {"version": 1, "approval": "Approved"}
    assert {"endpoint": "customer-churn--staging", "status": "InService"} in status["endpoints"]
    assert "validation-logloss" in line.run("logs", "Train").stdout
    assert "serving on" in line.run("logs", "endpoint").stdout
    assert "accuracy" in line.run("models", "show", "1").stdout
    assert line.run("logs", "Nothing", code=1).stderr.count("\n") == 1


def test_limits_may_change(line: Line, api: Api, tmp_path: Path) -> None:
    project = line.copy(tmp_path, ("rate = 50 ", "quota = 60\nrate = 1234.5 "))
    made = line.json("deploy", project=project)
    limited = Api(made["url"], made["apiKey"])
    statuses = [limited.post(b"{}")[0]]
    while len(statuses) <= 2 * 60 and statuses[-1] == 400:  # two quotas, if the day ends meanwhile
        statuses.append(limited.post(b"{}")[0])
    assert (statuses[0], statuses[-1]) == (400, 429)
    made = line.json("deploy")
    assert Api(made["url"], made["apiKey"]).post(b"{}")[0] == 400


@pytest.mark.parametrize("stage", ["", "ü", "prod/../x", "production"])
@pytest.mark.parametrize(
    "command", [("deploy",), ("predict", "--stage"), ("logs", "endpoint", "--stage")]
)
def test_an_unknown_stage_is_refused(
    line: Line, execution: Any, command: tuple[str, ...], stage: str
) -> None:
    assert "the project has staging, prod" in line.run(*command, stage, code=2).stderr


def test_a_stage_that_is_not_deployed_predicts_nothing(line: Line, execution: Any) -> None:
    said = line.run("predict", "--stage", "prod", code=1).stderr
    assert "no endpoint of stage prod: `boostline deploy prod` makes it" in said


def test_an_execution_is_followed_by_its_id(line: Line, execution: Any) -> None:
    found = line.json("pipeline", "wait", execution["execution"].rpartition("/")[2])
    assert found["execution"] == execution["execution"]
    done = line.run("pipeline", "stop", "nothing", code=5)
    assert done.stderr.count("\n") == 1


def test_a_mistake_in_a_parameter_is_refused(line: Line, execution: Any) -> None:
    assert "NAME=VALUE" in line.run("run", "--parameter", "X", code=2).stderr
    line.run("run", "--parameter", "Nope=1", code=5)


def test_target_aws_needs_an_account_and_region(line: Line) -> None:
    done = line.run("status", "--target", "aws", code=3)
    assert "[aws] account and region" in done.stderr


def test_target_aws_is_refused_when_the_credentials_are_of_another_account(
    line: Line, tmp_path: Path
) -> None:
    """The platform itself answers for AWS here: GetCallerIdentity names its own account."""
    aws = '[aws]\naccount = "123456789012"\nregion = "us-east-1"\nrole = "r"\n\n[tags]'
    project = line.copy(tmp_path, ("[tags]", aws))
    environment = {
        name: text
        for name, text in line.environment.items()
        if not name.startswith(("AWS_", "HTTP_"))
    }
    other = Line(line.folder, project, environment | line.address.exports())
    done = other.run("run", "--target", "aws", code=3)
    assert "credentials are of account 000000000000" in done.stderr
    assert "nothing was done" in done.stderr


def test_the_aws_cli_works_unmodified(line: Line, api: Api, tmp_path: Path) -> None:
    exports = line.run("env").stdout
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(range(256)) * 4096 * 20)
    (tmp_path / "sample.json").write_bytes((line.project / "sample_request.json").read_bytes())
    script = f"""
set -euo pipefail
{exports}
cd {tmp_path}
aws() {{ {BIN / "aws"} "$@"; }}
aws sts get-caller-identity --query Account --output text
aws s3 mb s3://cli-test
aws s3 cp big.bin s3://cli-test/a/big.bin --no-progress
aws s3 ls s3://cli-test/a/
aws s3 cp s3://cli-test/a/big.bin back.bin --no-progress
cmp big.bin back.bin
aws s3 rm s3://cli-test/a/big.bin
aws sagemaker list-pipeline-executions --pipeline-name customer-churn
job=$(aws sagemaker list-training-jobs --output text \\
  --query 'TrainingJobSummaries[0].TrainingJobName')
aws sagemaker describe-training-job --training-job-name "$job" --query TrainingJobStatus
package=$(aws sagemaker list-model-packages --model-package-group-name customer-churn \\
  --query 'ModelPackageSummaryList[0].ModelPackageArn' --output text)
aws sagemaker update-model-package --model-package-arn "$package" \\
  --model-approval-status Approved
aws sagemaker-runtime invoke-endpoint --endpoint-name customer-churn--staging \\
  --body fileb://sample.json \\
  --content-type application/json --accept application/json answer.json
cat answer.json
"""
    done = subprocess.run(
        ["bash", "-c", script],
        env=line.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "answer.json").read_text())["predictions"]
