"""The whole line on a target: bootstrap, run, approve, staging, prod, a client; and its removal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from boostline.project import file
from tests.aws.place import TAG

ROOT = Path(__file__).parents[2]
BOOSTLINE = Path(sys.executable).with_name("boostline")
CURL = ("curl", "--silent", "--show-error", "--max-time", "60", "--config", "-")
TRIES = 4
PAUSE = {"aws": 60.0, "local": 0.0}  # seconds before a removal is tried again


class LineError(Exception):
    """A step that did not do its work."""


class Line:
    """The example, under a name of this run's own, on a target.

    Parameters
    ----------
    folder
        Where the project goes.
    run
        What tells this run from others: it is part of the project's name, and its tag.
    target
        `aws` or `local`.
    aws
        `account` and `region`.
    """

    def __init__(self, folder: Path, run: str, target: str, aws: Mapping[str, str]) -> None:
        self.folder = folder
        self.name = f"{TAG}-{run}"
        self._target = target
        self._environment = {**os.environ, "BOOSTLINE_TARGET": target}
        shutil.copytree(ROOT / "examples/customer_churn", folder)
        text = self._file.read_text().replace('"customer-churn"', f'"{self.name}"', 1)
        text = text.replace("[tags]\n", f'[tags]\n{TAG} = "{run}"\n', 1)
        lines = [f'{name} = "{value}"' for name, value in aws.items()]
        self._file.write_text("\n".join([text, "[aws]", *lines, ""]))

    def parameter(self, name: str, value: str) -> None:
        """Give a parameter of the account's stack."""
        with self._file.open("a") as toml:
            toml.write(f'\n[aws.parameters]\n{name} = "{value}"\n')

    def forth(self) -> None:
        """Go the whole way.

        Raises
        ------
        LineError
            At the first step that does not do its work.
        """
        outputs = json.loads(self._command("aws", "bootstrap", "--json"))
        role = f'[aws]\nrole = "{outputs["PipelineRoleArn"]}"\n'
        self._file.write_text(self._file.read_text().replace("[aws]\n", role, 1))
        self._command("aws", "push-images")
        self._command("run")
        self._command("models", "approve", "1", "--reason", "the gates hold")
        self._command("deploy", "prod", code=4)  # it has not passed staging
        self._command("deploy", "staging")
        self._command("deploy", "prod")
        self._ask()

    def back(self, removals: list[tuple[str, Callable[[], object]]]) -> list[str]:
        """Remove everything, whatever is there; return what could not be removed."""
        stages = [
            (f"stage {name}", lambda name=name: self._command("destroy", name, "--yes"))
            for name in ("prod", "staging")
        ]
        return [
            f"{what}: {said}" for what, work in [*stages, *removals] if (said := self._tried(work))
        ]

    @property
    def _file(self) -> Path:
        return self.folder / file.FILE

    def _tried(self, work: Callable[[], object]) -> str:
        """Do a removal, which may have to wait for what is under way; return why it failed."""
        said = ""
        for place in range(TRIES):
            if place:
                time.sleep(PAUSE[self._target])
            try:
                work()
            except Exception as error:  # the others are removed whatever this one is
                said = str(error) or type(error).__name__
            else:
                return ""
        return said

    def _command(self, *arguments: str, code: int = 0) -> str:
        print(f"$ boostline {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [BOOSTLINE, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if "--json" not in arguments:  # which has the API's key
            print(done.stdout, end="", flush=True)
        if done.returncode != code:
            raise LineError(f"boostline {arguments[0]} ended with {done.returncode}, not {code}")
        return done.stdout

    def _ask(self) -> None:
        """Ask as a client does, with curl: with the key, and without it."""
        api = json.loads(self._command("api", "show", "--stage", "prod", "--json"))
        key = f'header = "x-api-key: {api["apiKey"]}"\n'  # by its input, out of everyone's sight
        for given, wanted in ((key, "200"), ("", "403")):
            status = self._curl(f"{api['url']}/predict", given)
            print(f"curl {api['url']}/predict{'' if given else ' without a key'}: {status}")
            if status != wanted:
                raise LineError(f"the REST API answers {status}, not {wanted}")

    def _curl(self, url: str, given: str) -> str:
        sent = [
            "--header",
            "content-type: application/json",
            "--data-binary",
            "@sample_request.json",
        ]
        told = ["--output", os.devnull, "--write-out", "%{http_code}"]
        return subprocess.run(
            [*CURL, *sent, *told, url],
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let nobody stop a removal by the keys that stopped the test."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(each, signal.SIG_IGN) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
