"""The stacks of an account and a project, on a real platform."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from boostline.deploy import stack
from boostline.deploy.bootstrap import Bootstrap, ParameterError, Plan, of_stage
from boostline.project import file, target
from boostline.project.config import Aws, Config
from tests.conftest import RunningPlatform, start

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
GITHUB = {
    "ApprovalStarts": "github",
    "GitHubRepository": "owner/churn",
    "GitHubTokenSecretArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:github-AbCdEf",
}
CONNECTION = "arn:aws:codeconnections:us-east-1:000000000000:connection/0a1b-2c3d"
KEY = "arn:aws:kms:us-east-1:000000000000:key/0a1b-2c3d"
OTHER = "222222222222"
ROLES = {"PipelineRoleArn", "ServingRoleArn", "FunctionRoleArn"}


def project(folder: Path, name: str, **parameters: str) -> Config:
    """Read the example under another name, with parameters in its [aws]."""
    place = folder / name
    shutil.copytree(EXAMPLE, place)
    path = place / file.FILE
    lines = [f'{each} = "{text}"' for each, text in parameters.items()]
    aws = '\n[aws]\naccount = "000000000000"\nregion = "us-east-1"\n[aws.parameters]\n'
    text = path.read_text().replace('name = "customer-churn"', f'name = "{name}"', 1)
    path.write_text(text + aws + "\n".join(lines) + "\n")
    return file.read(place)


def bootstrap(platform: RunningPlatform, config: Config) -> Bootstrap:
    return Bootstrap(target.local(platform.settings.folder), config, str)


def changed(plans: list[Plan]) -> dict[str, int | None]:
    return {plan.stack: None if plan.changes is None else len(plan.changes) for plan in plans}


def resources(platform: RunningPlatform, stack: str) -> dict[str, str]:
    found = platform.client("cloudformation").describe_stack_resources(StackName=stack)
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found["StackResources"]
    }


def test_a_plan_makes_nothing_and_a_second_time_changes_nothing(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    made = bootstrap(platform, project(tmp_path, "churn"))
    counts = changed(made.plan())
    assert [*counts] == ["boostline", "boostline-churn"]
    assert all(counts.values())
    assert platform.client("cloudformation").describe_stacks()["Stacks"] == []
    assert platform.client("s3").list_buckets()["Buckets"] == []
    outputs = made.apply()
    assert outputs.keys() >= {*ROLES, "BucketName", "DeployerPolicyArn"}
    # Locally an approval starts what stands for the CodePipeline.
    assert "ApprovalRule" in resources(platform, "boostline-churn")
    assert changed(made.plan()) == {"boostline": 0, "boostline-churn": 0}


def test_what_is_there_already_is_adopted(platform: RunningPlatform, tmp_path: Path) -> None:
    """Whoever has run a pipeline before has a bucket and a registry."""
    config = project(tmp_path, "churn")
    here = target.local(platform.settings.folder)
    platform.client("s3").create_bucket(Bucket=here.bucket)
    platform.client("sagemaker").create_model_package_group(ModelPackageGroupName="churn")
    bootstrap(platform, config).apply()
    assert resources(platform, "boostline-churn")["ModelPackageGroup"].endswith("/churn")


def test_projects_share_an_account_and_leave_each_others_parameters(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    first = bootstrap(platform, project(tmp_path, "churn", **GITHUB)).apply()
    assert "DeployerRoleArn" in first
    assert "GitHubDestination" in resources(platform, "boostline-churn")
    second = bootstrap(platform, project(tmp_path, "fraud"))
    assert changed(second.plan())["boostline"] == 0
    assert second.apply()["DeployerRoleArn"] == first["DeployerRoleArn"]
    (account,) = platform.client("cloudformation").describe_stacks(StackName="boostline")["Stacks"]
    assert not any(tag["Key"].startswith("sagemaker:project") for tag in account["Tags"])


def test_no_project_moves_the_bucket_of_others(platform: RunningPlatform, tmp_path: Path) -> None:
    config = project(tmp_path, "churn")
    bootstrap(platform, config).apply()
    here = target.local(platform.settings.folder)
    aws = Aws(account=here.account, region=here.region, bucket="another")
    with pytest.raises(ParameterError, match=f'say \\[aws\\] bucket = "{here.bucket}"'):
        Bootstrap(dataclasses.replace(here, aws=aws), config, str).plan()


def test_codepipelines_come_with_their_connection(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    config = project(tmp_path, "churn", ConnectionArn=CONNECTION, Repository="owner/churn")
    made = bootstrap(platform, config)
    assert changed(made.plan())["boostline-churn-CodePipeline"] is None
    assert made.apply()["DeliveryPipeline"] == "churn-delivery"
    assert changed(made.plan())["boostline-churn-CodePipeline"] == 0


@pytest.mark.parametrize("name", ["Nothing", "Project", "BucketName"])
def test_a_parameter_that_is_not_the_users_to_give(
    platform: RunningPlatform, tmp_path: Path, name: str
) -> None:
    config = project(tmp_path, "churn", **{name: "x"})
    with pytest.raises(ParameterError, match=f"has {name}; it may have .*GitHubRepository"):
        bootstrap(platform, config)


def with_stages(config: Config, **accounts: str) -> Config:
    """Return a project with stages in these accounts, by their names."""
    path = config.root / file.FILE
    tables = "".join(f'[stages.{it}.aws]\naccount = "{text}"\n' for it, text in accounts.items())
    path.write_text(path.read_text() + tables)
    return file.read(path)


def test_the_account_of_a_stage_has_roles_that_read_the_projects_versions(tmp_path: Path) -> None:
    config = with_stages(project(tmp_path, "churn", KmsKeyArn=KEY), prod=OTHER)
    own = of_stage(config, "prod")
    assert own.root == config.root
    for there in start(tmp_path / "platform", account=OTHER):
        outputs = bootstrap(there, own).apply()
        assert outputs["StageRoleArn"].startswith(f"arn:aws:iam::{OTHER}:role/boostline-deployers/")
        assert outputs["BucketName"] == f"boostline-us-east-1-{OTHER}"
        assert resources(there, "boostline-churn").keys() == {"ServingRole", "FunctionRole"}
        found = given(there, "boostline-churn")
        assert found["RegistryAccountId"] == "000000000000"
        assert found["RegistryKmsKeyArn"] == KEY
        assert found["KmsKeyArn"] == ""  # another account's key is not this one's
        assert found["RegistryBucket"] == "boostline-us-east-1-000000000000"


def test_the_projects_account_lets_the_stages_account_read(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stack.PACE, "aws", stack.PACE["local"])
    config = with_stages(project(tmp_path, "churn"), prod=OTHER, staging="000000000000")
    as_aws = dataclasses.replace(target.local(platform.settings.folder), name="aws")
    Bootstrap(as_aws, config, str).apply()
    for name in ("boostline", "boostline-churn"):
        assert given(platform, name)["ProdAccountId"] == OTHER
    more = with_stages(project(tmp_path, "fraud"), prod=OTHER, staging="333333333333")
    with pytest.raises(ParameterError, match=f"accounts {OTHER}, 333333333333"):
        Bootstrap(as_aws, more, str)


@pytest.mark.parametrize("stage", ["prod", "nowhere"])
def test_a_stage_in_the_projects_account_has_none_to_make_ready(tmp_path: Path, stage: str) -> None:
    config = with_stages(project(tmp_path, "churn"), prod="000000000000")
    with pytest.raises(ParameterError, match=f"stages.{stage}.aws"):
        of_stage(config, stage)


def given(platform: RunningPlatform, name: str) -> dict[str, str]:
    (found,) = platform.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}
