from __future__ import annotations

import pytest

from boostline.local.runners.images import UnknownImage, command_line, resolve

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


@pytest.mark.parametrize(
    ("override", "given", "expected"),
    [
        (None, None, ("image", "train")),
        (None, ["fit"], ("image", "fit")),
        (["own"], None, ("own",)),
        (["own"], ["fit"], ("own", "fit")),
    ],
)
def test_command_line_follows_docker(
    override: list[str] | None, given: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert command_line(("image",), ("train",), override, given) == expected
