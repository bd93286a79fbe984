from pathlib import Path

import polars as pl
import pytest

from boostline.features.columns import TableError
from boostline.features.files import read_table


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_is_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'n,"a,b"\n007,"x\ny"\n,z\n')
    assert read_table([path]).to_dict(as_series=False) == {"n": ["007", None], "a,b": ["x\ny", "z"]}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"\xef\xbb\xbfn,m\n1,2\n")
    assert read_table([path]).columns == ["n", "m"]


def test_files_are_joined_by_column_name(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "a,b\n1,2\n")
    second = write(tmp_path / "b.csv", "b,a\n4,3\n")
    assert read_table([first, second]).rows() == [("1", "2"), ("3", "4")]


def test_parquet(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    table.write_parquet(tmp_path / "a.parquet")
    assert read_table([tmp_path / "a.parquet"]).equals(table)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a,b\n1,2\n3\n", r"a\.csv, line 3: 1 fields, the header has 2"),
        ("a.csv", "a,b\n1,2\n3,4,5\n", r"a\.csv, line 3: 3 fields"),
        ("a.csv", "a,a\n1,2\n", "line 1: column 'a' is there twice"),
        ("a.csv", "", "empty"),
        ("a.csv", "a,b\n", "no rows"),
        ("a.csv", b"a,b\n\xff\xfe,1\n", r"a\.csv"),
        ("a.parquet", "no parquet", r"a\.parquet: not a readable Parquet"),
        ("a.xlsx", "x", "unknown kind of file"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(TableError, match=message):
        read_table([write(tmp_path / name, content)])


def test_other_columns_are_named(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "a,b\n1,2\n")
    second = write(tmp_path / "b.csv", "a,c\n4,3\n")
    with pytest.raises(TableError, match=r"b\.csv: other columns than a\.csv: \['b', 'c'\]"):
        read_table([first, second])


def test_no_files() -> None:
    with pytest.raises(TableError, match="no data files"):
        read_table([])
