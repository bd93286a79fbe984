"""The shipped files of CI/CD: their very command lines, on the local platform.

`BOOSTLINE_TARGET` alone is another: `local`, where the files say `aws`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from boostline import __version__
from boostline.contracts import address
from boostline.project.delivery import FOLDER
from tests.e2e.line import BIN, ROOT

pytestmark = pytest.mark.slow
JOBS = ("test", "images", "pipeline", "staging", "prod")
# As they are where nothing is said, but for the minutes in which a canary is watched.
STAGES = """
[stages.staging]
[stages.prod]
after = "staging"
instance_count = 2
canary_percent = 50
"""
PLACE = "${{ github.event.client_payload.version }}"


class Runner:
    """A machine that builds: a home, a checkout, and what a job's environment says."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "mine"
        plain = {n: t for n, t in os.environ.items() if not n.startswith(("AWS_", "BOOSTLINE"))}
        self.environment = plain | {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.project if self.project.exists() else self.home,
            env=self.environment | environment | {"BOOSTLINE_TARGET": "local"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def platform(self) -> Path:
        return self.home / ".boostline"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A machine with a new project; the platform that a job starts there is ended."""
    made = Runner(tmp_path_factory.mktemp("runner"))
    table = ROOT / "examples/customer_churn/data/churn.csv"
    made.run("boostline", "new", "mine", "--data", str(table), "--label", "Churn?")
    file = made.project / "boostline.toml"
    file.write_text(file.read_text().replace("num_round = 500", "num_round = 30") + STAGES)
    yield made
    found = address.read(made.platform)
    if found is not None:
        os.kill(found.pid, signal.SIGTERM)


def steps(job: dict[str, Any]) -> list[str]:
    """Return the commands of a job, less the one that installs."""
    found = [step["run"] for step in job["steps"] if "run" in step]
    assert found[0] == "pip install -r requirements-ci.txt"
    return found[1:]


def test_the_workflow_of_github(runner: Runner) -> None:
    """A push, then an approval: each job's lines in the order of the jobs."""
    place = runner.project / ".github/workflows/boostline.yml"
    assert place.read_text() == (FOLDER / "github.yml").read_text()
    jobs = yaml.safe_load(place.read_text())["jobs"]
    assert tuple(jobs) == JOBS
    for name in JOBS:
        given = {n: t.replace(PLACE, "1") for n, t in jobs[name].get("env", {}).items()}
        for line in steps(jobs[name]):
            runner.run("bash", "-e", "-c", line, **given)
    assert _versions(runner) == {"staging": 1, "prod": 1}
    requirements = (runner.project / "requirements-ci.txt").read_text()
    assert requirements.endswith(f"=={__version__}\n")


def test_the_codepipelines(runner: Runner) -> None:
    """The same on the platform of the test before: what was approved gets through, not the latest.

    When a person lets the first version through, a later one has passed staging too.
    """
    template = (ROOT / "infra/pipeline.yaml").read_text()
    found = yaml.load(template, Loader=_Loader)["Resources"]
    spec = yaml.safe_load((FOLDER / "buildspec.yml").read_text())
    (line,) = spec["phases"]["build"]["commands"]

    def execute(pipeline: str, version: str = "") -> dict[str, int]:
        for stage in found[pipeline]["Properties"]["Stages"]:
            for action in stage["Actions"]:
                given = action["Configuration"].get("EnvironmentVariables", "[]")
                given = given.replace("#{variables.VERSION}", version)
                variables = {each["name"]: each["value"] for each in json.loads(given)}
                if variables:
                    runner.run("sh", "-c", line, **variables)
        return _versions(runner)

    assert execute("Training")["staging"] > 1
    assert execute("Delivery", "1") == {"staging": 1, "prod": 1}


def _versions(runner: Runner) -> dict[str, int]:
    """Return the version that answers at each stage, by the REST API itself."""
    said = {}
    for stage in ("staging", "prod"):
        answer = json.loads(runner.run("boostline", "api", "try", "--stage", stage))
        said[stage] = int(answer["model"].rpartition("/")[2])
    return said


class _Loader(yaml.SafeLoader):
    """Reads a template; its short forms are of no interest here."""


_Loader.add_multi_constructor("!", lambda *_: None)
