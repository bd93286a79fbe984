"""What is asked of ECR and of an engine, by a registry and an engine that take notes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from boostline import __version__
from boostline.deploy import images
from boostline.deploy.images import GATEWAY, ImageError
from boostline.project.config import Aws
from boostline.project.target import Target
from tests.conftest import session

ACCOUNT, REGION = "123456789012", "eu-central-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
MODEL = f"boostline-model:{__version__}"
FLAVOR = "xgboost"
PASSWORD = "secret:with-colon"
# Notes its arguments and its input; has the images that a file beside it lists.
ENGINE = """#!/bin/sh
PATH=/usr/bin:/bin
here=$(dirname "$0")
case "$1" in
  image) grep -qx "$3" "$here/images" || exit 1; exit ;;
  login) echo "login $2 $3 $4 $5 $(cat)" >> "$here/log" ;;
  *) echo "$*" >> "$here/log" ;;
esac
[ "$1" != push ] || [ ! -e "$here/broken" ] || { echo no space >&2; exit 1; }
"""


class Registry:
    """ECR as far as a push asks it; clients of it are strict, as every target's are."""

    def __init__(self) -> None:
        self.repositories: dict[str, set[str]] = {
            "boostline-model": set(),
            "boostline-gateway": set(),
        }
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                operation = self.headers["X-Amz-Target"].partition(".")[2]
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = registry.answer(operation, json.loads(body))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(operation)
        if operation == "GetAuthorizationToken":
            token = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
            return 200, {"authorizationData": [{"authorizationToken": token}]}
        assert operation == "DescribeImages"
        tags = self.repositories.get(request["repositoryName"])
        if tags is None:
            return 400, {"__type": "RepositoryNotFoundException", "message": "no such"}
        if request["imageIds"][0]["imageTag"] not in tags:
            return 400, {"__type": "ImageNotFoundException", "message": "no such"}
        return 200, {"imageDetails": []}


@pytest.fixture
def registry() -> Iterator[Registry]:
    found = Registry()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def target(registry: Registry) -> Target:
    return _target(registry)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an engine that has both images."""
    program = tmp_path / "docker"
    program.write_text(ENGINE)
    program.chmod(0o755)
    (tmp_path / "images").write_text(f"{MODEL}\n{GATEWAY}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _target(registry: Registry, **settings: Any) -> Target:
    url = f"http://127.0.0.1:{registry.server.server_address[1]}"
    aws = Aws(account=ACCOUNT, region=REGION, **settings)
    return Target("aws", ACCOUNT, REGION, session("key", "secret", REGION), url, aws)


def test_images_are_pushed_and_the_login_ends(
    registry: Registry, target: Target, engine: Path
) -> None:
    said: list[str] = []
    images.push(target, images.plan(target, FLAVOR), said.append)
    lines = (engine / "log").read_text().splitlines()
    for place, name in enumerate((MODEL, GATEWAY)):
        assert lines[4 * place : 4 * place + 4] == [
            f"login --username AWS --password-stdin {REGISTRY} {PASSWORD}",
            f"tag {name} {REGISTRY}/{name}",
            f"push {REGISTRY}/{name}",
            f"logout {REGISTRY}",
        ]
    assert said == [f"{name} → {REGISTRY}/{name}" for name in (MODEL, GATEWAY)]


def test_podman_pushes_the_manifest_that_sagemaker_takes(target: Target, engine: Path) -> None:
    (engine / "docker").rename(engine / "podman")
    images.push(target, images.plan(target, FLAVOR), str)
    assert f"push --format v2s2 {REGISTRY}/{MODEL}" in (engine / "log").read_text()


def test_a_plan_only_reads(registry: Registry, target: Target, engine: Path) -> None:
    assert [image.engine for image in images.plan(target, FLAVOR)] == ["docker", "docker"]
    assert {*registry.asked} == {"DescribeImages"}
    assert not (engine / "log").exists()


def test_a_tag_is_never_overwritten(registry: Registry, target: Target, engine: Path) -> None:
    registry.repositories["boostline-model"].add(__version__)
    (engine / "images").write_text("")
    (model,) = images.plan(target, FLAVOR)
    assert (model.engine, model.why) == ("", "it is in the registry already")
    images.push(target, [model], str)
    assert not (engine / "log").exists()


def test_an_image_of_another_flavor(registry: Registry, target: Target, engine: Path) -> None:
    with pytest.raises(ImageError, match=f"{MODEL}-lightgbm is neither .*FLAVORS=lightgbm"):
        images.plan(target, "lightgbm")
    (engine / "images").write_text(f"{MODEL}\n{MODEL}-lightgbm\n")
    images.push(target, images.plan(target, "lightgbm"), str)
    lines = (engine / "log").read_text().splitlines()
    assert [line for line in lines if "push" in line] == [f"push {REGISTRY}/{MODEL}-lightgbm"]


def test_an_image_of_the_users_own(registry: Registry, engine: Path) -> None:
    registry.repositories["churn"] = set()
    (engine / "images").write_text("churn:7\n")
    target = _target(registry, image=f"{REGISTRY}/churn:7")
    for flavor in (FLAVOR, "lightgbm"):
        assert [image.name for image in images.plan(target, flavor)] == ["churn:7"]
    elsewhere = _target(registry, image="ghcr.io/owner/churn:7")
    assert [image.why for image in images.plan(elsewhere, FLAVOR)] == [
        f"[aws] image is not in {REGISTRY}"
    ]


def test_what_is_missing_is_named(registry: Registry, target: Target, engine: Path) -> None:
    (engine / "images").write_text("")
    with pytest.raises(ImageError, match=f"{MODEL} is neither in .* nor here: `make images`"):
        images.plan(target, FLAVOR)
    registry.repositories.clear()
    with pytest.raises(ImageError, match=r"no repository boostline-model .* aws bootstrap"):
        images.plan(target, FLAVOR)


def test_the_engines_words_are_told_and_the_login_ends(target: Target, engine: Path) -> None:
    (engine / "broken").touch()
    with pytest.raises(ImageError, match="docker push: no space"):
        images.push(target, images.plan(target, FLAVOR), str)
    assert (engine / "log").read_text().splitlines()[-1] == f"logout {REGISTRY}"
