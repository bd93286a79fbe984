"""All checks, and the run of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boostline.conformance import hosting, images, invocations, models, processing, training
from boostline.conformance.bench import Bench, Check, Fails, Limits, NotApplicable
from boostline.conformance.inputs import Inputs
from boostline.conformance.subject import Subject

Outcome = Literal["holds", "fails", "not applicable"]
CHECKS: tuple[Check, ...] = (
    *images.CHECKS,
    *training.CHECKS,
    *processing.CHECKS,
    *hosting.CHECKS,
    *invocations.CHECKS,
    *models.CHECKS,
)


@dataclass(frozen=True)
class Finding:
    """What became of a check; `why` is empty where it holds."""

    check: Check
    outcome: Outcome
    why: str = ""


def examine(subject: Subject, inputs: Inputs, limits: Limits | None = None) -> Iterator[Finding]:
    """Run every check, one after another.

    Parameters
    ----------
    subject
        The image or command.
    inputs
        What it is tested with.
    limits
        How long things may take; SageMaker's own limits by default.

    Yields
    ------
    Finding
        In the order of `CHECKS`.

    Raises
    ------
    ConformanceError
        The subject cannot be started at all.
    """
    with (
        tempfile.TemporaryDirectory(prefix="contract-test-") as folder,
        Bench(subject, inputs, limits or Limits(), Path(folder)) as bench,
    ):
        for check in CHECKS:
            yield _run(check, bench)


def _run(check: Check, bench: Bench) -> Finding:
    try:
        check.run(bench)
    except Fails as reason:
        return Finding(check, "fails", str(reason))
    except NotApplicable as reason:
        return Finding(check, "not applicable", str(reason))
    return Finding(check, "holds")
