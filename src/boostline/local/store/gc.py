"""What is stored and no longer named is removed; what is named is looked after.

Contents are referred to by their digest, in rows of the one database: those of objects, mostly.
Whoever refers to a content needs to do no more than that. Functions keep their code unpacked.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from boostline.local.store.blobs import Blobs

# A content is stored before it is named: so long may that take in a running platform, in seconds.
GRACE = 3_600.0
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
# Which object refers to which content, as a person knows it.
_NAMES = """
SELECT digest, 's3://' || bucket || '/' || key ||
  replace(' version ' || version, ' version null', '') FROM object WHERE digest != ''
"""


class Report(NamedTuple):
    """What a collection found: contents kept and removed, and the bytes of the latter."""

    kept: int
    removed: int
    freed: int


class Problem(NamedTuple):
    """A content that is damaged or missing: its digest, what it is, and who refers to it."""

    digest: str
    reason: str
    names: tuple[str, ...]


def collect(database: Path, blobs: Blobs, grace: float = GRACE) -> Report:
    """Remove the contents that no row of the database refers to.

    Any digest in any text counts as a reference: rather a content too many than one too few. What
    was stored (or stored again) less than `grace` seconds before is kept too: its name may be on
    its way. The names are read in one snapshot and hold nobody up.

    Parameters
    ----------
    database
        The SQLite file of the platform that owns `blobs`.
    grace
        0 where nobody writes.
    """
    before = time.time() - grace
    named, stored = _referenced(database), list(blobs)
    sizes = [blobs.discard(digest, before) for digest in stored if digest not in named]
    freed = [size for size in sizes if size is not None]
    return Report(len(stored) - len(freed), len(freed), sum(freed))


def verify(folder: Path) -> list[Problem]:
    """Read all contents of a platform's folder again, and return those that are not as named.

    Changes nothing, so the platform may be running.
    """
    names = defaultdict(set)
    with _snapshot(folder / "platform.sqlite") as connection:
        for digest, name in connection.execute(_NAMES):
            names[digest].add(name)
    stored = {path.name: path for path in (folder / "blobs").glob("[0-9a-f][0-9a-f]/*")}
    wrong = dict.fromkeys(names.keys() - stored.keys(), "missing")
    wrong |= {name: "damaged" for name, path in stored.items() if _sha256(path) != name}
    return [
        Problem(digest, reason, tuple(sorted(names[digest])))
        for digest, reason in sorted(wrong.items())
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _referenced(database: Path) -> set[str]:
    found: set[str] = set()
    with _snapshot(database) as connection:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'log%'"
        for (table,) in connection.execute(tables).fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
                found.update(*(_DIGEST.findall(each) for each in row if isinstance(each, str)))
    return found


@contextmanager
def _snapshot(database: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that reads the database as it is now, whatever others write."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only=1")
        connection.execute("BEGIN")
        yield connection
