import gzip
from pathlib import Path

import polars as pl
import pytest

from boostline.features import files
from boostline.features.columns import TableError
from boostline.features.files import read_pieces, read_table


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


LINES = [b'%d,"text, of\n%d ""x"""' % (n, n) for n in range(300)]


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blocks_end_where_lines_do(
    tmp_path: Path, block: int, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", block)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(end.join([b"n,text", *LINES])))
    table = read_table([path])
    assert table["n"].to_list() == [str(n) for n in range(300)]
    assert table["text"].to_list() == [f'text, of\n{n} "x"' for n in range(300)]


def test_malformed_lines_are_left_out_and_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", 16)
    lines = ["a,b", "1,2", '3,"x', 'y"', "", "4", "5,6,7", "8,", '9,5" pipe']
    path = write(tmp_path / "a.csv", "\n".join(lines).encode() + b"\n1,\xff\n2,3\n")
    pieces = [parse() for parse in read_pieces([path])]
    assert [problem for piece in pieces for problem in piece.problems({})] == [
        "a.csv, line 6: 1 fields, the header has 2",
        "a.csv, line 7: 3 fields, the header has 2",
        "a.csv, line 10: not UTF-8 text",
    ]
    rows = [row for piece in pieces for row in piece.table.rows()]
    assert rows == [("1", "2"), ("3", "x\ny"), ("8", None), ("9", '5" pipe'), ("2", "3")]
    numbers = [number for piece in pieces for number in piece.numbers()]
    assert numbers == [2, 4, 8, 9, 11]


@pytest.mark.parametrize("odd", ["inf", "nan", "NA", "1_0", "1 "])
def test_numbers_are_read_at_once_only_where_all_are_plain(tmp_path: Path, odd: str) -> None:
    plain = write(tmp_path / "a.csv", "a,b\n1,2\n,3\n")
    other = write(tmp_path / "b.csv", f"a,b\n1,2\n{odd},3\n")
    first, second = (parse().table for parse in read_pieces([plain, other], ["a"]))
    assert first.rows() == [(1.0, "2"), (None, "3")]
    assert second.rows() == [("1", "2"), (odd, "3")]


def test_pieces_of_parquet_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS", 4)
    pl.DataFrame({"a": range(10)}).write_parquet(tmp_path / "a.parquet")
    pieces = [parse() for parse in read_pieces([tmp_path / "a.parquet"])]
    assert [(len(piece.table), piece.numbers()[0]) for piece in pieces] == [(4, 1), (4, 5), (2, 9)]
    assert pieces[1].problems({1: "is odd"}) == ["a.parquet, row 6: is odd"]


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-20])
    with pytest.raises(TableError, match=r"a\.csv\.gz: not a readable text"):
        read_table([path])
