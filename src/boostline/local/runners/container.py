"""Programs in containers: an image itself runs, on the host's network."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import DockerException, ImageNotFound
from docker.types import CancellableStream
from docker.utils import parse_bytes

from boostline.local.runners.base import (
    LOOPBACK,
    ML,
    PORT,
    Command,
    Ending,
    Program,
    RunnerError,
    Sink,
    UnknownImage,
    free_port,
)
from boostline.local.runners.engine import FAILED, connect, reason, refused, rootless
from boostline.local.runners.output import Output
from boostline.local.runners.programs import CODE

LOG = logging.getLogger(__name__)
PLATFORM, OWNER = "boostline.platform", "boostline.owner"  # labels of a container
TAKES_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"  # label of an image
ONLY_PORT = 8080  # of the images that do not say that they take another
ENGINE_LOST = 125  # exit code where nobody can tell it any more
PATIENCE = 5.0  # seconds for the last output of a program that has ended
ROOT = ("", "0", "root")


class ContainerRunner:
    """Starts the images of the container engine that is found; nothing is ever pulled.

    Parameters
    ----------
    platform
        Which platform's containers they are: its label, the same after a restart.
    memory
        What each container may have, as Docker writes it (`512m`, `4g`); nothing: no limit.
    """

    def __init__(self, platform: str, memory: str = "") -> None:
        try:
            parse_bytes(memory)
        except DockerException:
            raise RunnerError(f"memory {memory!r}: give a number and k, m or g, as in 4g") from None
        self._engine = connect()
        self._labels = {PLATFORM: platform}
        self._limits = {"mem_limit": memory, "memswap_limit": memory} if memory else {}
        self._lock = threading.Lock()
        self._holder = ""  # who has `ONLY_PORT`

    def identity(self, image: str) -> dict[str, str]:
        """Return the image's digest, as `Runner` says."""
        return {CODE: self._image(image)["Id"].removeprefix("sha256:")}

    def require(self, image: str) -> None:
        """Refuse an image that the engine does not have."""
        self._image(image)

    def port(self, image: str) -> int:
        """Return a free port, or the only one of an image that takes no other."""
        labels = self._image(image)["Config"].get("Labels") or {}
        return free_port() if labels.get(TAKES_PORT) == "true" else ONLY_PORT

    def start(self, command: Command, sink: Sink) -> Program:
        """Start an image, as `Runner` says."""
        call = command.call
        image = self._image(call.image)
        with refused(f"{command.owner}: {call.image}"), contextlib.ExitStack() as at_end:
            self._claim(command, at_end)
            _open_to(image["Config"].get("User") or "", command.folder)
            made = self._engine.create_container(
                image["Id"],
                entrypoint=call.entrypoint or None,
                command=call.arguments,
                environment=dict(command.environment),
                labels={**self._labels, OWNER: command.owner},
                host_config=self._host_config(command.folder, command.read_only, **self._limits),
            )["Id"]
            at_end.callback(self._remove, made)
            return _Container(self._engine, made, sink, command.owner, at_end)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._engine.close()

    def end_left_over(self) -> list[str]:
        """End the containers of an earlier platform, as `Runner` says."""
        (label,) = (f"{name}={value}" for name, value in self._labels.items())
        with refused("the containers of an earlier platform"):
            found = self._engine.containers(all=True, filters={"label": label})
        for container in found:
            self._remove(container["Id"])
        return [container["Labels"].get(OWNER, "") for container in found]

    def _image(self, uri: str) -> Any:
        names = list(_names(uri))
        for name in names:
            with refused(uri), contextlib.suppress(ImageNotFound):
                return self._engine.inspect_image(name)
        raise UnknownImage(
            f"the container engine has no image {uri!r} (looked for: {', '.join(names)}), and "
            f"nothing is pulled unasked: build it and tag it {names[-1]!r}, or pull it by its name"
        )

    def _claim(self, command: Command, at_end: contextlib.ExitStack) -> None:
        """Take `ONLY_PORT` if the program is to have it."""
        if command.environment.get(PORT) != str(ONLY_PORT):
            return
        with self._lock:
            if self._holder or _listening(ONLY_PORT):
                raise RunnerError(
                    f"{command.call.image} can only listen at port {ONLY_PORT}, which "
                    f"{self._holder or 'another program of this host'} has: end that first, or, if "
                    f"the image listens at ${PORT}, say so by its LABEL {TAKES_PORT}=true"
                )
            self._holder = command.owner
        at_end.callback(setattr, self, "_holder", "")

    def _host_config(self, ml: Path, read_only: Iterable[str], **limits: str) -> Any:
        """Return mounts and network; SELinux lets no container at what is not labelled."""
        binds = [f"{ml}:{ML}", *(f"{ml / name}:{ML}/{name}:ro" for name in read_only)]
        return self._engine.create_host_config(
            binds=binds,
            network_mode="host",
            extra_hosts={"algo-1": LOOPBACK},
            log_config={"Type": "none"},  # the platform keeps the lines
            security_opt=["label=disable"],
            **limits,
        )

    def _remove(self, container: str) -> None:
        """End a container at once, if it runs, and leave nothing of it that is not ours."""
        try:
            found = self._engine.inspect_container(container)
            with contextlib.suppress(*FAILED):  # it has ended
                self._engine.kill(container, "SIGKILL")
            self._engine.remove_container(container, v=True, force=True)
            for mount in found["Mounts"]:
                if mount["Destination"] == ML:
                    self._give_back(found["Image"], Path(mount["Source"]))
        except FAILED as error:
            LOG.warning("container %s: %s", container, reason(error))

    def _give_back(self, image: str, ml: Path) -> None:
        """Let a program of the image make its files the platform's, which could not read them."""
        own = os.geteuid()
        if own == 0 or all(path.lstat().st_uid == own for path in ml.rglob("*")):
            return
        # Without root an engine's containers see the user as root.
        owner = "0:0" if rootless(self._engine.info()) else f"{own}:{os.getegid()}"
        made = self._engine.create_container(
            image,
            entrypoint=["chown", "-R", owner, ML],
            user="0:0",
            labels=self._labels,
            host_config=self._host_config(ml, ()),
        )["Id"]
        self._engine.start(made)
        self._engine.wait(made, timeout=None)
        self._engine.remove_container(made, v=True, force=True)


class _Container(Ending):
    """A started container; see `Program`."""

    def __init__(
        self,
        engine: APIClient,
        container: str,
        sink: Sink,
        owner: str,
        at_end: contextlib.ExitStack,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._id = container
        stream = engine.attach(container, stream=True)  # before it starts: no line is lost
        engine.start(container)
        reading, writing = os.pipe()
        self._output = Output(open(reading, "rb", buffering=0), sink)  # noqa: SIM115
        self.tail = self._output.tail
        self._at_end = at_end.pop_all()
        threading.Thread(target=self._run, args=(stream, writing), name=owner, daemon=True).start()

    def stop(self, grace: float) -> int:
        self._signal("SIGTERM")
        if self.wait(grace) is None:
            self._signal("SIGKILL")
        return self._code.result()

    def _signal(self, name: str) -> None:
        with contextlib.suppress(*FAILED):  # it has ended
            self._engine.kill(self._id, name)

    def _run(self, stream: CancellableStream, writing: int) -> None:
        code = ENGINE_LOST
        with open(writing, "wb", buffering=0) as pipe:
            try:
                pipe.writelines(stream)
                stream._response.close()  # noqa: SLF001 - `close` leaves the socket open
                code = self._engine.wait(self._id, timeout=None)["StatusCode"]
            except FAILED as error:
                pipe.write(f"the container engine was lost: {reason(error)}\n".encode())
        self._output.close(PATIENCE)
        self._at_end.close()
        self._code.set_result(code)


def _names(uri: str) -> Iterator[str]:
    """Return what an image may be called here: a registry's is also looked for without it."""
    registry, _, rest = uri.partition("/")
    yield uri
    short = rest if rest and ("." in registry or ":" in registry) else uri
    yield f"localhost/{short}"
    if short != uri:
        yield short


def _open_to(user: str, ml: Path) -> None:
    """Let an image's own user into its `/opt/ml`; the platform's folder keeps out everybody."""
    if user.partition(":")[0] not in ROOT:
        for path in (ml, *ml.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o666))


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
