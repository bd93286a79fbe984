"""Run every benchmark, one after another: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# What the benchmarks share is no benchmark, and a soak measures nothing.
SHARED = {"__init__", "__main__", "load", "picture", "programs", "servers", "soak", "stage"}


def main() -> None:
    """Run each in a process of its own; the first that fails ends it all."""
    for file in sorted(HERE.glob("*.py")):
        if file.stem not in SHARED:
            print(f"\n# {file.stem}", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{file.stem}"], check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.picture"], check=True)


if __name__ == "__main__":
    main()
