"""The root of the errors that a command reports in one sentence."""

from __future__ import annotations


class BoostlineError(Exception):
    """Something a person can mend: the text says what was wrong, where, and what to do.

    `exit_code` is what a command ends with; the table is in docs/cli.md.
    """

    exit_code = 1
