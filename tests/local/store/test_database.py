from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boostline.local.store.database import FORMAT, Database, OtherFormat

SCHEMA = "CREATE TABLE IF NOT EXISTS count (n INTEGER)"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(tmp_path / "db")
    made.define(SCHEMA)
    with made.transaction() as connection:
        connection.execute("INSERT INTO count VALUES (0)")
    return made


def count(database: Database) -> int:
    number: int = database.query("SELECT n FROM count")[0]["n"]
    return number


def test_a_transaction_inside_belongs_to_the_outer_one(database: Database) -> None:
    def fail() -> None:
        with database.transaction():
            with database.transaction() as connection:
                connection.execute("UPDATE count SET n = 1")
            assert count(database) == 1
            raise RuntimeError("outer")

    with pytest.raises(RuntimeError, match="outer"):
        fail()
    assert count(database) == 0


def test_transactions_of_threads_do_not_mix(database: Database) -> None:
    def add(_: int) -> None:
        with database.transaction() as connection:
            found = count(database)
            connection.execute("UPDATE count SET n = ?", (found + 1,))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(50)))
    assert count(database) == 50


def test_what_was_committed_is_there_for_others(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE count SET n = 7")
    other = sqlite3.connect(tmp_path / "db")
    assert other.execute("SELECT n FROM count").fetchone() == (7,)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_a_closed_database_says_so(database: Database) -> None:
    database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.query("SELECT 1")


@pytest.mark.parametrize("other", [0, FORMAT - 1, FORMAT + 1])
def test_a_file_of_another_format_is_refused_and_left_as_it_is(
    database: Database, tmp_path: Path, other: int
) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE count SET n = 7")
    database.close()
    file = sqlite3.connect(tmp_path / "db")
    file.execute(f"PRAGMA user_version={other}")
    with pytest.raises(OtherFormat, match=f"has format {other}, not {FORMAT}: take another folder"):
        Database(tmp_path / "db")
    assert file.execute("PRAGMA user_version").fetchone() == (other,)
    assert file.execute("SELECT n FROM count").fetchone() == (7,)
    file.close()
