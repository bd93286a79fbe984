"""The platform that tests talk to: a real one, on a free port, in a folder of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import hypothesis
import pytest

# Before the libraries are loaded: by default their threads wait for each other by running on, and
# on a busy machine a training takes twenty times as long, in what it waits for itself.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from botocore.config import Config
from botocore.loaders import create_loader

from boostline.contracts import strict
from boostline.features.contract import FeatureContract, fitted
from boostline.features.spec import FeatureSpec
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running

# A busy machine is no reason to fail: how long an example takes is not what is tested.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


LOADER = create_loader()


def session(access_key: str, secret_key: str, region: str = "us-east-1") -> boto3.Session:
    """Return a session that shares what it reads of botocore: that is most of its cost."""
    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(access_key, secret_key, region_name=region, botocore_session=core)


class RunningPlatform:
    """A platform and its clients; every call of theirs goes through the strict check first."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.settings = platform.settings
        self.endpoint = platform.endpoint
        self.session = session(
            platform.credentials.access_key,
            platform.credentials.secret_key,
            platform.settings.region,
        )

    def client(self, service: str, **config: Any) -> Any:
        """Return a boto3 client of the platform; `config` is botocore's `Config`."""
        settings = Config(retries={"total_max_attempts": 1}, **config)
        client = self.session.client(service, endpoint_url=self.endpoint, config=settings)
        strict.install(client)
        return client


def start(folder: Path, **settings: Any) -> Iterator[RunningPlatform]:
    """Run a platform in a folder while a generator is open."""
    platform = Platform(Settings(folder, port=0, **settings))
    with running(platform):
        yield RunningPlatform(platform)


@pytest.fixture
def settings() -> Mapping[str, Any]:
    """What `Settings` are to hold but folder and port; override it where a test needs more."""
    return {}


@pytest.fixture
def platform(tmp_path: Path, settings: Mapping[str, Any]) -> Iterator[RunningPlatform]:
    """A platform of this test alone."""
    yield from start(tmp_path / "platform", **settings)


@pytest.fixture(scope="module")
def shared_platform() -> Iterator[RunningPlatform]:
    """A platform of this module's tests: each takes its own names."""
    with tempfile.TemporaryDirectory() as folder:
        yield from start(Path(folder))


@pytest.fixture
def contract() -> FeatureContract:
    """A contract of two numbers, a category and a computed column."""
    spec = FeatureSpec(
        label="churn",
        classes=["False.", "True."],
        objective="binary",
        numeric=["day", "eve"],
        categorical=["plan"],
        ignore=["phone"],
        derived={"total": 'col("day") + col("eve")'},
        missing=[],
        unknown_category="error",
    )
    return fitted(spec, {"plan": ["no", "yes"]}, ["False.", "True."])
