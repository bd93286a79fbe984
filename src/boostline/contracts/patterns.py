"""The regular expressions of the service models, as AWS means them: Java's, on the whole value."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

# Written so in botocore's models, and no regular expression in Python: what is meant instead.
CORRECTED = {
    r"[\w-_]*": r"[\w\-_]*",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}": r"[\p{L}\p{Z}\p{N}_.:\/=+\-@]{0,128}",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}": r"[\p{L}\p{Z}\p{N}_.:\/=+\-@]{0,256}",
}
# Java's way to write what lies beyond 16 bits.
_SURROGATES = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
# Character classes that Python has no name for, as ranges.
_POSIX = {"ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e", "Alnum": "a-zA-Z0-9"}
_PROPERTY = re.compile(r"(\[[^\]]*)?\\p\{(\w+)\}")


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    r"""Return a model's pattern for Python; use `fullmatch`.

    `\w`, `\d` and `\s` are ASCII, as in Java.

    Raises
    ------
    re.error
        If Python cannot compile it, even so.
    """
    translated = CORRECTED.get(pattern, pattern).replace(r"\z", r"\Z").replace(*_SURROGATES)
    while found := _PROPERTY.search(translated):
        ranges = _ranges(found[2])
        inside = found[1] is not None
        start, end = found.span()
        middle = found[1] + ranges if inside else f"[{ranges}]"
        translated = translated[:start] + middle + translated[end:]
    return re.compile(translated, re.ASCII)


def _ranges(name: str) -> str:
    r"""Return what stands between brackets for `\p{name}`."""
    if name in _POSIX:
        return _POSIX[name]
    if name not in {"L", "M", "N", "P", "S", "Z", "Zs"}:
        raise re.error(rf"\p{{{name}}} is not known here")
    category = name if len(name) > 1 else f"{name}[a-z]"
    return "".join(
        f"\\U{run.start() // 2:08x}-\\U{run.end() // 2 - 1:08x}"
        for run in re.finditer(f"(?:{category})+", _categories())
    )


@functools.cache
def _categories() -> str:
    """Return two letters for each code point: its general category."""
    return "".join(unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1))
