"""Media types of requests and answers, and how a request's headers choose among them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from boostline.container.programs.refusals import ScoringError

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

# What is answered to each type, the preferred first: CSV is answered to CSV, so that Model Monitor
# reads the captures of both.
_ANSWERS: Mapping[str, Sequence[str]] = {
    CSV: (CSV, JSON, JSON_LINES),
    JSON: (JSON, CSV, JSON_LINES),
    JSON_LINES: (JSON_LINES, JSON, CSV),
    PARQUET: (JSON, CSV, JSON_LINES),
}
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii")
_HEADERS = ("", "present", "absent")


class Route(NamedTuple):
    """What a request's headers say of it.

    Attributes
    ----------
    kind, answer
        The media types of request and answer.
    header
        ``present`` or ``absent`` where the type's parameter says so (RFC 4180, section 3).
    """

    kind: str
    answer: str
    header: str


# Clients send the same few headers again and again.
@lru_cache(maxsize=64)
def find_route(content_type: str, accept: str, encoding: str, explained: bool) -> Route:
    """Read the headers of a request.

    Parameters
    ----------
    content_type, accept, encoding
        Content-Type, Accept and Content-Encoding; empty where there is none.
    explained
        Whether explanations are asked for, which CSV has no place for.

    Raises
    ------
    ScoringError
        With status 415 or 406.
    """
    kind, parameters = media_type(content_type)
    if kind not in _ANSWERS:
        raise _unsupported(f"send {' or '.join(_ANSWERS)}, not {kind[:100] or 'none'}")
    if encoding.strip().lower() not in ("", "identity"):
        raise _unsupported(f"send the body as it is, not encoded as {encoding[:100]}")
    if parameters.get("charset", "") not in _CHARSETS:
        raise _unsupported(f"send UTF-8, not charset={parameters['charset'][:100]}")
    header = parameters.get("header", "")
    if header not in _HEADERS:
        raise _unsupported(f"send header=present or header=absent, not header={header[:100]}")
    offered = [one for one in _ANSWERS[kind] if not (explained and one == CSV)]
    answer = negotiate(accept, offered)
    if answer is None:
        reason = ": explanations have no place in CSV" if explained else ""
        raise ScoringError(406, "not_acceptable", f"accept {' or '.join(offered)}{reason}")
    return Route(kind, answer, header)


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """Take the type and its parameters apart, in lower case."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    pairs = (parameter.partition("=")[::2] for parameter in parameters)
    return kind, {name.strip(): value.strip().strip('"') for name, value in pairs}


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
    name, parameters = media_type(part)
    try:
        return name, float(parameters.get("q", "1"))
    except ValueError:
        return name, 0.0


def _unsupported(message: str) -> ScoringError:
    return ScoringError(415, "unsupported_media_type", message)
