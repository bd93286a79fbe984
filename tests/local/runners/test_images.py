from __future__ import annotations

import pytest

from boostline.local.runners.base import UnknownImage
from boostline.local.runners.images import resolve

IMAGES = {"*/churn:*": ("churn", "--local"), "*": ("any",)}


def test_first_pattern_that_matches_counts() -> None:
    assert resolve(IMAGES, "000000000000.dkr.ecr.us-east-1.amazonaws.com/churn:1") == (
        "churn",
        "--local",
    )
    assert resolve(IMAGES, "other") == ("any",)


def test_unknown_image_is_named_with_what_is_known() -> None:
    with pytest.raises(UnknownImage, match=r"'other'.*'\*/churn:\*'"):
        resolve({"*/churn:*": ("churn",)}, "other")
