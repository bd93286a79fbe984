"""Programs in containers: an image itself runs, on the host's network."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound
from docker.utils import parse_bytes

from boostline.contracts.ports import LOOPBACK, free_port
from boostline.local.runners.base import (
    ML,
    PORT,
    Command,
    Program,
    RunnerError,
    Sink,
    UnknownImage,
)
from boostline.local.runners.engine import FAILED, connect, reason, refused, rootless
from boostline.local.runners.output import Output
from boostline.local.runners.programs import CODE

LOG = logging.getLogger(__name__)
PLATFORM, OWNER = "boostline.platform", "boostline.owner"  # labels of a container
TAKES_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"  # label of an image
ONLY_PORT = 8080  # of the images that do not say that they take another
ENGINE_LOST = 125  # exit code where nobody can tell it any more
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
        self._platform = platform
        self._limits = {"mem_limit": memory, "memswap_limit": memory} if memory else {}
        self._lock = threading.Lock()
        self._holder: _Container | None = None  # who had `ONLY_PORT` last

    def identity(self, image: str) -> dict[str, str]:
        """Return the image's digest, as `Runner` says."""
        return {CODE: self._image(image).id.removeprefix("sha256:")}

    def require(self, image: str) -> None:
        """Refuse an image that the engine does not have."""
        self._image(image)

    def port(self, image: str) -> int:
        """Return a free port, or the only one of an image that takes no other."""
        takes = self._image(image).labels.get(TAKES_PORT) == "true"
        return free_port() if takes else ONLY_PORT

    def start(self, command: Command, sink: Sink) -> Program:
        """Start an image, as `Runner` says."""
        if command.environment.get(PORT) != str(ONLY_PORT):
            return self._start(command, sink)
        with self._lock:
            held = self._holder is not None and self._holder.wait(0) is None
            if held or _listening(ONLY_PORT):
                ours = self._holder and held and self._holder.owner
                raise RunnerError(
                    f"{command.call.image} can only listen at port {ONLY_PORT}, which "
                    f"{ours or 'another program of this host'} has: end that first, or, if "
                    f"the image listens at ${PORT}, say so by its LABEL {TAKES_PORT}=true"
                )
            self._holder = self._start(command, sink)
            return self._holder

    def close(self) -> None:
        """Close the connections to the engine."""
        self._engine.close()

    def end_left_over(self) -> list[str]:
        """End the containers of an earlier platform, as `Runner` says."""
        mine = {"label": f"{PLATFORM}={self._platform}"}
        with refused("the containers of an earlier platform"):
            found = self._engine.containers.list(all=True, filters=mine)
        for container in found:
            self._remove(container)
        return [container.labels.get(OWNER, "") for container in found]

    def _start(self, command: Command, sink: Sink) -> _Container:
        call = command.call
        image = self._image(call.image)
        with refused(f"{command.owner}: {call.image}"):
            _open_to(image.attrs["Config"].get("User") or "", command.folder)
            container = self._engine.containers.create(
                image,
                entrypoint=call.entrypoint or None,
                command=call.arguments,
                environment=dict(command.environment),
                labels={PLATFORM: self._platform, OWNER: command.owner},
                **_host(command.folder, command.read_only),
                **self._limits,
            )
            try:
                return _Container(container, sink, command.owner, self._remove)
            except FAILED:
                self._remove(container)
                raise

    def _image(self, uri: str) -> Any:
        names = list(_names(uri))
        for name in names:
            with refused(uri), contextlib.suppress(ImageNotFound):
                return self._engine.images.get(name)
        raise UnknownImage(
            f"the container engine has no image {uri!r} (looked for: {', '.join(names)}), and "
            f"nothing is pulled unasked: build it and tag it {names[-1]!r}, or pull it by its name"
        )

    def _remove(self, container: Any) -> None:
        """End a container at once, if it runs, and leave nothing of it that is not ours."""
        try:
            container.reload()
            with contextlib.suppress(*FAILED):  # it has ended
                container.kill("SIGKILL")
            container.remove(v=True, force=True)
            for mount in container.attrs["Mounts"]:
                if mount["Destination"] == ML:
                    self._give_back(container.attrs["Image"], Path(mount["Source"]))
        except FAILED as error:
            LOG.warning("container %s: %s", container.id, reason(error))

    def _give_back(self, image: str, ml: Path) -> None:
        """Let a program of the image make its files the platform's, which could not read them."""
        own = os.geteuid()
        if own == 0 or all(path.lstat().st_uid == own for path in ml.rglob("*")):
            return
        # Without root an engine's containers see the user as root.
        owner = "0:0" if rootless(self._engine.info()) else f"{own}:{os.getegid()}"
        program = {"entrypoint": ["chown", "-R", owner, ML], "user": "0:0"}
        labels = {PLATFORM: self._platform}
        self._engine.containers.run(image, labels=labels, remove=True, **program, **_host(ml))


class _Container(Program):
    """A started container; see `Program`."""

    def __init__(
        self, container: Any, sink: Sink, owner: str, remove: Callable[[Any], None]
    ) -> None:
        self.owner = owner
        self._container = container
        self._remove = remove
        stream = container.attach(stream=True)  # before it starts: no line is lost
        try:
            container.start()
        except FAILED:
            stream._response.close()  # noqa: SLF001 - `close` leaves the socket open
            raise
        reading, writing = os.pipe()
        self._output = Output(open(reading, "rb", buffering=0), sink)  # noqa: SIM115
        super().__init__(self._output.tail)
        threading.Thread(target=self._run, args=(stream, writing), name=owner, daemon=True).start()

    def stop(self, grace: float) -> int:
        self._signal("SIGTERM")
        if self.wait(grace) is None:
            self._signal("SIGKILL")
        return self._code.result()

    def _signal(self, name: str) -> None:
        with contextlib.suppress(*FAILED):  # it has ended
            self._container.kill(name)

    def _run(self, stream: Any, writing: int) -> None:
        code = ENGINE_LOST
        with open(writing, "wb", buffering=0) as pipe:
            try:
                pipe.writelines(stream)
                stream._response.close()  # noqa: SLF001 - `close` leaves the socket open
                code = self._container.wait(timeout=None)["StatusCode"]
            except FAILED as error:
                pipe.write(f"the container engine was lost: {reason(error)}\n".encode())
        self._output.close()
        self._remove(self._container)
        self._code.set_result(code)


def _host(ml: Path, read_only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return mounts and network; SELinux lets no container at what is not labelled."""
    return {
        "volumes": [f"{ml}:{ML}", *(f"{ml / name}:{ML}/{name}:ro" for name in read_only)],
        "network_mode": "host",
        "extra_hosts": {"algo-1": LOOPBACK},
        "log_config": {"Type": "none"},  # the platform keeps the lines
        "security_opt": ["label=disable"],
    }


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
