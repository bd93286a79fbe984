"""The whole line, once for all tests here: a platform, an execution, a deployment.

Everything runs as real processes, in an environment full of somebody else's credentials.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.line import DECOY, DECOY_FILES, ROOT, Api, Line


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    aws = folder / "home/.aws"
    aws.mkdir(parents=True)
    for name, text in DECOY_FILES.items():
        (aws / name).write_text(text)
    project = Path(shutil.copytree(ROOT / "examples/customer_churn", folder / "project"))
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("AWS_", "BOOSTLINE"))
    }
    environment |= {
        "HOME": str(folder / "home"),
        "BOOSTLINE_DIR": str(folder / "platform"),
        "AWS_ACCESS_KEY_ID": DECOY,
        "AWS_SECRET_ACCESS_KEY": "decoy-secret",
        "AWS_SESSION_TOKEN": "decoy-token",
        "AWS_PROFILE": "decoy-profile",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-3",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    made = Line(folder / "platform", project, environment)
    made.up()
    yield made
    made.down()


@pytest.fixture(scope="session")
def execution(line: Line) -> Any:
    """What `boostline run --json` said of the first execution."""
    return line.json("run")


@pytest.fixture(scope="session")
def api(line: Line, execution: Any) -> Api:
    """The REST API of the first version, approved and deployed."""
    line.run("models", "approve", "1", "--reason", "the gates hold")
    made = line.json("deploy", "staging")
    return Api(made["url"], made["apiKey"])


@pytest.fixture(scope="session")
def sample(line: Line) -> dict[str, Any]:
    """The sample request of the example."""
    found: dict[str, Any] = json.loads((line.project / "sample_request.json").read_text())
    return found
