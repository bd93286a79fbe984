"""The page lists every check in its own words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_checks_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/conformance.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
