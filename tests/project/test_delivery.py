"""What the shipped files promise, beyond that their lines run (tests/e2e)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from boostline import __version__
from boostline.project import delivery, file, scaffold
from boostline.project.delivery import FOLDER, PLACES, REQUIREMENTS, Delivery

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
TEMPLATE = Path(__file__).parents[2] / "infra/account.yaml"
CREDENTIALS = "aws-actions/configure-aws-credentials"


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / "github.yml").read_text())
    return found


@pytest.mark.parametrize("kind", Delivery)
def test_a_new_project_has_the_files_of_its_delivery(tmp_path: Path, kind: Delivery) -> None:
    folder = tmp_path / "p"
    scaffold.create(folder, "p", EXAMPLE / "data/churn.csv", "Churn?", kind)
    file.read(folder)
    every = {place for places in PLACES.values() for place in places} | {REQUIREMENTS}
    there = {place for place in every if (folder / place).exists()}
    assert there == ({*PLACES[kind], REQUIREMENTS} if PLACES[kind] else set())


def test_builds_install_this_version(tmp_path: Path) -> None:
    delivery.write(tmp_path, Delivery.GITHUB)
    line = (tmp_path / REQUIREMENTS).read_text().splitlines()[-1]
    assert line == f"boostline[container,gateway,local,scikit-learn,xgboost]=={__version__}"


def test_a_job_may_do_no_more_than_it_needs(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        asks = any(step.get("uses", "").startswith(CREDENTIALS) for step in job["steps"])
        may = {"contents": "read", "id-token": "write"} if asks else {"contents": "read"}
        assert job.get("permissions", workflow["permissions"]) == may
        assert asks == (job.get("env", {}).get("BOOSTLINE_TARGET") != "local")


def test_nothing_of_an_event_gets_into_a_script(workflow: dict[Any, Any]) -> None:
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert not any("${{" in step.get("run", "") for step in steps)
    assert all(re.search(r"@v\d+$", step["uses"]) for step in steps if "uses" in step)


def test_jobs_follow_each_other_and_never_overlap_themselves(workflow: dict[Any, Any]) -> None:
    jobs = workflow["jobs"]
    needs = {name: job.get("needs") for name, job in jobs.items()}
    assert needs == {
        "test": None,
        "images": "test",
        "pipeline": "images",
        "staging": None,
        "prod": "staging",
    }
    groups = {name: job["concurrency"]["group"] for name, job in jobs.items()}
    assert len({*groups.values()}) == len(jobs)
    # What is under way in an account is never cut off by what comes next.
    assert [n for n, job in jobs.items() if job["concurrency"].get("cancel-in-progress")] == [
        "test"
    ]


def test_the_account_trusts_the_jobs_and_the_rule_starts_them(workflow: dict[Any, Any]) -> None:
    template = TEMPLATE.read_text()
    for name in ("staging", "prod"):
        assert workflow["jobs"][name]["environment"] == name
        assert f"repo:${{GitHubRepository}}:environment:{name}\n" in template
    events = workflow[True]  # YAML's word for on
    assert events["push"] == {"branches": ["main"]}
    assert events["repository_dispatch"] == {"types": ["model-approved"]}
    rule = (TEMPLATE.parent / "project.yaml").read_text()
    assert '"event_type": "model-approved"' in rule
    assert '"version": <version>' in rule
    assert workflow["jobs"]["prod"]["env"]["VERSION"] == (
        "${{ github.event.client_payload.version }}"
    )
