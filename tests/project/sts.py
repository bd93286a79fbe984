"""STS as far as the wire shows it: whose credentials these are, and the role that is assumed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from boostline.contracts.address import Address

TOKEN = "of-the-role"
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>
<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>
<Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
<Code>AccessDenied</Code><Message>not authorized to assume {role}</Message></Error></ErrorResponse>
"""


class Sts:
    """Two accounts: that of a platform's key, and that of the only role.

    Parameters
    ----------
    address
        The platform, whose key the role's credentials have too.
    """

    def __init__(self, address: Address) -> None:
        self.role, self.account = "arn:aws:iam::222222222222:role/boostline", "222222222222"
        self.lasts = timedelta(hours=1)
        self.assumed: list[str] = []
        self._address = address

    def answer(self, request: dict[str, list[str]], token: str | None) -> tuple[int, str]:
        """Return status and body for a form and its session token."""
        if request["Action"] == ["GetCallerIdentity"]:
            account = self._address.account if token is None else self.account
            return 200, IDENTITY.format(account=account)
        (role,) = request["RoleArn"]
        if role != self.role or token is not None:
            return 403, DENIED.format(role=role)
        self.assumed += request["RoleSessionName"]
        until = datetime.now(UTC) + self.lasts
        found = ASSUMED.format(
            key=self._address.access_key,
            secret=self._address.secret_key,
            token=TOKEN,
            expiration=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        )
        return 200, found

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Give the URL, for as long as the block lasts."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = sts.answer(parse_qs(form), self.headers["X-Amz-Security-Token"])
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay quiet."""

        return Handler
