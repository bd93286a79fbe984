"""serve: a sealed artifact behind SageMaker's hosting contract."""

import contextlib
import os
import socket
import time
from importlib import import_module

from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.errors import ContainerError
from boostline.container.flavors import find_flavor
from boostline.container.loading import load_model
from boostline.container.paths import Paths
from boostline.container.programs.scoring import Scorer
from boostline.container.server.app import App
from boostline.container.server.metrics import Board
from boostline.container.server.settings import Settings
from boostline.container.server.supervisor import Ready, Supervisor
from boostline.container.server.worker import serve


def run(paths: Paths) -> None:
    """Serve until SIGTERM, with workers that each loaded and verified the model.

    Raises
    ------
    ContainerError, ArtifactError
        The model or the port cannot be used: nothing is served.
    """
    settings = Settings.read(os.environ)
    artifact = open_artifact(paths.model)
    with bind(settings) as listener:
        _import_libraries(artifact)
        Serving(artifact, settings, listener).run()


class Serving:
    """The workers of one artifact.

    Parameters
    ----------
    artifact
        What they load.
    settings
        As the environment has them.
    listener
        A socket that is bound and does not block.
    """

    def __init__(self, artifact: Artifact, settings: Settings, listener: socket.socket) -> None:
        self._artifact = artifact
        self._settings = settings
        self._listener = listener
        self._board = Board(settings.workers)
        self._told = self._board.total()

    def run(self) -> None:
        """Return at SIGTERM, once what was under way is answered."""
        Supervisor(self._settings.workers, self._work, self._announce, self._tell_metrics).run()

    def _work(self, place: int, alive: int, ready: Ready) -> None:
        try:
            loaded = load_model(self._artifact)
        except ArtifactError as error:
            raise ContainerError(str(error)) from None
        self._board.fallback = bool(loaded.choice.reason)
        scorer = Scorer(loaded, self._settings.version)
        app = App(scorer, self._settings, self._board, place)
        serve(app, self._settings.limit, self._listener, alive, lambda: ready(scorer.attributes))

    def _announce(self, attributes: str) -> None:
        settings = self._settings
        place = f"{settings.host}:{settings.port}, workers={settings.workers}"
        print(f"serving on {place}: {attributes}", flush=True)

    def _tell_metrics(self) -> None:
        now = self._board.total()
        span, self._told = now.since(self._told), now
        if span.requests:
            model = self._settings.version or self._artifact.manifest.artifact[:16]
            print(span.to_emf(model, self._board.fallback, int(time.time() * 1000)), flush=True)


def _import_libraries(artifact: Artifact) -> None:
    """Import, once for all workers, what they load the model with."""
    find_flavor(artifact.manifest.flavor)
    if artifact.manifest.flavor != "code":
        with contextlib.suppress(ImportError):  # where it is missing the native engine serves
            import_module("daal4py.mb")


def bind(settings: Settings) -> socket.socket:
    """Take the port that is told, without listening yet.

    Raises
    ------
    ContainerError
        It cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each connection inherits it
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ContainerError(
            f"port {settings.port} on {settings.host} cannot be listened on ({error.strerror}): "
            "stop what has it, or name another by SAGEMAKER_BIND_TO_PORT"
        ) from None
    listener.setblocking(False)
    return listener
