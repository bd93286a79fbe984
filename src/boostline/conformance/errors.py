"""What cannot be tested at all."""

from __future__ import annotations

from boostline.contracts.errors import BoostlineError


class ConformanceError(BoostlineError):
    """The subject or its inputs cannot be used: nothing was tested, or nothing further."""

    exit_code = 2
