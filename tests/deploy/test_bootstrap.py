"""The stacks of an account and a project, on a real platform."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from boostline.deploy.bootstrap import Bootstrap, ParameterError, Plan
from boostline.project import file, target
from boostline.project.config import Aws, Config
from tests.conftest import RunningPlatform

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
GITHUB = {
    "ApprovalStarts": "github",
    "GitHubRepository": "owner/churn",
    "GitHubTokenSecretArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:github-AbCdEf",
}
CONNECTION = "arn:aws:codeconnections:us-east-1:000000000000:connection/0a1b-2c3d"
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
