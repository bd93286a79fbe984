"""From an error to the exit code of a command; the table of codes is in docs/cli.md."""

from __future__ import annotations

REFUSED = 5


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
