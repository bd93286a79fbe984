"""An endpoint behind the gateway: real HTTP, with answers that a test chooses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from botocore.config import Config

from boostline.gateway.endpoint import Endpoint
from tests.conftest import session

ATTRIBUTES = "artifact=abc;engine=onedal;features=f;threshold=0.41;model=churn/3"


class Answer(NamedTuple):
    """What SageMaker Runtime answers next."""

    status: int = 200
    body: Any = {"predictions": [{"score": 0.93, "label": "True."}]}  # noqa: RUF012
    attributes: str = ATTRIBUTES
    error: str = ""


def model_error(status: int, message: str) -> Answer:
    """Return what SageMaker Runtime makes of a container's refusal."""
    body = {"OriginalStatusCode": status, "OriginalMessage": message, "Message": "Received …"}
    return Answer(424, body, "", "ModelError")


def predictions(*scores: float) -> Answer:
    """Return the answer of a binary model to so many rows."""
    found = [{"score": score, "label": "True." if score >= 0.41 else "False."} for score in scores]
    return Answer(body={"predictions": found})


def wrong_rows(*problems: tuple[int, str, str]) -> Answer:
    """Return a container's refusal of some rows."""
    told = [{"row": row, "field": field, "message": text} for row, field, text in problems]
    error = {"code": "invalid_rows", "message": "row 1", "problems": told}
    return model_error(400, json.dumps({"error": error}))


class Runtime:
    """SageMaker Runtime as far as the wire shows it; `calls` holds what arrived."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self._clients: list[Any] = []

    def endpoint(self, clock: Callable[[], float] = time.monotonic, **config: Any) -> Endpoint:
        """Return the gateway's endpoint over a real client."""
        settings = Config(**{"retries": {"total_max_attempts": 1}, **config})
        client = session("AKID", "secret").client(
            "sagemaker-runtime", endpoint_url=self.url, config=settings
        )
        self._clients.append(client)
        return Endpoint("churn-staging", client, clock)

    def close(self) -> None:
        """Stop listening."""
        for client in self._clients:
            client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                runtime.calls.append((self.path, headers, body))
                answer = runtime.answers.pop(0) if runtime.answers else Answer()
                raw = isinstance(answer.body, bytes)
                data = answer.body if raw else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(data)))
                if answer.attributes:
                    self.send_header("X-Amzn-SageMaker-Custom-Attributes", answer.attributes)
                if answer.error:
                    self.send_header("x-amzn-ErrorType", answer.error)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Stay quiet."""

        return Handler


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """SageMaker Runtime."""
    made = Runtime()
    yield made
    made.close()
