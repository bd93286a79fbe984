from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"^(?:\$ )?boostline +([a-z].*)$", re.MULTILINE)
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_reference_is_what_the_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/cli.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy() -> None:
    """The commands start fast: neither an AWS SDK nor a table library is on the way to the help."""
    code = (
        "import sys; from typer.testing import CliRunner; from boostline.cli.main import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print(*{'boto3', 'botocore', 'polars', 'numpy', 'xgboost', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_command_in_the_documents_exists() -> None:
    """Each `boostline …` line in a shell block names a command with options that it has."""
    reference = (ROOT / "docs/cli.md").read_text()
    found = 0
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in FENCE.findall(page.read_text()):
            for line in COMMAND.findall(block):
                found += 1
                words = line.split("#")[0].split()
                names = [word for word in words[:2] if re.fullmatch("[a-z][a-z-]*", word)]
                path = " ".join(["boostline", *names])
                if f"## `{path}`\n" not in reference:
                    path = f"boostline {names[0]}"
                assert f"## `{path}`\n" in reference, f"{page.name}: {line}"
                section = reference.split(f"## `{path}`\n")[1].split("\n## ")[0]
                for option in re.findall(r"--[a-z-]+", line.split("#")[0]):
                    assert option in section, f"{page.name}: {line}: no option {option}"
    assert found > 5
