"""What the templates ask of alarms, autoscaling and rules, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunningPlatform
from tests.local.services.cloudformation.serving_bench import Serving
from tests.local.services.cloudformation.stacks_bench import INFRA, Stack, template
from tests.local.services.hosting_bench import traffic
from tests.local.services.sagemaker_bench import client

TEMPLATE = (INFRA / "serving.yaml").read_text()
ENDPOINT = "churn--staging"
CANARY = {
    "InstanceCount": "2",
    "MaxInstanceCount": "4",
    "TrafficRouting": "CANARY",
    "AlarmPeriodSeconds": "10",
    "BakeSeconds": "0",
}


@pytest.mark.slow
def test_a_version_that_answers_500_is_rolled_back_by_the_templates_alarm(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    bench, stack = Serving(platform, tmp_path / "programs"), Stack(platform, ENDPOINT)
    bench.prepare()
    assert stack.create(TEMPLATE, bench.values(bench.package("one")) | CANARY) == "CREATE_COMPLETE"
    scaling = client(platform, "application-autoscaling")
    asked = {"ServiceNamespace": "sagemaker"}
    (target,) = scaling.describe_scalable_targets(**asked)["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    (policy,) = scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert policy["ResourceId"] == f"endpoint/{ENDPOINT}/variant/AllTraffic"

    bench.program(
        "other", "Handler.invoke = lambda self, body: self.answer(500)\nrun()", serves=True
    )
    values = bench.values(bench.package("two", "other")) | CANARY | {"BakeSeconds": "120"}
    with traffic(bench, ENDPOINT) as counts:
        assert stack.update(TEMPLATE, values) == "UPDATE_ROLLBACK_COMPLETE", stack.events()
        last = counts["one"]
        bench.until(lambda: counts["one"] > last)  # so what was under way then is counted
        failed = counts["500"]
        bench.until(lambda: counts["one"] > last + 20)
    assert f"{ENDPOINT}-endpoint-errors" in stack.reasons("Endpoint")
    assert counts.keys() == {"one", "500"}, "a request was lost"
    assert counts["500"] == failed <= counts["one"]
    assert stack.delete() == "DELETE_COMPLETE"
    assert scaling.describe_scalable_targets(**asked)["ScalableTargets"] == []
    assert client(platform, "cloudwatch").describe_alarms()["MetricAlarms"] == []


def rule(source: str, *targets: str) -> str:
    properties = {
        "Name": "approved",
        "EventPattern": {"source": [source]},
        "Targets": [{"Id": each, "Arn": f"arn:aws:codepipeline:{each}"} for each in targets],
    }
    return template({"R": {"Type": "AWS::Events::Rule", "Properties": properties}})


def test_a_rule_has_the_targets_that_the_template_has(platform: RunningPlatform) -> None:
    stack, events = Stack(platform), platform.client("events")

    def targets() -> list[str]:
        return [t["Id"] for t in events.list_targets_by_rule(Rule="approved")["Targets"]]

    assert stack.create(rule("one", "a", "b")) == "CREATE_COMPLETE"
    assert targets() == ["a", "b"]
    assert stack.update(rule("two", "b", "c")) == "UPDATE_COMPLETE"
    assert targets() == ["b", "c"]
    assert json.loads(events.describe_rule(Name="approved")["EventPattern"]) == {"source": ["two"]}
    assert stack.physical() == {"R": "approved"}
    assert stack.delete() == "DELETE_COMPLETE"
    assert events.list_rules()["Rules"] == []
