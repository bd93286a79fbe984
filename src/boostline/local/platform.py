"""The platform: its settings, stores and services, put together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import importlib
import inspect
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from boostline.contracts.address import FILE as ADDRESS_FILE
from boostline.contracts.address import Address
from boostline.contracts.strict import message, problems
from boostline.local.operations import SERVICES
from boostline.local.runners.base import Runner
from boostline.local.runners.process import ProcessRunner
from boostline.local.service import Service
from boostline.local.store.blobs import Blobs
from boostline.local.store.database import Database
from boostline.local.store.events import Events
from boostline.local.store.logs import Logs
from boostline.local.store.metrics import Metrics
from boostline.local.store.objects import Objects
from boostline.local.store.resources import Resources
from boostline.local.wire.errors import invalid

ServiceType = TypeVar("ServiceType", bound=Service)


class PlatformInUse(Exception):
    """Another platform works in the folder."""


@dataclass(frozen=True)
class Settings:
    """What a platform is told at start.

    Parameters
    ----------
    folder
        Where its state lives; made if absent.
    port
        The loopback port; 0 takes a free one.
    images
        Which local program stands for an image: glob of the image URI → command line, to which the
        container's arguments are added. The first match counts.
    containers
        Whether the images themselves run, by a container engine, and not local programs.
    memory
        What a container may have of it, as Docker writes it (`4g`); nothing: no limit.
    targets
        Which command stands for a target of events: glob of the target's ARN → command line. The
        first match counts.
    deliveries
        How often each event is delivered: AWS says at least once.
    """

    folder: Path
    port: int = 4599
    account: str = "000000000000"
    region: str = "us-east-1"
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    containers: bool = False
    memory: str = ""
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deliveries: int = 1


@dataclass(frozen=True)
class Credentials:
    """The platform's own key, made at its first start and kept in a file of mode 0600."""

    access_key: str
    secret_key: str

    @classmethod
    def read(cls, folder: Path) -> Credentials:
        """Return the key in a platform's folder, making one if there is none."""
        path = folder / "credentials"
        if not path.exists():
            made = f"BOOSTLINE{secrets.token_hex(5).upper()}\n{secrets.token_urlsafe(30)}\n"
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(made)
            part.rename(path)
        return cls(*path.read_text().split())


class Platform:
    """One running platform. `start` takes up unfinished work; `stop` ends what it started.

    Raises
    ------
    PlatformInUse
        If another process works in the folder.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(self.folder)
        self.credentials = Credentials.read(self.folder)
        self.database = Database(self.folder / "platform.sqlite")
        self.blobs = Blobs(self.folder / "blobs")
        self.objects = Objects(self.database, self.blobs)
        self.resources = Resources(self.database)
        self.logs = Logs(self.database)
        self.metrics = Metrics()
        self.events = Events(self.database, settings.account, settings.region)
        self.port = settings.port
        self.loop: asyncio.AbstractEventLoop | None = None  # which serves requests, once it does
        self._services: dict[str, Service] = {}

    @functools.cached_property
    def runner(self) -> Runner:
        """What starts programs.

        Raises
        ------
        RunnerError
            If no container engine answers.
        """
        if not self.settings.containers:
            return ProcessRunner(self.database, self.settings.images)
        module = importlib.import_module("boostline.local.runners.container")  # it needs `docker`
        runner: Runner = module.ContainerRunner(self.credentials.access_key, self.settings.memory)
        return runner

    @property
    def endpoint(self) -> str:
        """The URL that clients use as `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> Address:
        """What clients have to know."""
        return Address(
            endpoint=self.endpoint,
            account=self.settings.account,
            region=self.settings.region,
            access_key=self.credentials.access_key,
            secret_key=self.credentials.secret_key,
            pid=os.getpid(),
        )

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.settings.region}:{self.settings.account}:{resource}"

    def service(self, name: str) -> Service:
        """Return the service of botocore's name, made at its first use."""
        if name not in self._services:
            module, _, handler = SERVICES[name].handler.partition(":")
            self._services[name] = getattr(importlib.import_module(module), handler)(self)
        return self._services[name]

    def get(self, kind: type[ServiceType]) -> ServiceType:
        """Return the service of a class: how one service calls another."""
        handler = f"{kind.__module__}:{kind.__qualname__}"
        names = {entry.handler: name for name, entry in SERVICES.items()}
        return cast("ServiceType", self.service(names[handler]))

    def call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make a request as a client would, from a thread of the platform's own.

        Raises
        ------
        AwsError
            If it is refused.
        """
        if found := problems(service, operation, request):
            raise invalid(f"{operation}: {message(found)}")
        answer = self.service(service).handler(operation)(request)
        if inspect.iscoroutine(answer):
            if self.loop is None:
                raise RuntimeError(f"{operation} needs a platform that serves")
            answer = asyncio.run_coroutine_threadsafe(answer, self.loop).result()
        return answer or {}

    def start(self, port: int) -> None:
        """Start every service, once it is known on which port the platform listens."""
        self.port = port
        for name in SERVICES:
            self.service(name).start()
        self.address.write(self.folder)

    def stop(self) -> None:
        """Stop the services in reverse order, each whatever the others do; let go of the folder."""
        (self.folder / ADDRESS_FILE).unlink(missing_ok=True)
        with contextlib.ExitStack() as last:
            last.callback(self._lock.close)
            last.callback(self.database.close)
            for service in self._services.values():
                last.callback(service.stop)


def _lock(folder: Path) -> IO[str]:
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise PlatformInUse(
            f"{folder}: process {holder or '(unknown)'} runs a platform in this folder; "
            "stop it, or give another folder with --dir"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
