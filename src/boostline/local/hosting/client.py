"""The HTTP side of a model's container: health, parameters, invocations."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from functools import partial

import urllib3

from boostline.contracts.ports import LOOPBACK

PING_TIMEOUT = 2.0
FIRST_PAUSE = 0.05  # seconds between the first pings; then longer, up to PING_TIMEOUT
CONNECT_TIMEOUT = 1.0
ANSWER_TIMEOUT = 60.0  # seconds that a container has for an answer
CONNECTIONS = 64  # kept alive; more are opened as needed


class Unavailable(Exception):
    """The container is not there at the moment."""


class Client:
    """Asks the container at a port; any number of threads may, on connections that are kept."""

    def __init__(self, port: int) -> None:
        self._pool = urllib3.HTTPConnectionPool(LOOPBACK, port, maxsize=CONNECTIONS, retries=False)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def get(self, path: str, timeout: float = PING_TIMEOUT) -> bytes | None:
        """Return what the container answers with 200 in time, if it does."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            answer = self._pool.request("GET", path, timeout=timeout)
            return answer.data if answer.status == 200 else None
        return None

    def healthy(self) -> bool:
        """Return whether `/ping` answers 200."""
        return self.get("/ping") is not None

    def await_health(self, given_up: threading.Event, timeout: float) -> bool:
        """Ping until the container is healthy, it is given up, or `timeout` seconds are over."""
        pause, deadline = FIRST_PAUSE, time.monotonic() + timeout
        while time.monotonic() <= deadline and not given_up.is_set():
            if self.healthy():
                return True
            given_up.wait(pause)
            pause = min(PING_TIMEOUT, pause * 1.2)
        return False

    def invoke(
        self,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float = ANSWER_TIMEOUT,
        chunked: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Pass a request on to `/invocations`.

        It is sent once more if a kept connection was closed before it could be used.

        Raises
        ------
        Unavailable
            If there is no answer.
        TimeoutError
            If there is none in time.
        """
        ask = partial(
            self._pool.request,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
            decode_content=False,
            chunked=chunked,
        )
        try:
            with contextlib.suppress(urllib3.exceptions.ProtocolError):
                return ask("POST", "/invocations")
            return ask("POST", "/invocations")
        except urllib3.exceptions.ReadTimeoutError:
            raise TimeoutError(f"no answer within {timeout:g} s") from None
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(str(error)) from None
