"""A container engine, and images of it, for the tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.runners.engine_bench import engine, images


@pytest.fixture(scope="session")
def engine_url() -> Iterator[str]:
    """The address of an engine that has the images of `engine_bench`."""
    with engine() as url, images(url):
        yield url


@pytest.fixture
def docker_host(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what runs here find that engine."""
    monkeypatch.setenv("DOCKER_HOST", engine_url)
