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


def aws(platform: RunningPlatform, *arguments: str | Path) -> str:
    done = subprocess.run(
        [BIN / "boostline", "aws", *arguments],
        cwd=EXAMPLE,
        env={**os.environ, "BOOSTLINE_DIR": str(platform.settings.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    project = Path(shutil.copytree(EXAMPLE, tmp_path / "project"))
    with (project / "boostline.toml").open("a") as file:
        file.write('[aws]\naccount = "000000000000"\nregion = "us-east-1"\n')
        file.write('[aws.parameters]\nGithubRepository = "o/r"\n')
    done = subprocess.run(
        [BIN / "boostline", "aws", "bootstrap", "--dir", platform.settings.folder],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "[aws.parameters] has GithubRepository; it may have " in done.stderr
    assert done.stderr.count("\n") == 1
