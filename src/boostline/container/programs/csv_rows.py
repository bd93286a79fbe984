"""CSV: features in the contract's order, or by a header that names them or the raw columns."""

import csv
import io
import struct
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from boostline.container.flavors.base import Rows
from boostline.container.programs.forms import Form, Forms, Wrong
from boostline.container.programs.refusals import (
    MAX_ROWS,
    ScoringError,
    bad_encoding,
    empty_body,
    too_many_rows,
)
from boostline.features.values import NAN

LARGE = 64_000  # bytes from which on a table is read as one
BOM = b"\xef\xbb\xbf"

_LONGEST_LINE = 1_000_000
_INFINITE = float("inf")
# Of these characters Python's float reads exactly what the grammar of numbers has.
_PLAIN = b"0123456789.+-eE,\n"
_decode = msgspec.json.Decoder(list[float]).decode


class CsvReader:
    """Reads the rows of CSV.

    Most bodies are a few plain lines of numbers, or many: both have a fast way. It gives up on
    whatever is unusual, and the careful way, which defines what is right, finds what is wrong.

    Parameters
    ----------
    forms
        What rows can be.
    large
        The bytes beyond which a body is read as a table.
    """

    def __init__(self, forms: Forms, large: int = LARGE) -> None:
        self._forms = forms
        self._most = large
        self._columns = forms.features.inputs
        width = len(self._columns)
        self._row = np.dtype((np.float32, (width,)))
        self._struct = struct.Struct(f"={width}f")  # the native one lets infinity through

    def read(self, body: bytes, header: str, transformed: bool) -> Rows:
        """Read rows.

        Parameters
        ----------
        body
            RFC 4180 in UTF-8.
        header
            Whether the first line is one: ``present``, ``absent``, or empty where it is to be
            found out.
        transformed
            Whether rows with a header are known to be features.

        Raises
        ------
        ScoringError
            With every problem found.
        """
        if len(body) <= self._most and header != "present":
            try:
                lines = body.rstrip(b"\r\n")
                if not lines.translate(None, _PLAIN):
                    packed = b"".join([self._pack(line) for line in lines.split(b"\n")])
                    return np.frombuffer(packed, self._row)
            except (ValueError, OverflowError, struct.error):
                pass  # the careful way finds out what it is
        body = body.removeprefix(BOM).strip(b"\r\n")
        if not body.strip():
            raise empty_body("the body is empty: send at least one row")
        if body.count(b"\n") >= MAX_ROWS:
            raise too_many_rows()
        if not body.isascii():
            _check_encoding(body)
        rows = self._large(body, header, transformed) if len(body) > self._most else None
        return self._careful(body, header, transformed) if rows is None else rows

    def _pack(self, line: bytes) -> bytes:
        if not line:
            raise ValueError("a blank line")
        try:
            row = _decode(b"[%b]" % line)
        except ValueError:  # numbers that JSON has not, and missing ones
            row = [float(field) if field else NAN for field in line.split(b",")]
        if _INFINITE in row or -_INFINITE in row:
            raise OverflowError
        return self._struct.pack(*row)

    def _large(self, body: bytes, header: str, transformed: bool) -> Rows | None:
        body = body.replace(b"\r\n", b"\n") if b"\r" in body else body
        if b"\r" in body or b'"' in body:
            return None
        first, _, rest = body.partition(b"\n")
        fields = first.decode().split(",")
        if self._has_header(fields, header):
            form, names, body = self._forms.of(fields, transformed), fields, rest
        else:
            form, names = self._forms.features, self._columns
        if len(names) != len(fields):  # Polars makes a column of each field of the first line
            return None
        # Polars is imported by the first large request: it would be a third of the start.
        tables: Any = import_module("boostline.container.programs.tables")
        found: Rows | None = tables.read_csv(body, names, form)
        return found

    def _careful(self, body: bytes, header: str, transformed: bool) -> Rows:
        rows = _rows(csv.reader(_lines(body.decode()), strict=True))
        first = next(rows)
        if not self._has_header(first, header):
            return self._collect(self._forms.features, chain([first], rows), self._columns)
        return self._collect(self._forms.of(first, transformed), rows, first)

    def _has_header(self, fields: Sequence[str], header: str) -> bool:
        return header == "present" or (not header and self._forms.is_header(fields))

    def _collect(self, form: Form, rows: Iterator[list[str]], names: Sequence[str]) -> Rows:
        return form.collect(_named(fields, names) for fields in rows)


def _check_encoding(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise bad_encoding() from None


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > _LONGEST_LINE:
            raise _bad_csv(number, f"longer than {_LONGEST_LINE:,} characters")
        yield line


def _rows(lines: Any) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        raise _bad_csv(lines.line_num, str(error)) from None


def _bad_csv(line: int, reason: str) -> ScoringError:
    return ScoringError(400, "bad_csv", f"line {line}: not readable as CSV: {reason}")


def _named(fields: list[str], names: Sequence[str]) -> object:
    if len(fields) == len(names):
        return dict(zip(names, fields, strict=True))
    if not fields:
        return Wrong("", 'is blank: leave it out, or write "" for a missing value')
    return Wrong("", f"has {len(fields)} fields, expected {len(names)}")
