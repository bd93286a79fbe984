"""Media types of requests and answers."""

from collections.abc import Sequence

JSON = "application/json"
CSV = "text/csv"


def media_type(content_type: str) -> str:
    """Take the type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def negotiate(accept: str, offered: Sequence[str]) -> str | None:
    """Choose what to answer with.

    Parameters
    ----------
    accept
        The Accept header (RFC 9110, section 12.5.1); empty accepts anything.
    offered
        What can be answered, the preferred first.

    Returns
    -------
    str or None
        One of ``offered``; None where the client takes none of them.
    """
    ranges = [_range(part) for part in (accept or "*/*").split(",")]
    best, best_quality = None, 0.0
    for candidate in offered:
        kind = candidate.partition("/")[0]
        # The most specific range that names a type decides on it.
        for name in (candidate, f"{kind}/*", "*/*"):
            qualities = [quality for found, quality in ranges if found == name]
            if qualities:
                if qualities[0] > best_quality:
                    best, best_quality = candidate, qualities[0]
                break
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0.0
    return name, 1.0
