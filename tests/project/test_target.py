from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest

from boostline import __version__
from boostline.cli.platform import IMAGES
from boostline.project import file, target
from boostline.project.config import Config
from boostline.project.target import Target, TargetError, of_stage
from tests.conftest import RunningPlatform, session
from tests.project.sts import Sts

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
BUILD = Path(__file__).parents[2] / "images/build"
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
        model = f"{account}.dkr.ecr.us-east-1.amazonaws.com/boostline-model:{__version__}"
        assert found.image("xgboost") == model


@pytest.mark.parametrize("flavor", ["xgboost", "sklearn", "lightgbm", "catboost"])
def test_an_image_is_called_as_it_is_built(tmp_path: Path, flavor: str) -> None:
    """Else no runner of containers finds it; and installed programs stand for it all the same."""
    builder = tmp_path / "builder"
    builder.write_text('#!/bin/sh\nprintf %s "$1" >&2\nexit 1\n')
    builder.chmod(0o755)
    asked = {} if flavor in target.DEFAULT_FLAVORS else {"FLAVORS": flavor}
    environment = {**os.environ, "IMAGE_BUILDER": str(builder), "FLAVORS": "", **asked}
    done = subprocess.run([BUILD], env=environment, capture_output=True, text=True, check=False)
    found = Target("local", "000000000000", "us-east-1", session("key", "secret", "us-east-1"))
    assert found.image(flavor) == f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{done.stderr}"
    assert any(fnmatch(found.image(flavor), pattern) for pattern in IMAGES)


def test_aws_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(TargetError, match="does not say whose credentials"):
        target.aws(file.read(project(tmp_path, "123456789012")))


STAGE = '\n[stages.prod.aws]\naccount = "222222222222"\ndeployer_role = "{role}"\n'


@pytest.fixture
def sts(platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    """STS of two accounts, in an environment with the credentials of the first."""
    made = Sts(platform.platform.address)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in platform.platform.address.exports().items():
        monkeypatch.setenv(name, text)
    with made.listening() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield made


def in_two_accounts(folder: Path, role: str) -> Config:
    path = project(folder, "000000000000")
    path.write_text(path.read_text() + "[stages.staging]\n" + STAGE.format(role=role))
    return file.read(path)


def test_a_stage_in_another_account_is_reached_by_its_role(sts: Sts, tmp_path: Path) -> None:
    config = in_two_accounts(tmp_path, sts.role)
    home = target.aws(config)
    assert of_stage(home, config, "staging") is home
    assert sts.assumed == []
    there = of_stage(home, config, "prod")
    assert (there.account, there.region) == ("222222222222", home.region)
    assert there.bucket == "boostline-us-east-1-222222222222"
    assert there.client("sts").get_caller_identity()["Account"] == "222222222222"
    assert home.client("sts").get_caller_identity()["Account"] == "000000000000"
    assert there.client("s3").list_buckets()["Buckets"] == []
    assert sts.assumed == ["boostline-prod"]  # once, for all of its clients
    with pytest.raises(TargetError, match="aws bootstrap` makes one in account 222222222222"):
        _ = there.role


def test_a_role_is_assumed_anew_before_it_expires(sts: Sts, tmp_path: Path) -> None:
    config = in_two_accounts(tmp_path, sts.role)
    sts.lasts = timedelta(minutes=1)
    there = of_stage(target.aws(config), config, "prod")
    before = len(sts.assumed)
    there.client("s3").list_buckets()
    assert len(sts.assumed) > before


def test_a_role_of_another_account_than_the_stage_s_is_refused(sts: Sts, tmp_path: Path) -> None:
    config = in_two_accounts(tmp_path, sts.role)
    sts.account = "333333333333"
    with pytest.raises(TargetError) as error:
        of_stage(target.aws(config), config, "prod")
    assert str(error.value) == (
        "--target aws: these credentials are of account 333333333333, and [stages.prod.aws] "
        "account is 222222222222: nothing was done"
    )


def test_a_role_that_may_not_be_assumed_is_named(sts: Sts, tmp_path: Path) -> None:
    config = in_two_accounts(tmp_path, "arn:aws:iam::222222222222:role/other")
    with pytest.raises(TargetError, match=r"\[stages.prod.aws\].* assume .*role/other"):
        of_stage(target.aws(config), config, "prod")


def test_a_stage_without_its_role_says_what_makes_one(sts: Sts, tmp_path: Path) -> None:
    path = project(tmp_path, "000000000000")
    named = STAGE.replace('deployer_role = "{role}"', "")
    path.write_text(path.read_text() + named)
    config = file.read(path)
    with pytest.raises(TargetError, match="aws bootstrap --stage prod"):
        of_stage(target.aws(config), config, "prod")


def test_the_local_platform_is_one_account(platform: RunningPlatform, tmp_path: Path) -> None:
    config = in_two_accounts(tmp_path, "arn:aws:iam::222222222222:role/boostline")
    here: Target = target.local(platform.settings.folder)
    assert of_stage(here, config, "prod") is here
