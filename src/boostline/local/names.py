"""What is made up at random, in the forms that AWS gives it."""

from __future__ import annotations

import secrets
import string
import time


def random_name(length: int, letters: str = string.ascii_lowercase) -> str:
    """Return letters and digits: lower-case ones, if nothing else is asked for."""
    return "".join(secrets.choice(letters + string.digits) for _ in range(length))


def trace_root() -> str:
    """Return the field of a new X-Ray trace in a tracing header.

    Source: "Tracing header" in the AWS X-Ray guide.
    """
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
