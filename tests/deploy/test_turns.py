"""A stage that somebody else changes, or has left in the middle, while it is worked on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from boostline.deploy import registry
from boostline.deploy.stack import StackError
from boostline.deploy.stage import Stage
from boostline.local.services.cloudformation.calls import Calls
from boostline.local.store.resources import Document
from boostline.project import file, target
from boostline.project.config import Config
from boostline.project.target import Target
from tests.conftest import RunningPlatform
from tests.deploy.test_stage import registered

pytestmark = pytest.mark.slow

NAME = "customer-churn--staging"
STAGES = """
[stages.staging]
latency_ms = 60000
instance_count = {instances}
canary_percent = {canary}
bake_seconds = {bake}
parameters = {{AlarmPeriodSeconds = "10", ModelLatencyMicroseconds = "60000000"}}
[stages.prod]
"""


class Killed(BaseException):
    """The end of whoever deploys."""


@dataclass
class Shop:
    """A project of two approved versions of one artifact, on a platform of its own."""

    home: Target
    config: Config
    said: list[str] = field(default_factory=list)

    def stage(self, at: str = "", do: Callable[[], object] = str, home: Any = None) -> Stage:
        """Return the stage of somebody to whom something happens at the first such report."""
        waiting = [do]

        def report(text: str) -> None:
            self.said.append(text)
            if at and at in text and waiting:
                waiting.pop()()

        return Stage(home or self.home, self.config, "staging", report)

    def outcome(self, version: int) -> bool:
        """Say whether an outcome of a version's test is kept."""
        package = registry.version(self.home, self.config.name, version)
        return "boostline:staging" in package.get("CustomerMetadataProperties", {})

    def again(self, **changes: int) -> None:
        """Read the project again, its stage changed."""
        path = self.config.root / file.FILE
        plain = path.read_text().partition("\n[stages.staging]")[0]
        chosen = {"instances": 1, "canary": 0, "bake": 0} | changes
        path.write_text(plain + STAGES.format(**chosen))
        self.config = file.read(path)


@pytest.fixture
def settings() -> Mapping[str, Any]:
    return {"images": {"*": (sys.executable, "-m", "boostline.container")}}


@pytest.fixture
def shop(platform: RunningPlatform, tmp_path: Path) -> Shop:
    home = target.local(platform.settings.folder)
    config = registered(home, tmp_path)
    path = config.root / file.FILE
    path.write_text(path.read_text().partition("\n[stages.prod")[0])
    sagemaker = home.client("sagemaker")
    members = ("ModelPackageGroupName", "ModelApprovalStatus", "InferenceSpecification")
    first = registry.version(home, config.name, 1)
    sagemaker.create_model_package(**{name: first[name] for name in members})
    made = Shop(home, config)
    made.again()
    return made


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], threading.Event]]:
    """Let a stack's work wait at a resource of a type, until an event is set."""
    released: list[threading.Event] = []

    def hold(verb: str, kind: str) -> threading.Event:
        plain, event = getattr(Calls, verb), threading.Event()
        released.append(event)

        def wait(self: Calls, record: Document) -> Any:
            if record["ResourceType"] == kind:
                event.wait()
            return plain(self, record)

        monkeypatch.setattr(Calls, verb, wait)
        return event

    yield hold
    for event in released:
        event.set()


def test_what_is_removed_in_its_test_has_not_failed_and_stays_away(
    shop: Shop, held: Callable[[str, str], threading.Event]
) -> None:
    """Its endpoint goes last: the stack is there, and its REST API is not."""
    going = held("delete", "AWS::SageMaker::Endpoint")
    cloudformation = shop.home.client("cloudformation")

    def remove() -> None:
        cloudformation.delete_stack(StackName=NAME)
        stages = shop.home.client("apigateway").get_rest_apis
        while stages()["items"]:
            pass

    def report(text: str) -> None:
        if text.startswith("smoke test"):
            remove()
        if text.startswith("failed"):
            going.set()

    with pytest.raises(StackError, match="stage staging is removed: somebody came in between"):
        Stage(shop.home, shop.config, "staging", report).deploy(None)
    assert not shop.outcome(2)
    assert shop.stage().version() is None


def test_of_two_versions_the_later_deployment_stays(shop: Shop) -> None:
    later = shop.stage()
    first = shop.stage("smoke test", lambda: later.deploy(2))
    with pytest.raises(StackError, match="stage staging has version 2 now"):
        first.deploy(1)
    assert (shop.outcome(1), shop.outcome(2), later.version()) == (False, True, 2)


def test_who_wants_the_latest_is_content_with_what_came_in_between(shop: Shop) -> None:
    sagemaker = shop.home.client("sagemaker")
    arn = registry.version(shop.home, shop.config.name, 2)["ModelPackageArn"]

    def decide(status: str) -> None:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)

    def overtake() -> None:
        decide("Approved")
        shop.stage().deploy(None)

    decide("Rejected")
    made = shop.stage("smoke test", overtake).deploy(None)
    assert (made.version, made.outcome) == (2, None)
    assert not shop.outcome(1)


def test_a_stage_that_changes_in_its_test_is_tested_again(shop: Shop) -> None:
    before = shop.config

    def change() -> None:
        shop.again(instances=2)
        shop.stage().deploy(None)
        shop.config = before

    made = shop.stage("smoke test", change).deploy(None)
    assert made.outcome is not None
    assert "the stage was changed meanwhile: it is tested again" in shop.said


def test_a_stage_that_is_removed_while_it_is_made_says_so(
    shop: Shop, held: Callable[[str, str], threading.Event]
) -> None:
    coming = held("ready", "AWS::SageMaker::EndpointConfig")

    def remove() -> None:
        shop.home.client("cloudformation").delete_stack(StackName=NAME)
        coming.set()

    stage = shop.stage("Model: CREATE_COMPLETE", remove)
    with pytest.raises(StackError, match=f"stack {NAME} was removed before it had come up"):
        stage.deploy(None)


def test_a_key_that_is_gone_is_told(shop: Shop) -> None:
    stage = shop.stage()
    made = stage.deploy(None)
    client = shop.home.client("apigateway")
    (key,) = client.get_api_keys()["items"]
    client.delete_api_key(apiKey=key["id"])
    with pytest.raises(Exception, match=rf"API key {key['id']}.* is removed: after `boostline d"):
        stage.api()
    assert made.api.id in str(client.get_rest_apis()["items"])


def test_a_rejection_waits_for_what_has_just_begun(
    shop: Shop, held: Callable[[str, str], threading.Event]
) -> None:
    """Whoever deploys is killed before the endpoint knows what it is to have."""
    shop.again(instances=2, canary=50, bake=600)
    shop.stage().deploy(1)
    coming = held("ready", "AWS::SageMaker::EndpointConfig")

    def kill() -> None:
        raise Killed

    with suppress(Killed):
        shop.stage("Model: CREATE_COMPLETE", kill).deploy(2)
    package = registry.version(shop.home, shop.config.name, 2)
    registry.decide(shop.home, package, "Rejected", "")
    watching = Watching(**vars(shop.home), event=coming)
    shop.stage(home=watching).withdraw(2)
    assert "stage staging: version 2 is taken back" in shop.said
    assert shop.stage().version() == 1


@dataclass(frozen=True)
class Watching(Target):
    """A target where an event is set once the endpoint has been looked at in vain."""

    event: threading.Event = field(default_factory=threading.Event)
    looks: list[str] = field(default_factory=list)

    def client(self, service: str, **config: Any) -> Any:
        client = super().client(service, **config)
        client.meta.events.register("before-call.sagemaker.DescribeEndpoint", self._look)
        return client

    def _look(self, model: Any, **_: Any) -> None:
        self.looks.append(model.name)
        if len(self.looks) > 1:
            self.event.set()
