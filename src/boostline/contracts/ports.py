"""Ports of this host, for programs that are about to listen."""

from __future__ import annotations

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"
# Below what systems give to who asks for any port: a program takes seconds until it listens.
PORTS = range(10_000, 32_768)


def free_port() -> int:
    """Return a port that nobody listens at, nor is likely to before who asks does."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
