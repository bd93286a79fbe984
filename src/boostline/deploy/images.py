"""Images on their way from this machine to the account's registry."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from boostline import __version__
from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target

GATEWAY = f"boostline-gateway:{__version__}"
# SageMaker takes Docker's manifests (version 2, schema 2), and not OCI's, which Podman would make.
PUSH = {"docker": ("push",), "podman": ("push", "--format", "v2s2")}


class ImageError(BoostlineError):
    """An image that cannot be pushed; the message says what to do."""


@dataclass(frozen=True)
class Image:
    """An image, as this machine and as the registry call it.

    `engine` has it here; it is empty if nothing is to be pushed, and `why` says why.
    """

    name: str
    uri: str
    engine: str = ""
    why: str = ""


def plan(target: Target, flavor: str) -> list[Image]:
    """Return what a project of a flavor needs pushed; requests only read.

    The model's image has to be there, in the registry or here; the function's is pushed if it is
    here. A tag of the registry is never overwritten: its tags are immutable.

    Raises
    ------
    ImageError
        If the model's image is nowhere, or its repository is not there.
    """
    registry = f"{target.account}.dkr.ecr.{target.region}.amazonaws.com"
    uri = target.image(flavor)
    place, _, name = uri.partition("/")
    if target.name == "local":
        return [Image(name, uri, why="the local platform takes it from here")]
    if place != registry:
        return [Image(name, uri, why=f"[aws] image is not in {registry}")]
    model = _found(target, name, uri)
    if not model.engine and not model.why:
        raise ImageError(
            f"{name} is neither in {registry} nor here: `make images` of Boostline builds "
            "boostline-model, with FLAVORS=lightgbm the one of that flavor, and what is built upon "
            "it is yours (docs/images.md)"
        )
    gateway = _found(target, GATEWAY, f"{registry}/{GATEWAY}")
    return [model, *([gateway] if gateway.engine or gateway.why else [])]


def push(target: Target, images: Sequence[Image], report: Callable[[str], object]) -> None:
    """Push what `plan` has found.

    Raises
    ------
    ImageError
        If the engine refuses, in its own words.
    """
    for image in images:
        if image.engine:
            with _logged_in(target, image) as engine:
                report(f"{image.name} → {image.uri}")
                _run(engine, "tag", image.name, image.uri)
                _run(engine, *PUSH[engine], image.uri)


def _found(target: Target, name: str, uri: str) -> Image:
    if _is_pushed(target, name):
        return Image(name, uri, why="it is in the registry already")
    engine = next((each for each in PUSH if _has(each, name)), "")
    return Image(name, uri, engine)


def _is_pushed(target: Target, name: str) -> bool:
    repository, _, tag = name.partition(":")
    ecr = target.client("ecr")
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag or "latest"}])
    except ecr.exceptions.ImageNotFoundException:
        return False
    except ecr.exceptions.RepositoryNotFoundException:
        raise ImageError(
            f"there is no repository {repository} in account {target.account}, {target.region}: "
            "`boostline aws bootstrap` makes boostline-model and boostline-gateway"
        ) from None
    return True


def _has(engine: str, name: str) -> bool:
    if shutil.which(engine) is None:
        return False
    asked = [engine, "image", "inspect", name]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@contextmanager
def _logged_in(target: Target, image: Image) -> Iterator[str]:
    """Let an engine into the registry for as long as the block lasts."""
    (found,) = target.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    registry = image.uri.partition("/")[0]
    login = ("login", "--username", user, "--password-stdin", registry)
    _run(image.engine, *login, given=password)
    try:
        yield image.engine
    finally:
        _run(image.engine, "logout", registry)


def _run(engine: str, *arguments: str, given: str | None = None) -> None:
    done = subprocess.run(
        [engine, *arguments], input=given, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise ImageError(f"{engine} {arguments[0]}: {said}")
