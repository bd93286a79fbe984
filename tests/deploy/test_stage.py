"""A stage in another account: what happens there, and what in the project's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stage import IMAGE, train
from boostline.contracts.archives import pack
from boostline.deploy import registry
from boostline.deploy.bootstrap import Bootstrap
from boostline.deploy.stack import Stack
from boostline.deploy.stage import Stage
from boostline.project import file, store, target
from boostline.project.config import Aws, Config
from boostline.project.target import Target, TargetError
from tests.conftest import RunningPlatform

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
OTHER = "222222222222"
PROD = f"""
[stages.prod.aws]
account = "{OTHER}"
deployer_role = "arn:aws:iam::{OTHER}:role/boostline-deployer"
"""
MODEL_PACKAGES = {"ListModelPackages", "DescribeModelPackage", "UpdateModelPackage"}
ARTIFACTS = {"HeadObject", "GetObject"}


@pytest.fixture
def settings() -> Mapping[str, Any]:
    return {"images": {"*": (sys.executable, "-m", "boostline.container")}}


@dataclass(frozen=True)
class Watched(Target):
    """A target that keeps which operations were called on it."""

    calls: set[str] = field(default_factory=set)

    def client(self, service: str, **config: Any) -> Any:
        client = super().client(service, **config)
        client.meta.events.register("before-call", self._keep)
        return client

    def _keep(self, model: Any, **_: Any) -> None:
        self.calls.add(model.name)


def watched(platform: RunningPlatform, account: str) -> Watched:
    """Return the platform as an account, with the bucket that it would have."""
    found = vars(target.local(platform.settings.folder))
    aws = Aws(account=account, region="us-east-1")
    return replace(Watched(**found), account=account, aws=aws)


def registered(home: Target, folder: Path) -> Config:
    """Return a project with an approved version in its account."""
    shutil.copytree(EXAMPLE, folder / "project")
    path = folder / "project" / file.FILE
    path.write_text(path.read_text() + PROD)
    config = file.read(path)
    pack(train(folder / "trained", {}, num_round="20").folder, folder / "model.tar.gz")
    store.ensure_bucket(home)
    uri = store.put_one(home, f"{config.name}/model", folder / "model.tar.gz", ".tar.gz")
    sagemaker = home.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=config.name)
    sagemaker.create_model_package(
        ModelPackageGroupName=config.name,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    return config


def test_the_stage_is_there_and_the_version_stays_at_home(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One platform is both accounts: its buckets tell them apart, and who called what."""
    home, there = watched(platform, "000000000000"), watched(platform, OTHER)
    monkeypatch.setattr("boostline.deploy.stage.of_stage", lambda *_: there)
    config = registered(home, tmp_path)
    stage = Stage(home, config, "prod")
    with pytest.raises(TargetError, match=f"bootstrap` makes one in account {OTHER}"):
        stage.deploy(None)
    assert stage.version() is None
    Bootstrap(target.local(platform.settings.folder), config, str).apply()
    home.calls.clear()
    there.calls.clear()

    assert stage.deploy(None).outcome is not None

    assert home.calls == MODEL_PACKAGES | ARTIFACTS
    assert not there.calls & MODEL_PACKAGES
    (stack,) = platform.client("cloudformation").describe_stacks(StackName="customer-churn--prod")[
        "Stacks"
    ]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert given["Bucket"] == there.bucket
    assert given["ApiDocument"].startswith(f"s3://{there.bucket}/")
    assert ":000000000000:model-package/" in given["ModelPackageArn"]
    assert registry.passed(registry.version(home, config.name, 1), "prod")
    kept = platform.client("s3").list_objects_v2(Bucket=home.bucket)["Contents"]
    assert [item["Key"].rpartition(".")[2] for item in kept] == ["gz"]
    stage.destroy()
    assert Stack(there, "customer-churn--prod", str).describe() is None
