"""Filter patterns of terms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import re

from boostline.local.wire.errors import AwsError

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class Pattern:
    """Terms that a line must hold: all of them, any of the `?` ones, none of the `-` ones.

    Raises
    ------
    AwsError
        `InvalidParameterException` for the forms that look into JSON or columns, or match regular
        expressions: the platform does not have them.
    """

    def __init__(self, text: str) -> None:
        if text.strip()[:1] in {"{", "[", "%"}:
            raise AwsError(
                "InvalidParameterException",
                f"Invalid filter pattern {text!r}: the local platform matches plain terms only",
            )
        terms = [(sign, quoted or bare) for sign, quoted, bare in _TERM.findall(text)]
        self._all = [term for sign, term in terms if sign == ""]
        self._any = [term for sign, term in terms if sign == "?"]
        self._none = [term for sign, term in terms if sign == "-"]

    def matches(self, message: str) -> bool:
        """Tell whether a line matches; an empty pattern matches all."""
        if any(term in message for term in self._none):
            return False
        if self._any and not any(term in message for term in self._any):
            return False
        return all(term in message for term in self._all)
