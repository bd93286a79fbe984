"""From approval to production: what is good gets there, and nothing else does."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.line import BIN, QUICK, Api, Line

pytestmark = pytest.mark.slow

# How fast this machine is decides nothing here.
PARAMETERS = '{AlarmPeriodSeconds = "10", ModelLatencyMicroseconds = "60000000"}'
STAGES = f"""
[stages.staging]
latency_ms = 60000
[stages.prod]
after = "staging"
instance_count = 2
canary_percent = 50
bake_seconds = 1
latency_ms = 60000
parameters = {PARAMETERS}
"""
# It is itself while it is trained and loaded; told to, it turns after some calls.
SERVE = """
import os

CALLS = 0


def predict(model, features):
    global CALLS
    CALLS += 1
    scores = model.inplace_predict(features)
    if CALLS > 5 and os.path.exists({sign!r}):
        {turn}
    return scores
"""


class Shop:
    """A project with stages, on the line's platform."""

    def __init__(self, line: Line, folder: Path) -> None:
        changes = (
            ('name = "customer-churn"', 'name = "shop"'),
            *QUICK,
            ("[tags]", f"{STAGES}\n[tags]"),
        )
        self.line = line
        self.folder = line.copy(folder, *changes)
        self.sample: bytes = (self.folder / "sample_request.json").read_bytes()
        self.sign = folder / "sign"  # when it is there, the latest version turns

    def run(self, *arguments: str, code: int = 0) -> Any:
        return self.line.run(*arguments, code=code, project=self.folder)

    def register(self, turn: str = "") -> int:
        """Register a version, with what it does at its turn if that is given, and approve it."""
        file = self.folder / "boostline.toml"
        plain = file.read_text().replace('[serve]\ncode = "serve.py"\n\n', "")
        if turn:
            self.sign = self.sign.with_name(f"sign-{uuid.uuid4()}")  # and no code is like another
            serve = SERVE.format(sign=str(self.sign), turn=turn)
            (self.folder / "serve.py").write_text(serve)
            plain = plain.replace("[tags]", '[serve]\ncode = "serve.py"\n\n[tags]')
        file.write_text(plain)
        made = self.line.json("run", project=self.folder)
        version = int(made["modelPackageArn"].rpartition("/")[2])
        self.run("models", "approve", str(version))
        return version

    def api(self, stage: str) -> Api:
        found = self.line.json("api", "show", "--stage", stage, project=self.folder)
        return Api(found["url"], found["apiKey"])

    def answers(self, stage: str) -> str:
        """Return the version that a stage answers with."""
        status, answer = self.api(stage).post(self.sample)
        assert status == 200
        return str(answer["model"])

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let a rollout to production last until something ends it."""
        file = self.folder / "boostline.toml"
        file.write_text(file.read_text().replace("bake_seconds = 1\n", "bake_seconds = 600\n"))
        try:
            yield
        finally:
            file.write_text(file.read_text().replace("bake_seconds = 600\n", "bake_seconds = 1\n"))

    @contextmanager
    def traffic(self, stage: str) -> Iterator[list[int]]:
        """Send requests one after the other, and give their statuses, as long as it lasts."""
        api, statuses, done = self.api(stage), list[int](), threading.Event()

        def send() -> None:
            while not done.wait(0.03):
                statuses.append(api.post(self.sample)[0])

        with ThreadPoolExecutor(1) as executor:
            sending = executor.submit(send)
            try:
                yield statuses
            finally:
                done.set()
            sending.result()


@pytest.fixture(scope="module")
def shop(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The project, its first version in production."""
    made = Shop(line, tmp_path_factory.mktemp("shop"))
    assert made.register() == 1
    made.run("deploy", "staging")
    made.run("deploy", "prod")
    return made


def test_a_plan_changes_nothing(shop: Shop) -> None:
    shop.run("destroy", "staging", "--yes")
    plan = shop.line.json("deploy", "staging", "--dry-run", project=shop.folder)
    assert plan["version"] == 1
    changes = {change["resource"]: change["action"] for change in plan["changes"]}
    assert changes["Endpoint"] == changes["Api"] == "Add"
    stacks = shop.line.client("cloudformation").describe_stacks()["Stacks"]
    assert "shop--staging" not in {stack["StackName"] for stack in stacks}
    shop.run("deploy", "staging")
    assert "nothing would change" in shop.run("deploy", "staging", "--dry-run").stdout


def test_production_answers(shop: Shop) -> None:
    assert shop.answers("prod") == "shop/1"
    document = json.loads(shop.run("api", "schema", "--stage", "prod").stdout)
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": shop.api("prod").url}]


def test_corrupted_scores_fail_in_staging_and_production_stays(shop: Shop) -> None:
    version = shop.register("return 1 - scores")
    shop.sign.touch()
    failed = shop.run("deploy", "staging", code=6)
    assert "the artifact was sealed with" in failed.stderr
    refused = shop.run("deploy", "prod", code=4)
    assert f"version {version} has not passed staging" in refused.stderr
    assert shop.answers("prod") == "shop/1"
    shop.run("rollback", "staging")
    assert shop.answers("staging") == "shop/1"
    shop.run("models", "reject", str(version))


def test_what_fails_in_production_is_taken_back_by_its_canary(shop: Shop) -> None:
    version = shop.register('raise ValueError("out of order")')
    shop.run("deploy", "staging")
    shop.sign.touch()
    with shop.watched(), shop.traffic("prod") as statuses:
        failed = shop.run("deploy", "prod", code=1)
    assert "shop--prod-endpoint-errors" in failed.stderr
    assert set(statuses) == {200, 502}
    last = len(statuses) - statuses[::-1].index(502)
    canary = statuses[statuses.index(502) : last]
    assert canary.count(502) <= 0.5 * len(canary) + 2 * len(canary) ** 0.5  # its share, by chance
    assert shop.answers("prod") == "shop/1"
    shop.run("models", "reject", str(version))


def test_what_fails_its_test_in_production_goes_back(shop: Shop) -> None:
    version = shop.register("return 1 - scores")
    shop.run("deploy", "staging")
    shop.sign.touch()
    with shop.traffic("prod"):
        failed = shop.run("deploy", "prod", code=6)
    assert "version 1 answers again" in failed.stderr
    assert shop.answers("prod") == "shop/1"
    shop.run("models", "reject", str(version))


def test_what_the_stage_decides_is_not_to_be_given(shop: Shop) -> None:
    file = shop.folder / "boostline.toml"
    plain = file.read_text()
    file.write_text(plain.replace(PARAMETERS, '{Stage = "staging"}'))
    assert "it may have" in shop.run("deploy", "prod", "--version", "1", code=1).stderr
    file.write_text(plain)


def test_what_is_not_approved_is_deployed_by_no_command(shop: Shop) -> None:
    version = shop.register("pass")
    shop.run("deploy", "staging")
    shop.run("models", "reject", str(version))
    for stage in ("staging", "prod"):
        refused = shop.run("deploy", stage, "--version", str(version), code=4)
        assert f"version {version} is Rejected" in refused.stderr
    shop.run("rollback", "staging")
    assert "no approved version" in shop.run("rollback", "staging", code=4).stderr
    assert shop.answers("staging") == "shop/1"


@pytest.mark.parametrize("killed", [False, True])
def test_a_rejection_takes_a_rollout_back(shop: Shop, killed: bool) -> None:
    version = shop.register("pass")
    shop.run("deploy", "staging")
    client = shop.line.client("sagemaker")
    with shop.watched():
        rollout = subprocess.Popen(
            [BIN / "boostline", "deploy", "prod"],
            cwd=shop.folder,
            env=shop.line.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while client.describe_endpoint(EndpointName="shop--prod")["EndpointStatus"] != "Updating":
            assert rollout.poll() is None
            time.sleep(0.1)
        if killed:
            rollout.kill()
        said = shop.run("models", "reject", str(version)).stdout
        _, errors = rollout.communicate(timeout=200)
    # Either notices first, where both are there to.
    assert f"stage prod: version {version} is taken back" in said or not killed
    assert f"version {version} is Rejected" in errors or killed
    assert shop.answers("prod") == "shop/1"
    assert f"stage staging answers with version {version} still" in said


def test_two_deployments_at_once_are_one(shop: Shop) -> None:
    version = shop.register("pass")
    shop.run("destroy", "staging", "--yes")
    with ThreadPoolExecutor(2) as executor:
        for one in [executor.submit(shop.run, "deploy", "staging") for _ in range(2)]:
            one.result()
    assert shop.answers("staging") == f"shop/{version}"
