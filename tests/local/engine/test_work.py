from __future__ import annotations

from typing import Any

import pytest

from boostline.local.engine.work import call
from boostline.local.runners.base import Call


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [
        ({}, (), Call("image")),
        ({}, ("train",), Call("image", (), ("train",))),
        ({"ContainerArguments": ["fit"]}, ("train",), Call("image", (), ("fit",))),
        ({"ContainerEntrypoint": ["own"]}, ("train",), Call("image", ("own",), ())),
        (
            {"ContainerEntrypoint": ["own"], "ContainerArguments": ["fit"]},
            ("train",),
            Call("image", ("own",), ("fit",)),
        ),
    ],
)
def test_call_follows_docker(
    given: dict[str, Any], default: tuple[str, ...], expected: Call
) -> None:
    assert call("image", given, *default) == expected
