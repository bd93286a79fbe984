"""process: a raw table to splits of float32 features, the feature contract, and a summary."""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from boostline.container.code import Context
from boostline.container.errors import ContainerError
from boostline.container.intake import Intake, in_order
from boostline.container.paths import Paths, data_files, read_bytes
from boostline.container.source import Source
from boostline.container.spill import CHUNK, Spill
from boostline.container.split import NAMES, Split, Words
from boostline.container.statistics import gather, join
from boostline.features.columns import TableError
from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec
from boostline.features.table import decode, encode, encode_labels, fit
from boostline.features.values import category_parser

VERSION = 1
GOLDEN_RECORDS = 20
BUCKET = 16 << 20  # bytes of the input to one bucket of rows
MOST_BITS = 9

Counts = dict[str, dict[str, int]]


class Malformed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many malformed rows are left out before the job fails."""

    limit: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed content of ``config.json``."""

    version: int
    features: FeatureSpec
    split: Split
    malformed: Malformed = Malformed()


def run(paths: Paths) -> None:
    """Run the program in a processing job's folders.

    Raises
    ------
    ContainerError, FeatureError
        The configuration, the table, or the user's code cannot be used.
    """
    config = read_config(read_bytes(paths.processing_input("config") / "config.json"))
    spec = config.features
    context = Context(spec.objective, None, paths.processing_output("summary"))
    files = data_files(paths.processing_input("data"))
    source = Source(files, paths.processing_input("code"), context)
    _check_header(config, source.header)
    bits = min(MOST_BITS, math.ceil(math.log2(max(1, source.size / BUCKET))))
    # Not in the system's temporary folder: SageMaker mounts the job's volume at its own folders.
    with tempfile.TemporaryDirectory(prefix=".rows-", dir=paths.processing_output("")) as folder:
        spill = Spill(Path(folder), len(spec.inputs) + 1, bits)
        intake = Intake(spec, config.split, config.malformed.limit, spill)
        intake.count(source.malformed)
        if config.split.time is not None:
            intake.find_times(source.pieces([]))
        intake.take(source.pieces(spec.numeric))
        _Outputs(paths, config, intake, spill).write()


def read_config(text: bytes) -> Config:
    """Read ``config.json``.

    Raises
    ------
    ContainerError, SpecError
        It is not of this version, or contradicts itself.
    """
    try:
        config = msgspec.json.decode(text, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContainerError(f"config.json: {error}") from None
    if config.version != VERSION:
        raise ContainerError(f"config.json: version {config.version} is not known: use {VERSION}")
    config.features.check()
    config.split.check()
    return config


def golden_records(contract: FeatureContract, raw: Iterable[pl.DataFrame]) -> list[dict[str, Any]]:
    """Take the first records of raw rows, in their order, that the record transform accepts."""
    accepts = RecordTransform(contract).transform
    names = [column.name for column in contract.inputs]
    chosen: list[dict[str, Any]] = []
    for row in (row for table in raw for row in table.select(names).iter_rows(named=True)):
        record = {name: _plain(value) for name, value in row.items()}
        try:
            accepts(record)
        except RecordError:  # a category that the training rows do not have
            continue
        if record not in chosen:
            chosen.append(record)
        if len(chosen) == GOLDEN_RECORDS:
            break
    return chosen


class _Outputs:
    """What is written of the rows that were taken in."""

    def __init__(self, paths: Paths, config: Config, intake: Intake, spill: Spill) -> None:
        self._paths, self._config, self._intake, self._spill = paths, config, intake, spill
        self._rows = dict(zip(NAMES, spill.counts.tolist(), strict=True))

    def write(self) -> None:
        """Write every output of the job."""
        spec, vocabularies = self._config.features, self._intake.vocabularies
        for name, count in self._rows.items():
            if not count:
                raise ContainerError(
                    f"the {name} split has no rows ({self._config.split}): "
                    f"{self._advice('more rows or other rates')}"
                )
        found = {name: vocabularies[name].counts(0) for name in spec.categorical}
        if spec.label in vocabularies:
            found[spec.label] = vocabularies[spec.label].counts()
        contract = fit(spec, found)
        classes = self._class_counts(contract)
        seen = {name: self._write_features(name, contract) for name in NAMES}
        kinds = {name: pl.String if name in found else pl.Float64 for name in self._intake.names}
        self._write_table("rows", kinds, self._raw("test"))
        folder = self._paths.processing_output("contract")
        (folder / "features.json").write_bytes(contract.to_json())
        golden = golden_records(contract, self._raw("validation"))
        _write_json(folder / "golden_records.json", golden)
        statistics = join(seen["train"], self._rows["train"])
        for name in spec.categorical:
            missing = self._rows["train"] - sum(found[name].values())
            statistics[name] = {"missing": missing, "counts": found[name]}
        summary = {
            "version": VERSION,
            "features": contract.digest,
            "rows": {"total": sum(self._rows.values()), **self._rows},
            "malformed": {
                "rows": self._intake.malformed,
                "limit": self._config.malformed.limit,
                "first": self._intake.first,
            },
            "classes": classes,
            "statistics": statistics,
        }
        _write_json(self._paths.processing_output("summary") / "summary.json", summary)
        for name in NAMES:
            print(f"{name}: {self._rows[name]} rows {json.dumps(classes[name])}", flush=True)
        text = f"{len(contract.columns)} columns, contract {contract.digest[:16]}"
        print(f"features: {text}; malformed rows left out: {self._intake.malformed}", flush=True)

    def _advice(self, otherwise: str) -> str:
        """Say what to do about a split that lacks rows."""
        total, split = sum(self._rows.values()), self._config.split
        kept = split.by or split.time
        if kept is not None:
            return f"rows of one {kept!r} go together: {otherwise}, or more different values of it"
        different = self._spill.distinct()
        if different == total:
            return otherwise
        return (
            f"{total} rows, only {different} different ones: equal rows go together: {otherwise}; "
            "or use [split] by = an id column"
        )

    def _write_features(self, name: str, contract: FeatureContract) -> list[pl.DataFrame]:
        """Write a split's features and labels; what its chunks hold."""
        seen: list[pl.DataFrame] = []

        def make(rows: Words) -> tuple[pl.DataFrame, pl.DataFrame]:
            columns = self._intake.columns(rows)
            features = encode(contract, columns).with_columns(encode_labels(contract, columns))
            return features, gather(columns, self._config.features.numeric)

        def tables() -> Iterator[pl.DataFrame]:
            for features, held in in_order(make, self._spill.chunks(NAMES.index(name))):
                seen.append(held)
                yield features

        kinds = dict.fromkeys([*contract.columns, contract.label], pl.Float32)
        self._write_table(name, kinds, tables())
        return seen

    def _raw(self, name: str) -> Iterator[pl.DataFrame]:
        for rows in self._spill.chunks(NAMES.index(name)):
            yield decode(self._intake.columns(rows)).fill_nan(None)

    def _write_table(
        self, name: str, kinds: Mapping[str, Any], tables: Iterator[pl.DataFrame]
    ) -> None:
        """Write tables as one Parquet file, one after the other."""
        path = self._paths.processing_output(name) / f"{name}.parquet"
        rows = register_io_source(lambda *_: tables, schema=dict(kinds))
        rows.sink_parquet(path, compression="lz4", statistics=False, row_group_size=2 * CHUNK)

    def _class_counts(self, contract: FeatureContract) -> Counts:
        """Count the rows of each split by class."""
        counts: Counts = {name: {} for name in NAMES}
        canonical = category_parser(contract.missing)
        for place, name in enumerate(NAMES):
            for text in contract.classes or []:
                found = self._intake.vocabularies[contract.label].counts(place)
                counts[name][text] = found.get(str(canonical(text)), 0)
                if not counts[name][text]:
                    raise ContainerError(
                        f"class {text!r} of {contract.label!r} has no row in the {name} split "
                        f"({self._config.split}): "
                        f"{self._advice('more rows of it, other rates, or another seed')}"
                    )
        return counts


def _check_header(config: Config, header: list[str]) -> None:
    unknown = config.features.unknown_columns(header)
    if unknown:
        raise TableError(
            f"the table has columns that are not declared: {', '.join(map(repr, unknown))}: "
            "list them under features.numeric, features.categorical or features.ignore"
        )
    wanted = {"label": config.features.label, "split": config.split.by or config.split.time}
    for role, name in wanted.items():
        if name is not None and name not in header:
            raise TableError(f"the table has no {role} column {name!r}; it has {header}")


def _plain(value: object) -> object:
    """Write a canonical value as a client would: integers without a fraction."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value  # type: ignore[call-overload]


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
