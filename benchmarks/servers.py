"""The servers that are compared: ours, ours without scoring, and Flask under gunicorn.

``python -m benchmarks.servers constant`` is our server, answering a constant. ``naive(way)`` is the
application that gunicorn is pointed at: what one writes first, which converts the model on each
request, and what one writes next, which converts it once.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import numpy as np

from benchmarks.load import family
from boostline.container.flavors.base import Rows, Scores
from boostline.container.programs.scoring import Read, Reply, Request
from boostline.container.programs.serve import bind
from boostline.container.server.app import App
from boostline.container.server.metrics import Board
from boostline.container.server.settings import Settings
from boostline.container.server.supervisor import Ready, Supervisor
from boostline.container.server.together import MOST
from boostline.container.server.worker import serve

ONE_WORKER = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "BOOSTLINE_BIND_ADDRESS": "127.0.0.1"}


def naive(way: str) -> flask.Flask:
    """Make the Flask application: ``each`` converts on each request, ``once`` at its start."""
    import daal4py.mb  # noqa: PLC0415  (only the servers that score import what scores)
    import xgboost  # noqa: PLC0415

    app = flask.Flask("naive")
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(os.environ["MODEL"])
    daal4py.daalinit(1)
    converted = daal4py.mb.convert_model(booster)

    @app.get("/ping")
    def ping() -> str:
        return ""

    @app.post("/invocations")
    def invocations() -> Any:
        lines = flask.request.get_data(as_text=True).splitlines()
        rows = np.array([line.split(",") for line in lines], dtype=np.float32)
        model = converted if way == "once" else daal4py.mb.convert_model(booster)
        scores = model.predict_proba(rows)[:, 1]
        return flask.jsonify(predictions=[{"score": float(score)} for score in scores])

    return app


class Constant:
    """Answers as a scorer does, and neither reads nor scores."""

    attributes = "engine=none"
    _rows, _scores = np.zeros((1, 1), dtype=np.float32), np.zeros(MOST)
    _reply = Reply(
        b'{"predictions":[{"score":0.020703714340925217,"label":"False."}]}', "application/json"
    )

    def takes_long(self, _request: Request) -> bool:
        """Say no."""
        return False

    def score(self, _request: Request) -> Reply:
        """Answer."""
        return self._reply

    def read(self, _request: Request) -> Read:
        """Take a row that is no row."""
        return Read(self._rows, self._reply.media_type, 0)

    def scores(self, rows: Rows) -> Scores:
        """Give a zero for each."""
        return self._scores[: len(rows)]

    def reply(self, _read: Read, _scores: Scores) -> Reply:
        """Answer."""
        return self._reply


def constant() -> None:
    """Run our server without a model."""
    settings = Settings.read(os.environ)
    board = Board(settings.workers)
    listener = bind(settings)

    def work(place: int, alive: int, ready: Ready) -> None:
        app = App(Constant(), settings, board, place)
        serve(app, settings.limit, listener, alive, lambda: ready(""))

    Supervisor(settings.workers, work, lambda _: None, lambda: None).run()


class Running:
    """A server that answers; ``worker`` is its process that scores."""

    def __init__(self, pid: int, port: int, started: float) -> None:
        self.pid = pid
        self.port = port
        self.started = started
        self.worker = family(pid)[-1]

    def settle(self) -> None:
        """Wait until it is through with what a load left behind."""
        while not _answers(self.port):
            time.sleep(0.1)


@contextmanager
def running(name: str, base: Path, **variables: str) -> Iterator[Running]:
    """Run a server of the model below a base folder: ours, constant, each, or once.

    Parameters
    ----------
    name, base
        Which, and of what.
    variables
        Of its environment; by default it has one worker.

    Gives
    -----
    Running
        With the seconds from the start to the first good ``/ping``.
    """
    port = _free_port()
    own = [sys.executable, "-m", "boostline.container", "serve"]
    ours = {"ours": own, "constant": [sys.executable, "-m", "benchmarks.servers", "constant"]}
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    command = ours.get(name) or [*gunicorn, f"benchmarks.servers:naive({name!r})"]
    variables = {
        **ONE_WORKER,
        **variables,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_BASE_DIR": str(base),
        "MODEL": str(base / "model/model.ubj"),
    }
    began = time.perf_counter()
    with (
        (base / f"{name}.log").open("w") as log,
        subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=log, stderr=log
        ) as process,
    ):
        try:
            while not _answers(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{name}: {(base / f'{name}.log').read_text()}")
                time.sleep(0.005)
            yield Running(process.pid, port, time.perf_counter() - began)
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    constant()
