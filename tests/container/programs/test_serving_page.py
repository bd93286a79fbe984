"""What docs/serving.md says of what is sent is what happens."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from boostline.container.flavors.base import FunctionModel, Model, Task
from boostline.container.loading import LoadedModel
from boostline.container.programs.media import CSV, JSON, JSON_LINES, PARQUET
from boostline.container.programs.scoring import Request, Scorer, ScoringError

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
KINDS = (CSV, JSON, JSON_LINES, PARQUET)
Bodies = Mapping[str, bytes]


def written(table: pl.DataFrame) -> Bodies:
    """Write a table in each way."""
    rows = table.to_dicts()
    return {
        CSV: table.write_csv().encode(),
        JSON: json.dumps(rows).encode(),
        JSON_LINES: "\n".join(map(json.dumps, rows)).encode(),
        PARQUET: parquet(table),
    }


def parquet(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def with_text(bodies: Bodies, old: str, new: str) -> dict[str, bytes]:
    """Replace what the text formats have."""
    texts = {kind: body for kind, body in bodies.items() if kind != PARQUET}
    assert all(old.encode() in body for body in texts.values())
    return {kind: body.replace(old.encode(), new.encode()) for kind, body in texts.items()}


def columns_of(table: pl.DataFrame) -> dict[str, Bodies]:
    """Break the columns."""
    line, row = written(table)[CSV].splitlines(), json.dumps(table.to_dicts()[0])
    twice = {JSON: f'[{row[:-1]}, "State": 1}}]', JSON_LINES: f'{row[:-1]}, "State": 1}}'}
    extra = {JSON: f"[{row},]", JSON_LINES: f"{row},"}
    return {
        "a column too few": written(table.drop("State")),
        "a field too few in a row": {CSV: b"\n".join([*line[:2], line[2].rpartition(b",")[0]])},
        "an unknown column": written(table.with_columns(State2="State")),
        "a field too many, a comma at the end": {
            CSV: b"\n".join([line[0], line[1] + b","]),
            **{kind: body.encode() for kind, body in extra.items()},
        },
        "a column twice": {
            CSV: b"\n".join(each + b"," + each.split(b",")[0] for each in line),
            **{kind: body.encode() for kind, body in twice.items()},
        },
        "columns in another order": written(table.select(sorted(table.columns))),
        "a blank line between rows": {
            CSV: b"\n\n".join(line),
            JSON: b"[" + row.encode() + b"\n\n]",
            JSON_LINES: f"{row}\n\n{row}".encode(),
        },
        "quoted fields": {CSV: table.write_csv(quote_style="always").encode()},
    }


def values_of(table: pl.DataFrame) -> dict[str, Bodies]:
    """Break the value of a number and that of a category."""

    def put(value: object, name: str = "Day Mins") -> Bodies:
        return written(table.with_columns(pl.lit(value).alias(name)))

    def number(text: str) -> Bodies:
        """Put a number into JSON too."""
        bodies = put("<>")
        quoted = with_text({JSON: bodies[JSON], JSON_LINES: bodies[JSON_LINES]}, '"<>"', text)
        return with_text({CSV: bodies[CSV]}, "<>", text) | quoted

    texts = [put(text) for text in ("inf", "nan", "1_000", "0x10")]
    listed = pl.lit([1.0]).alias("Day Mins")
    nul = {PARQUET: parquet(table.with_columns(pl.lit("1\0").alias("Day Mins"))), **number("1\0")}
    return {
        "text in a number": put("many"),
        "the texts `inf`, `nan`, `1_000`, `0x10` in a number": merged(*texts),
        "`NaN`, `Infinity` of no JSON": {
            kind: body for kind, body in number("NaN").items() if kind != CSV
        },
        "NaN in a column of floats: a missing value": {PARQUET: put(float("nan"))[PARQUET]},
        "an infinite number": {PARQUET: put(float("inf"))[PARQUET]},
        "`1e39`, `1e400`": {**merged(number("1e39"), number("1e400")), PARQUET: put(1e39)[PARQUET]},
        "an integer of 50,000 digits": {**put("9" * 50_000), **number("9" * 50_000)},
        "a boolean in a number": put(True),
        "a list in a field": {
            **{kind: number("[1]")[kind] for kind in (JSON, JSON_LINES)},
            PARQUET: parquet(table.with_columns(listed)),
        },
        'an unknown category, `unknown_category = "error"`': put("XX", "State"),
        "a NUL in a field": nul,
    }


def merged(*bodies: Bodies) -> Bodies:
    """Put several bodies into one: as further cases of the same kind."""
    return {f"{kind};n={n}": body for n, one in enumerate(bodies) for kind, body in one.items()}


def texts_of(table: pl.DataFrame) -> dict[str, Bodies]:
    """Break the text itself."""
    good = written(table)
    texts = {kind: body for kind, body in good.items() if kind != PARQUET}
    lines = {kind: body.replace(b"\n", b"\r\n") for kind, body in texts.items()}
    ones, one = b"1\n" * 1_000_001, pl.select(pl.repeat(1.0, 1_000_001).alias("Day Mins"))
    return {
        "nothing": dict.fromkeys(KINDS, b""),
        "blanks only": dict.fromkeys(KINDS, b" \r\n\t\n"),
        "no rows: a header alone, an empty list": {
            kind: body for kind, body in written(table[:0]).items() if kind != JSON_LINES
        },
        "a list or a text where a record is due": {
            **merged({JSON: b"[[1]]", JSON_LINES: b"[1]"}, {JSON: b'"a"', JSON_LINES: b'"a"'})
        },
        "cut in the middle: an open quote, an open bracket": {
            CSV: good[CSV] + b'"',
            **{kind: good[kind][:-9] for kind in (JSON, JSON_LINES, PARQUET)},
        },
        "nested 100,000 deep": dict.fromkeys((JSON, JSON_LINES), b"[" * 100_000),
        "another format than the type says": {
            CSV: good[JSON],
            JSON: good[CSV],
            JSON_LINES: good[CSV],
            PARQUET: good[JSON],
        },
        "bytes that are not UTF-8": {
            kind: body.replace(b"OH", b"\xff\xff") for kind, body in texts.items()
        },
        "UTF-16": {kind: body.decode().encode("utf-16") for kind, body in texts.items()},
        "a byte order mark, CRLF": {kind: b"\xef\xbb\xbf" + body for kind, body in lines.items()},
        "a line of more than 1,000,000 characters": {CSV: b"," * 1_000_001},
        "more than 1,000,000 rows": {
            CSV: ones,
            JSON: b"[" + b"{}," * 1_000_000 + b"{}]",
            JSON_LINES: ones,
            PARQUET: parquet(one),
        },
    }


@dataclasses.dataclass(frozen=True)
class Case:
    """Bodies with what else is sent."""

    bodies: Bodies
    parameter: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def cases_of(table: pl.DataFrame) -> dict[str, Case]:
    plain = columns_of(table) | values_of(table) | texts_of(table)
    good, many = written(table), written(pl.concat([table] * 60)[:1_001])
    unknown = 'an unknown category, `unknown_category = "{}"`'
    explain = {"accept": "", "attributes": "explain=3"}
    return {what: Case(bodies) for what, bodies in plain.items()} | {
        unknown.format("missing"): Case(plain[unknown.format("error")]),
        "`charset=utf-16` in the type": Case(good, "; charset=utf-16"),
        "`Content-Encoding: gzip`": Case(good, headers={"content_encoding": "gzip"}),
        "`Accept: image/png`": Case(good, headers={"accept": "image/png"}),
        "`features=` of another contract": Case(good, headers={"attributes": "features=0"}),
        "`explain=0`": Case(good, headers={"attributes": "explain=0"}),
        "`explain=3` and `Accept: text/csv`": Case(good, headers=explain | {"accept": CSV}),
        "`explain=3` for 1,001 rows": Case(many, headers=explain),
        "`explain=3` for more rows than a large forest explains": Case(good, headers=explain),
        "`explain=3` of a model that cannot explain its scores": Case(good, headers=explain),
        "`explain=3` of a model that is too large": Case(good, headers=explain),
    }


def said() -> dict[str, dict[str, str]]:
    """Read the table of the page: the outcome by kind of each case."""
    lines = PAGE.read_text().partition("| what is sent |")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return {what: {k: c for k, c in zip(KINDS, cells, strict=True) if c} for what, *cells in rows}


def outcome(scorer: Scorer, request: Request) -> str:
    try:
        scorer.score(request)
    except ScoringError as error:
        refused = error
    else:
        return "200"
    body = refused.to_json()
    answer = json.loads(body)["error"]
    assert len(body) <= 2_048
    assert {*answer} == {"code", "message", "row", "column", "problems"}
    assert answer["message"]
    assert (answer["code"] == "invalid_rows") == (answer["row"] is not None)
    return f"{refused.status} `{answer['code']}`"


@pytest.fixture(scope="module")
def cases(loaded: LoadedModel) -> dict[str, Case]:
    records = [golden.record for golden in loaded.artifact.golden.records]
    table = pl.DataFrame(records).with_columns(State=pl.lit("OH"))
    return cases_of(table)


@pytest.fixture(scope="module")
def scorer_of(loaded: LoadedModel) -> Callable[[str], Scorer]:
    contract = msgspec.structs.replace(loaded.artifact.contract, unknown_category="missing")
    artifact = dataclasses.replace(loaded.artifact, contract=contract)
    lenient = Scorer(dataclasses.replace(loaded, artifact=artifact))
    strict = Scorer(loaded)
    models = {
        "a large forest": explaining(2),
        "cannot explain": explaining(None),
        "too large": explaining(0),
    }
    special = {'"missing"': lenient}
    special |= {
        what: Scorer(dataclasses.replace(loaded, model=model)) for what, model in models.items()
    }
    return lambda what: next((found for name, found in special.items() if name in what), strict)


def explaining(most: int | None) -> Model:
    """A model that explains so many rows at a time."""
    task = Task("binary", 2)
    return FunctionModel(None, task, lambda *_: None, pytest.fail, most=lambda _: most)


@pytest.mark.parametrize("what", said())
def test_an_outcome(what: str, cases: dict[str, Case], scorer_of: Callable[[str], Scorer]) -> None:
    case, scorer = cases[what], scorer_of(what)
    found: dict[str, Any] = {}
    for name, body in case.bodies.items():
        kind = name.partition(";")[0]
        request = Request(body, kind + case.parameter, **case.headers)
        found.setdefault(kind, set()).add(outcome(scorer, request))
    assert found == {kind: {text} for kind, text in said()[what].items()}


def test_every_case_is_on_the_page(cases: dict[str, Case]) -> None:
    assert set(cases) == set(said())
