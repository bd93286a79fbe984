"""How large a Parquet file is when it is decoded, told before it is.

A file of some kilobytes can hold gigabytes. What is read here is the footer and the header of each
page, in Thrift's compact protocol (apache/parquet-format: `parquet.thrift`; apache/thrift:
`thrift-compact-protocol.md`); numbers name the fields as they do there.
"""

from typing import Any, NamedTuple

_MAGIC = b"PAR1"
_LARGEST_FOOTER = 1 << 20
_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class Size(NamedTuple):
    """Rows, and the bytes of all pages when they are decompressed."""

    rows: int
    decoded: int


def measure(body: bytes) -> Size:
    """Measure a file.

    Raises
    ------
    ValueError
        It is not Parquet; the text says why.
    """
    if len(body) < 12 or body[:4] != _MAGIC or body[-4:] != _MAGIC:
        raise ValueError("it does not begin and end as Parquet does: is it whole?")
    length = int.from_bytes(body[-8:-4], "little")
    if length > min(_LARGEST_FOOTER, len(body) - 12):
        raise ValueError("its footer is cut, or larger than 1 MiB")
    try:
        footer = _Thrift(body, len(body) - 8 - length).struct()
        chunks = [chunk[3] for group in footer[4] for chunk in group[1]]
        rows = max(int(footer[3]), sum(int(group[3]) for group in footer[4]))
        return Size(rows, sum(_decoded(body, chunk) for chunk in chunks))
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("its metadata are broken") from error


def _decoded(body: bytes, chunk: dict[int, Any]) -> int:
    """Add up the pages of a column, from its dictionary's (11) or its first (9) on."""
    place = min(chunk[9], chunk.get(11) or chunk[9])
    end = place + chunk[7]
    if not 0 <= place <= end <= len(body):
        raise ValueError("its pages lie outside of it")
    size = 0
    while place < end:
        thrift = _Thrift(body, place)
        page = thrift.struct()
        if page[2] < 0 or page[3] < 0:
            raise ValueError("a page has a negative size")
        size += page[2]
        place = thrift.place + page[3]
    return size


class _Thrift:
    """Reads values at a place; lists and structs as Python has them."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data = data
        self.place = place

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise ValueError("its metadata are nested too deeply")
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            field = field + step if step else self._signed()
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind in (_LIST, _SET):
            return self._items(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_TRUE, _FALSE, _BYTE):  # in a list, a boolean has a byte
            return self._byte()
        if kind not in (_DOUBLE, _BINARY):
            raise ValueError("its metadata hold what Parquet has not")
        size = 8 if kind == _DOUBLE else self._number()
        self.place += size
        return self._data[self.place - size : self.place]

    def _items(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._number()
        if count > len(self._data) - self.place:  # each takes a byte or more
            raise ValueError("its metadata are broken")
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _number(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
            if shift > 63:
                raise ValueError("its metadata are broken")

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
