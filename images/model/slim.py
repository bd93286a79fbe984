"""Make libraries that pip has just installed smaller: `python slim.py PREFIX`.

* Of shared libraries what the loader never maps is cut off: symbols, for debuggers.
* Kernels for NVIDIA's GPUs leave a hole that reads as zeros: what trains here trains on CPUs.
* A library that is there under each of its versions' names, since wheels hold no links, gets links.

The lists of files that packages keep (RECORD) are made true again.
"""

import base64
import csv
import hashlib
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# What elf(5) says of files for 64-bit little-endian machines.
_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<32xQQ8xH2xHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<I20xQQ24x")
_LOAD, _TABLE = 1, 6  # kinds of segments
_PAGE = 65_536  # of any of these machines, whatever its pages' size
_KERNELS = b".nv_fatbin\0"


class _Segment(NamedTuple):
    """A part of a library, and where the loader maps it."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int  # what is beyond the size reads as zeros
    alignment: int


def slim(library: bytes) -> bytes:
    """Take out of a library what no program here needs; all else keeps its address.

    Parameters
    ----------
    library
        The file; one in another format stays as it is.
    """
    if not library.startswith(_MAGIC):
        return library
    table, _, count, *_ = _HEADER.unpack_from(library)
    places = range(table, table + count * _SEGMENT.size, _SEGMENT.size)
    segments = [_Segment(*_SEGMENT.unpack_from(library, place)) for place in places]
    end = max(places.stop, *(segment.offset + segment.size for segment in segments))
    hole = _kernels(library)
    if hole:
        segments = _parted(segments, hole)
    content = bytearray(library[: hole.start] + library[hole.stop : end] if hole else library[:end])
    for place, segment in zip(places, segments, strict=True):
        _SEGMENT.pack_into(content, place, *segment)
    struct.pack_into("<Q", content, 40, 0)  # the loader needs no sections: none are told of
    struct.pack_into("<HH", content, 60, 0, 0)
    return bytes(content)


def _kernels(library: bytes) -> range:
    """Find the whole pages of the section that holds kernels."""
    _, sections, _, count, names = _HEADER.unpack_from(library)
    found = [_SECTION.unpack_from(library, sections + place * 64) for place in range(count)]
    for name, offset, size in found:
        if library.startswith(_KERNELS, found[names][1] + name):
            return range(-(-offset // _PAGE) * _PAGE, (offset + size) // _PAGE * _PAGE)
    return range(0)


def _parted(segments: Sequence[_Segment], hole: range) -> list[_Segment]:
    """Part the segment around a hole; what the parts lack in the file reads as zeros.

    The part more takes the entry that tells of the table of segments itself: of a library it is of
    no use. So the kernels have to be in the first segment that is loaded.
    """
    spare, whole, *others = segments
    if (spare.kind, whole.kind) != (_TABLE, _LOAD) or hole.stop > whole.offset + whole.size:
        raise ValueError("kernels are not in the first segment: this library has another layout")
    before, after = hole.start - whole.offset, hole.stop - whole.offset
    parts = [
        whole._replace(size=before, memory=after),
        whole._replace(
            offset=hole.stop,
            address=whole.address + after,
            physical=whole.physical + after,
            size=whole.size - after,
            memory=whole.memory - after,
        ),
    ]
    return [
        part._replace(offset=part.offset - len(hole)) if part.offset >= hole.stop else part
        for part in (*parts, *others)
    ]


def _list_again(record: Path) -> None:
    """Leave out of a package's list what is not there, and put in how libraries are now."""
    with record.open(newline="") as file:
        rows = [*csv.reader(file)]
    with record.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        for name, *known in rows:
            path = record.parent.parent / name
            if path.is_file():
                lines.writerow([name, *(_described(path) if ".so" in path.name else known)])


def _described(path: Path) -> tuple[str, int]:
    content = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={digest.decode().rstrip('=')}", len(content)


def main(prefix: Path) -> None:
    """Make the libraries below a prefix smaller."""
    kept: dict[tuple[Path, str], Path] = {}
    for path in sorted(prefix.rglob("*.so*"), reverse=True):  # the longest name is the library's
        content = slim(path.read_bytes())
        first = kept.setdefault((path.parent, hashlib.sha256(content).hexdigest()), path)
        if first == path:
            path.write_bytes(content)
        else:
            path.unlink()
            path.symlink_to(first.name)
    for record in prefix.rglob("*.dist-info/RECORD"):
        _list_again(record)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
