"""Changes of one stack that two plan at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import pytest

from boostline.deploy.stack import OvertakenError, Stack, StackError
from boostline.project import target
from boostline.project.target import Target
from tests.conftest import RunningPlatform

ROUNDS = 20


def template(name: str, tag: str) -> str:
    """Return a template of a bucket, whose tag can change."""
    properties = {"BucketName": name, "Tags": [{"Key": "tag", "Value": tag}]}
    return json.dumps({"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}})


@dataclass(frozen=True)
class Interrupted(Target):
    """A target where something happens before the first call of an operation."""

    before: dict[str, Callable[[], object]] = field(default_factory=dict)

    def client(self, service: str, **config: Any) -> Any:
        client = super().client(service, **config)
        client.meta.events.register("before-call", self._interrupt)
        return client

    def _interrupt(self, model: Any, **_: Any) -> None:
        self.before.pop(model.name, str)()


@pytest.mark.parametrize("operation", ["DescribeChangeSet", "DeleteChangeSet"])
@pytest.mark.parametrize("tag", ["same", "new"])
def test_a_change_that_another_makes_void_is_overtaken(
    shared_platform: RunningPlatform, operation: str, tag: str
) -> None:
    """Whoever begins a change ends all plans of the stack; the others look again."""
    home = target.local(shared_platform.settings.folder)
    name = f"overtaken-{operation.lower()}-{tag}"
    other = Stack(home, name, str)
    first = other.plan(template(name, "same"), {}, [])
    assert first is not None
    other.apply(first)
    begun = other.plan(template(name, "other"), {}, [])
    assert begun is not None
    overtaking: dict[str, Callable[[], object]] = {operation: lambda: other.apply(begun)}
    stack = Stack(Interrupted(**vars(home), before=overtaking), name, str)

    def look() -> None:
        planned = stack.plan(template(name, tag), {}, [])
        if planned is not None:
            stack.discard(planned)

    with pytest.raises(OvertakenError, match="does not exist"):
        look()
    look()


def test_what_is_taken_back_between_two_looks_says_why(shared_platform: RunningPlatform) -> None:
    """As when a rejection is told to CloudFormation by whoever rejects."""
    home, name = target.local(shared_platform.settings.folder), "taken-back"
    home.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    properties = {"ModelPackageGroupName": name}  # which is there: this cannot be made
    group = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}
    stack = Stack(home, name, str)
    planned = stack.plan(json.dumps({"Resources": {"G": group}}), {}, [])
    assert planned is not None
    with pytest.raises(StackError, match="ROLLBACK_COMPLETE: taken back, since it is rejected"):
        stack.apply(planned, lambda: "it is rejected")


def test_plans_survive_changes_at_the_same_time(shared_platform: RunningPlatform) -> None:
    home, name = target.local(shared_platform.settings.folder), "planned-at-once"
    client, stack, start = home.client("cloudformation"), Stack(home, name, str), Barrier(2)
    first = stack.plan(template(name, "first"), {}, [])
    assert first is not None
    stack.apply(first)

    def change(number: int) -> None:
        start.wait()
        made = client.create_change_set(
            StackName=name,
            ChangeSetName=f"change-{number}",
            TemplateBody=template(name, f"change-{number}"),
        )
        client.execute_change_set(ChangeSetName=made["Id"])

    def plan(number: int) -> None:
        start.wait()
        with suppress(OvertakenError):
            stack.plan(template(name, f"plan-{number}"), {}, [])

    with ThreadPoolExecutor(2) as both:
        for number in range(ROUNDS):
            for end in [both.submit(change, number), both.submit(plan, number)]:
                end.result()
            assert stack.settle() == "UPDATE_COMPLETE"
