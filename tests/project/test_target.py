from __future__ import annotations

import os
from pathlib import Path

import pytest

from boostline.project import file, target
from boostline.project.target import TargetError
from tests.conftest import RunningPlatform

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
AWS = '[aws]\naccount = "{account}"\nregion = "us-east-1"\nrole = "ml"\n[tags]'


def project(folder: Path, account: str) -> Path:
    text = (EXAMPLE / file.FILE).read_text().replace("data/churn.csv", str(EXAMPLE / "data"))
    path = folder / file.FILE
    path.write_text(text.replace("[tags]", AWS.format(account=account)))
    return path


def test_the_local_target_heeds_nothing_of_the_environment(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoys = {
        "AWS_ACCESS_KEY_ID": "AKIADECOYDECOYDECOY0",
        "AWS_SECRET_ACCESS_KEY": "decoy",
        "AWS_SESSION_TOKEN": "decoy",
        "AWS_PROFILE": "decoy",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_REGION": "eu-west-3",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    for name, text in decoys.items():
        monkeypatch.setenv(name, text)
    found = target.local(platform.settings.folder)
    assert found.client("sts").get_caller_identity()["Account"] == platform.settings.account
    assert found.client("s3").list_buckets()["Buckets"] == []


def test_no_platform_is_an_error_that_says_what_starts_one(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="boostline up"):
        target.local(tmp_path)


@pytest.mark.parametrize(("account", "refused"), [("000000000000", False), ("123456789012", True)])
def test_aws_is_asked_whose_credentials_these_are(
    platform: RunningPlatform,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    account: str,
    refused: bool,
) -> None:
    """The platform answers in AWS's place."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in platform.platform.address.exports().items():
        monkeypatch.setenv(name, text)
    config = file.read(project(tmp_path, account))
    if refused:
        with pytest.raises(TargetError, match="nothing was done"):
            target.aws(config)
    else:
        found = target.aws(config)
        assert found.role == f"arn:aws:iam::{account}:role/ml"
        assert found.image.startswith(f"{account}.dkr.ecr.us-east-1.amazonaws.com/boostline-model:")


def test_aws_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(TargetError, match="does not say whose credentials"):
        target.aws(file.read(project(tmp_path, "123456789012")))
