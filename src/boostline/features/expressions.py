"""Derived columns: safe arithmetic over numeric columns, such as ``col("A") / (col("B") + 1)``.

The language has ``col("name")``, decimal numbers, ``+ - * /``, unary minus and parentheses. A
result that is not finite, and any division by zero, is missing (NaN); the sign of a zero is not
kept. The same tree is written as plain Python (one record) and, in
:mod:`boostline.features.table`, computed by NumPy; both as IEEE 754 says, an operation each.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from boostline.features.errors import FeatureError
from boostline.features.values import NUMBER, TOO_LARGE, TOO_SMALL

MAX_LENGTH = 2_000
MAX_DEPTH = 100


class ExpressionError(FeatureError):
    """An expression that cannot be read; ``position`` counts its characters from 1."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position})")
        self.position = position


class Node(NamedTuple):
    """A ``column`` or a ``number`` with its value; or ``negative``, +, -, *, / with operands."""

    kind: str
    value: str | float = ""
    operands: "tuple[Node, ...]" = ()


_DOUBLE = r'"(?P<double>(?:[^"\\]|\\["\\])*)"'
_SINGLE = r"'(?P<single>(?:[^'\\]|\\['\\])*)'"
_TOKEN = re.compile(
    rf"""[ \t\r\n]*(?:
      (?P<number>{NUMBER.removeprefix("[+-]?")})
    | (?P<column>col[ \t]*\([ \t]*(?:{_DOUBLE}|{_SINGLE})[ \t]*\))
    | (?P<sign>[-+*/()])
    | (?P<end>$)
    )""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(text: str) -> Node:
    """Read an expression, at most 2,000 characters and 100 levels deep.

    Raises
    ------
    ExpressionError
        Where it is not in the language, with the position.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH + 1)
    node = _Parser(_tokens(text)).whole()
    if _height(node) > MAX_DEPTH:
        raise ExpressionError(f"more than {MAX_DEPTH} operations deep", len(text))
    return node


def columns(node: Node) -> list[str]:
    """Name the columns that an expression reads, each once, in order of appearance."""
    own = [str(node.value)] if node.kind == "column" else []
    return list(dict.fromkeys(own + [name for part in node.operands for name in columns(part)]))


def to_python(node: Node, variable: Callable[[str], str], result: str) -> list[str]:
    """Write an expression as statements of Python, an operation each.

    Parameters
    ----------
    node
        The expression.
    variable
        Gives what stands for a column by its name: a float64 value.
    result
        The variable that gets a finite value within float32, or NaN. Those of the steps on the way
        have names that begin with it.

    Returns
    -------
    list[str]
        Lines that use no other name than ``nan``; the names of columns are not in them.
    """
    lines: list[str] = []

    def write(node: Node) -> str:
        if node.kind == "column":
            return variable(str(node.value))
        if node.kind == "number":
            return repr(float(node.value))
        parts = [write(part) for part in node.operands]
        step = f"{result}_{len(lines)}"
        lines.append(f"{step} = {_PYTHON[node.kind].format(*parts)}")
        return step

    value = write(node)
    # Only a division can make a finite value out of an infinite one, and it refuses to; so
    # overflow on the way is still seen here. Adding zero drops the sign of a zero.
    lines.append(f"{result} = {value} + 0.0 if {TOO_SMALL} < {value} < {TOO_LARGE} else nan")
    return lines


_PYTHON: Mapping[str, str] = {
    "negative": "-{0}",
    "+": "{0} + {1}",
    "-": "{0} - {1}",
    "*": "{0} * {1}",
    "/": "{0} / {1} if {1} and {1} - {1} == 0.0 else nan",
}


def _height(node: Node) -> int:
    # Not recursive: a long chain of operations is a tree as deep as it is long.
    height, level = 0, [node]
    while level:
        height += 1
        level = [child for parent in level for child in parent.operands]
    return height


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, place)
        if found is None:
            blanks = len(text[place:]) - len(text[place:].lstrip(" \t\r\n"))
            raise ExpressionError(_complaint(text, place + blanks), place + blanks + 1)
        kind = found.lastgroup if found.lastgroup in ("number", "sign", "end") else "column"
        value = found[kind]
        if kind == "column":
            quoted = found["double"] if found["double"] is not None else found["single"]
            value = re.sub(r"\\(.)", r"\1", quoted)
        tokens.append(_Token(kind, value, found.start(kind) + 1))
        place = found.end()
    return tokens


def _complaint(text: str, place: int) -> str:
    if text[place].isalpha() or text[place] in "_\"'":
        return 'only col("name"), numbers, + - * / and parentheses are allowed'
    return f"unexpected {text[place]!r}"


class _Parser:
    """Recursive descent: sum of products of signed atoms."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._sum()
        self._expect("end", "", "an operator or the end")
        return node

    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _expect(self, kind: str, text: str, wanted: str) -> None:
        token = self._next()
        if (token.kind, token.text) != (kind, text):
            found = repr(token.text) if token.kind != "end" else "the end"
            raise ExpressionError(f"expected {wanted}, found {found}", token.position)
        self._place += 1

    def _chain(self, operators: str, operand: Callable[[], Node]) -> Node:
        node = operand()
        while (token := self._next()).kind == "sign" and token.text in operators:
            self._place += 1
            node = Node(token.text, operands=(node, operand()))
        return node

    def _sum(self) -> Node:
        return self._chain("+-", self._product)

    def _product(self) -> Node:
        return self._chain("*/", self._atom)

    def _atom(self) -> Node:
        token = self._next()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"more than {MAX_DEPTH} levels deep", token.position)
        node = self._signed(token) if token.kind == "sign" else self._leaf(token)
        self._depth -= 1
        return node

    def _signed(self, token: _Token) -> Node:
        if token.text == "-":
            self._place += 1
            return Node("negative", operands=(self._atom(),))
        if token.text == "(":
            self._place += 1
            node = self._sum()
            self._expect("sign", ")", "')'")
            return node
        raise ExpressionError(f"expected a value, found {token.text!r}", token.position)

    def _leaf(self, token: _Token) -> Node:
        if token.kind == "end":
            raise ExpressionError("expected a value, found the end", token.position)
        self._place += 1
        if token.kind == "column":
            return Node("column", token.text)
        value = float(token.text)
        if not -TOO_LARGE < value < TOO_LARGE:
            raise ExpressionError("a number beyond the range of float32", token.position)
        return Node("number", value)
