"""What a request is refused with."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

# InvokeEndpoint hands on at most 2,048 characters of a container's refusal (OriginalMessage).
_LONGEST = 2_048
_LONGEST_TEXT = 500
SHOWN_PROBLEMS = 100
MAX_ROWS = 1_000_000


class RowProblem(NamedTuple):
    """What is wrong with one field of a request; rows are counted from 1, 0 is the header."""

    row: int
    field: str
    message: str


class ScoringError(Exception):
    """A request that cannot be scored; it carries its HTTP status."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[RowProblem] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.problems = list(problems)

    def to_json(self) -> bytes:
        """Write the body of the answer: with as many of the problems as a client can be sent."""
        row, field, _ = self.problems[0] if self.problems else (None, None, "")
        error: dict[str, Any] = {"code": self.code, "message": _shown(self.message)}
        error |= {"row": row, "column": _shown(field) if field else None}
        count = min(len(self.problems), SHOWN_PROBLEMS)
        while True:
            found = [(row, _shown(field), _shown(text)) for row, field, text in self.problems]
            error["problems"] = [RowProblem(*each)._asdict() for each in found[:count]]
            body = msgspec.json.encode({"error": error})
            if count <= 1 or len(body) <= _LONGEST:
                return body
            count //= 2


def invalid_rows(problems: Sequence[RowProblem]) -> ScoringError:
    """Refuse rows for all that was found to be wrong with them."""
    row, field, message = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    place = f"row {row}" if row else "the header"
    place += f", column {field!r}" if field else ""
    return ScoringError(400, "invalid_rows", f"{place}: {message}{more}", problems)


def empty_body(message: str) -> ScoringError:
    """Refuse a body without rows."""
    return ScoringError(400, "empty_body", message)


def bad_encoding() -> ScoringError:
    """Refuse what is no text."""
    return ScoringError(400, "bad_encoding", "the body is not UTF-8 text: send it as UTF-8")


def too_many_rows() -> ScoringError:
    """Refuse more rows than one request may have."""
    return ScoringError(413, "too_many_rows", f"send at most {MAX_ROWS:,} rows in a request")


def _shown(text: str) -> str:
    """Shorten a text, and write as ASCII what has no UTF-8: a client may send lone surrogates."""
    cut = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
    return cut.encode("utf-8", "backslashreplace").decode()
