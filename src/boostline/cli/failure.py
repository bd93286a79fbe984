"""From an error to the exit code of a command; the table of codes is in docs/cli.md."""

from __future__ import annotations

import errno

REFUSED = 5
MACHINE = 1
# What the machine refuses whoever asks. Other errors of the system are defects of ours.
REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE),
}


def sentence(error: Exception) -> str:
    """Return what a command says of an error: of one of the system, the place first."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    where = error.filename2 or error.filename or "the output"
    return f"{where}: {error.strerror}"


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that a person can mend, or None for a defect of ours."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
    )
    from botocore.exceptions import (
        ConnectionError as UnreachableError,
    )

    from boostline.artifact.errors import ArtifactError
    from boostline.contracts.errors import BoostlineError
    from boostline.contracts.pipeline import DefinitionError
    from boostline.contracts.strict import StrictError
    from boostline.features.errors import FeatureError
    from boostline.project.target import TargetError

    if isinstance(error, BoostlineError):
        return error.exit_code
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return MACHINE
    codes: dict[type[Exception], int] = {
        FeatureError: 2,
        ArtifactError: 2,
        DefinitionError: 2,
        HTTPClientError: TargetError.exit_code,
        UnreachableError: TargetError.exit_code,
        StrictError: REFUSED,
        ClientError: REFUSED,
        BotoCoreError: REFUSED,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), None)
