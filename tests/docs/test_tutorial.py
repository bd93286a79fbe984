"""The tutorial is walked: every local command is typed, and answers what its page shows.

A fence says what its commands are: `console` is typed in one shell, page after page; `console
terminal` runs the platform meanwhile, in the place of the one before; `console aws` is only parsed.
A fence of a language with a name behind it is a file that the reader writes. In what is shown, `…`
stands for anything, and a number for any number.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

from boostline.cli.main import app

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial"
PAGES = sorted(TUTORIAL.glob("[0-9]*.md"), key=lambda page: int(page.stem.partition("-")[0]))
OTHERS = [ROOT / "docs/cheatsheet.md", *sorted(TUTORIAL.glob("[!0-9]*.md"))]
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(boostline [^`…]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
NUMBER = re.compile(r"\d[\d.:]*")
END = "=== the command is done:"


class Typed(NamedTuple):
    """A command, and the lines that a page shows of its answer."""

    command: str
    shown: list[str]


def fences(page: Path) -> list[tuple[str, str, str]]:
    """Give language, what is said behind it, and the text of each fence."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def typed(text: str) -> list[Typed]:
    found: list[Typed] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Typed(line[2:], []))
        elif line.startswith("> "):
            found[-1] = Typed(f"{found[-1].command}\n{line[2:]}", [])
        else:
            found[-1].shown.append(line)
    return found


class Walk:
    """A newcomer's shell, and the terminal beside it in which the platform runs."""

    def __init__(self, checkout: Path, environment: dict[str, str]) -> None:
        self.place, self.checkout, self.environment = checkout, checkout, environment
        self.shell = subprocess.Popen(
            ["bash"],
            cwd=checkout,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.platform: subprocess.Popen[str] | None = None

    def terminal(self, command: str) -> str:
        """Run the platform, on any free port, until it answers; return what it says."""
        self.interrupt()
        self.platform = subprocess.Popen(
            ["bash", "-c", f". .venv/bin/activate && exec {command} --port 0"],
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.platform.stdout is not None
        return self.platform.stdout.readline() + self.platform.stdout.readline()

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait until the platform has ended."""
        if self.platform is not None:
            self.platform.send_signal(signal.SIGINT)
            self.platform.communicate(timeout=60)

    def type(self, command: str) -> tuple[int, str]:
        """Type a command; return its exit code and all that it printed."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        said_then = f'code=$?; echo; echo "{END} $code $PWD"; (exit $code)'
        self.shell.stdin.write(f"{{ {command}\n}} </dev/null\n{said_then}\n")
        self.shell.stdin.flush()
        said: list[str] = []
        for line in self.shell.stdout:
            if line.startswith(END):
                code, _, place = line.removeprefix(END).strip().partition(" ")
                self.place = Path(place)
                return int(code), "".join(said)
            said.append(line)
        raise AssertionError(f"the shell ended in {command}:\n{''.join(said)}")

    def end(self) -> None:
        """Stop everything."""
        self.shell.kill()  # with whatever loop it may be in
        self.shell.communicate()
        self.interrupt()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("docs", "examples"):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / ".venv").symlink_to(sys.prefix)
    foreign = ("AWS_", "BOOSTLINE", "VIRTUAL_ENV")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    made = Walk(checkout, kept | {"HOME": str(checkout / "home"), "COLUMNS": "100"})
    yield made
    made.end()


def matches(shown: list[str], said: str) -> str:
    """Return the first shown line that was not said after those before it, or nothing."""
    rest = said
    for line in filter(str.strip, shown):
        words = (
            r"\d[\d.:]*".join(re.escape(part) for part in NUMBER.split(piece))
            for piece in " ".join(line.split()).split("…")
        )
        pattern = ".*?".join(words).replace(r"\ ", r"\s+").strip()
        found = re.search(rf"^\s*{pattern}\s*$", rest, re.MULTILINE)
        if found is None:
            return line
        rest = rest[found.end() :]
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_answers_as_its_page_shows(page: Path, walk: Walk) -> None:
    for language, said, text in fences(page):
        if language == "console" and said == "terminal":
            (command,) = typed(text)
            assert not matches(command.shown, walk.terminal(command.command))
        elif language == "console" and not said:
            type_all(walk, typed(text))
        elif language not in {"console", "mermaid", "text"} and said:
            (walk.place / said).write_text(text, encoding="utf-8")


def type_all(walk: Walk, commands: list[Typed]) -> None:
    """Type commands; one that fails has its code shown by `echo $?`, and only such a one fails."""
    asked = [each.command == "echo $?" for each in commands[1:]] + [False]
    for (command, shown), may_fail in zip(commands, asked, strict=True):
        code, answer = walk.type(command)
        assert (code != 0) == may_fail, f"$ {command}\n{answer}"
        line = matches(shown, answer)
        assert not line, f"$ {command}\n{answer}\nthe page shows: {line}"


def test_the_graph_of_the_page_is_that_of_the_pipeline(walk: Walk) -> None:
    (page,) = TUTORIAL.glob("*graph.md")
    (picture,) = (text for language, _, text in fences(page) if language == "mermaid")
    assert picture == (walk.place / "graph.mmd").read_text()


def parse(line: str) -> None:
    """Let the command line read a command, and not run it."""
    name, *arguments = shlex.split(line, comments=True)
    command, path = get_command(app), [name]
    while inner := getattr(command, "commands", None):
        path.append(arguments.pop(0))
        command = inner[path[-1]]
    if not arguments:  # it is only named
        return
    command.make_context(" ".join(path), arguments).close()


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.stem)
def test_commands_that_are_not_run_are_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    remote = [block for *kind, block in fences(page) if kind == ["console", "aws"]]
    lines = [each.command for block in remote for each in typed(block)]
    for line in [*lines, *INLINE.findall(text)]:
        if line.startswith("boostline "):
            parse(line)
    for link in LINK.findall(text):
        assert (page.parent / link).exists(), f"{page.name}: {link}"
