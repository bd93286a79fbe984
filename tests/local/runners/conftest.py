"""A container engine, and images of it, for the tests here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.runners.engine_bench import engine, images


@pytest.fixture(scope="session")
def engine_url() -> Iterator[str]:
    """The address of an engine that has the images of `engine_bench`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # an ordinary user is let in, too
        for url in engine(Path(folder)):
            with images(url):
                yield url


@pytest.fixture
def docker_host(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what runs here find that engine."""
    monkeypatch.setenv("DOCKER_HOST", engine_url)
