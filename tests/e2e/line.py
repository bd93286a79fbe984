"""A platform as a person runs it, and the ways to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import urllib3

from boostline.contracts import address, strict

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DECOY = "AKIADECOYDECOYDECOY0"
# Changes of the example's file: a training of a second, whose model the gates let through.
QUICK = (
    ("num_round = 500", "num_round = 30"),
    ("min = 0.95", "min = 0.5"),
    ("min = 0.9", "min = 0.5"),
    ("min = 0.8", "min = 0.3"),
)
DECOY_FILES = {
    "credentials": f"[default]\naws_access_key_id = {DECOY}\naws_secret_access_key = decoy\n",
    "config": "[default]\nregion = eu-west-3\nendpoint_url = http://127.0.0.1:9\n",
}


@dataclass
class Line:
    """A platform's folder, a project's folder, and the environment of whoever uses them."""

    folder: Path
    project: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = field(default=None)

    def up(self, *options: str) -> None:
        command = [str(BIN / "boostline"), "up", "--port", "0", "--dir", str(self.folder), *options]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert "answers at" in self.process.stdout.readline()

    def down(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)
            assert self.process.stdout is not None
            self.process.stdout.close()

    def run(
        self, *arguments: str | Path, code: int = 0, project: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder and check its exit code."""
        done = subprocess.run(
            [BIN / "boostline", *arguments],
            cwd=project or self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0, project: Path | None = None) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code, project=project).stdout)

    @property
    def address(self) -> address.Address:
        found = address.read(self.folder)
        assert found is not None
        return found

    def client(self, service: str) -> Any:
        """Return plain boto3, led to the platform by what `boostline env` exports."""
        found = self.address
        client = boto3.client(
            service,
            endpoint_url=found.endpoint,
            region_name=found.region,
            aws_access_key_id=found.access_key,
            aws_secret_access_key=found.secret_key,
        )
        strict.install(client)
        return client

    def copy(self, folder: Path, *changes: tuple[str, str]) -> Path:
        """Copy the project, with changes in its file."""
        target = Path(shutil.copytree(self.project, folder / "project"))
        file = target / "boostline.toml"
        text = file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file.write_text(text)
        return target


@dataclass(frozen=True)
class Api:
    """The deployed REST API."""

    url: str
    key: str

    def post(self, body: bytes, query: str = "", **headers: str) -> tuple[int, dict[str, Any]]:
        """Send a body to /predict; return the status and the JSON of the answer.

        What API Gateway itself found wrong is its member `where`.
        """
        sent = {"content-type": "application/json", "x-api-key": self.key}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        url = f"{self.url}/predict{query}"
        answer = urllib3.request("POST", url, body=body, headers=sent, retries=False, timeout=30)
        where = answer.headers.get("x-validation-error")
        return answer.status, answer.json() | ({"where": where} if where else {})
