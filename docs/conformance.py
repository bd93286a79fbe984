"""Write the table in docs/conformance.md from the checks' own words: `python docs/conformance.py`.

With `--check` it only compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).with_name("conformance.md")
MARK = "docs/conformance.py` -->\n\n"


def page() -> str:
    """Return the page: what is written by hand, and the table."""
    from boostline.conformance.suite import CHECKS  # noqa: PLC0415

    before, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    head = "| check | level | what the contract says |\n| --- | --- | --- |\n"
    rows = "".join(f"| {check.name} | {check.level} | {check.line} |\n" for check in CHECKS)
    return before + mark + head + rows


def main() -> None:
    """Write the page, or say that it is not what the checks say."""
    if "--check" in sys.argv:
        if PAGE.read_text(encoding="utf-8") != page():
            sys.exit("docs/conformance.md is not up to date: python docs/conformance.py writes it")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
