"""The bench of these tests: a platform whose images are programs of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import Bench, images


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, Any]:
    return {"images": images(tmp_path / "programs")}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    return Bench(platform, tmp_path / "programs")
