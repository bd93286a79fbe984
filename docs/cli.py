"""Write docs/cli.md from the commands' own help: `python docs/cli.py`; `--check` only compares."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

REFERENCE = Path(__file__).with_name("cli.md")
PREFACE = """# Commands

Made from the commands' own help by `python docs/cli.py`.

Commands act on the local platform. `--target aws` acts on the account and region of `[aws]` in
`boostline.toml`, once AWS itself (GetCallerIdentity) has confirmed that the credentials are that
account's.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | it failed: an execution, a gate, a deployment, a request; or this machine refused a file |
| 2 | a mistake in the project file, the table, a pipeline definition, or the command line |
| 3 | the target is not there, or is not the one that the project names; nothing was done |
| 4 | there is no such version, or it is not approved; nothing was done |
| 5 | the target refused a request, or the strict check did before it was sent |
| 6 | it is deployed and fails its smoke test: `boostline rollback` goes back |
| 130 | interrupted; what runs on the target goes on |
"""


def commands() -> Iterator[tuple[str, str]]:
    """Give every command with its help."""
    from typer.main import get_command  # noqa: PLC0415
    from typer.testing import CliRunner  # noqa: PLC0415

    from boostline.cli.main import app  # noqa: PLC0415

    runner = CliRunner()

    def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        result = runner.invoke(app, [*path, "--help"], prog_name="boostline")
        yield " ".join(("boostline", *path)), result.output
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))

    yield from walk(get_command(app), ())


def reference() -> str:
    """Return the page."""
    parts = [PREFACE]
    for name, text in commands():
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"## `{name}`\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or say that it is not what the commands say."""
    if "--check" in sys.argv:
        if REFERENCE.read_text(encoding="utf-8") != reference():
            sys.exit("docs/cli.md is not what the commands say: python docs/cli.py writes it")
    else:
        REFERENCE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    os.environ.update(COLUMNS="100", TERM="dumb")
    main()
