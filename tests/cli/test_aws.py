"""`boostline aws` on a platform, as a person types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import RunningPlatform

BIN = Path(sys.executable).parent
EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"


PROJECT = """
[aws]
account = "000000000000"
region = "us-east-1"

[aws.parameters]
"""


def run(
    platform: RunningPlatform, *arguments: str, project: Path = EXAMPLE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "boostline", *arguments],
        cwd=project,
        env={**os.environ, "BOOSTLINE_DIR": str(platform.settings.folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def aws(
    platform: RunningPlatform, *arguments: str, project: Path = EXAMPLE, **environment: str
) -> str:
    done = run(platform, "aws", *arguments, project=project, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_parameters(folder: Path, **parameters: str) -> Path:
    """Return a copy of the example with parameters for its stacks."""
    project = Path(shutil.copytree(EXAMPLE, folder / "project"))
    lines = [f'{name} = "{text}"\n' for name, text in parameters.items()]
    with (project / "boostline.toml").open("a") as file:
        file.write(PROJECT + "".join(lines))
    return project


def test_bootstrap_shows_what_it_would_do_then_does_it(platform: RunningPlatform) -> None:
    planned = aws(platform, "bootstrap", "--dry-run")
    assert "stack boostline:\n  Add      Bucket (S3::Bucket)\n" in planned
    assert "stack boostline-customer-churn:\n" in planned
    outputs = json.loads(aws(platform, "bootstrap", "--json"))
    assert outputs["ModelPackageGroupName"] == "customer-churn"
    assert "  would not change\n" in aws(platform, "bootstrap", "--dry-run")
    assert json.loads(aws(platform, "bootstrap", "--dry-run", "--json")) == {
        "boostline": [],
        "boostline-customer-churn": [],
    }
    said = aws(platform, "bootstrap")
    assert "stack boostline: nothing would change" in said
    assert f"PipelineRoleArn        {outputs['PipelineRoleArn']}\n" in said


def test_the_platform_takes_images_from_here(platform: RunningPlatform) -> None:
    assert "the local platform takes it from here" in aws(platform, "push-images")
    (image,) = json.loads(aws(platform, "push-images", "--dry-run", "--json"))
    assert image["engine"] == ""


def test_a_mistake_in_the_parameters_is_one_sentence(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    project = with_parameters(tmp_path, GithubRepository="o/r")
    done = run(platform, "aws", "bootstrap", project=project)
    assert done.returncode == 2
    assert "[aws.parameters] has GithubRepository; it may have " in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_account_is_made_ready_by_what_a_person_types(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    """The platform stands for the account here, as it does for any AWS tool."""
    key = platform.platform.credentials
    account = {
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "BOOSTLINE_TARGET": "aws",
    }
    project = with_parameters(
        tmp_path,
        ApprovalStarts="github",
        GitHubRepository="owner/churn",
        GitHubTokenSecretArn="arn:aws:secretsmanager:us-east-1:000000000000:secret:github-AbCdEf",
    )
    refused = run(platform, "run", project=project, **account)
    assert refused.returncode == 3
    assert "[aws] has no role: `boostline aws bootstrap` makes one" in refused.stderr
    said = aws(platform, "bootstrap", project=project, **account)
    assert 'role = "arn:aws:iam::000000000000:role/boostline/customer-churn/' in said
    assert "gh variable set BOOSTLINE_ROLE --body arn:aws:iam::000000000000:role/" in said
    assert "gh variable set BOOSTLINE_ROLE --env prod --body arn:aws:iam::" in said
    assert "gh variable set BOOSTLINE_REGION --body us-east-1" in said
    assert "next: boostline aws push-images --target aws" in said
