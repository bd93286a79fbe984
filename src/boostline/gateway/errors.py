"""Refusals as the API's clients see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """A refusal with its HTTP status.

    Parameters
    ----------
    status
        HTTP status of the answer.
    code
        A stable word for programs, for example `invalid_record`.
    message
        What was wrong, and what to do.
    fields
        Each wrong field of the record with what is wrong about it.
    headers
        Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = [{"field": field, "message": text} for field, text in fields]
        self.headers = dict(headers or {})

    def document(self) -> dict[str, object]:
        """Return the `error` member of the answer."""
        return {"code": self.code, "message": self.message, "fields": self.fields}


def unavailable(message: str, seconds: int = 5) -> ApiError:
    """Return the refusal for what will work again soon."""
    return ApiError(503, "unavailable", message, headers={"Retry-After": str(seconds)})


def invalid_record(problems: Sequence[tuple[str, str]]) -> ApiError:
    """Return the refusal of a record by all that is wrong with its fields."""
    count = len(problems)
    message = f"the record has {count} problem{'s' * (count > 1)}: see fields"
    return ApiError(400, "invalid_record", message, problems)
