"""The images of the other flavors: `make images FLAVORS=lightgbm`, and catboost likewise."""

from pathlib import Path

import pytest

from boostline.artifact.folder import open_artifact
from tests.images.conftest import NAME, find_image, run_line

pytestmark = [pytest.mark.slow, pytest.mark.image]


@pytest.mark.parametrize("flavor", ["lightgbm", "catboost"])
def test_an_image_of_one_flavor(flavor: str, tmp_path: Path) -> None:
    image = find_image(f"{NAME}-{flavor}")
    assert image.inspect()["Config"]["Labels"]["boostline.flavors"] == flavor
    assert image.above_base <= 800_000_000
    line = run_line(image, tmp_path, (), {"flavor": flavor})
    assert open_artifact(line.model).manifest.flavor == flavor
