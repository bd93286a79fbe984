"""process: a raw table to splits of float32 features, the feature contract, and a summary."""

import json
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.paths import Paths, data_files, read_bytes
from boostline.container.split import NAMES, Rates, assign, row_hashes
from boostline.features.columns import TableError
from boostline.features.contract import FeatureContract
from boostline.features.files import read_table
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec
from boostline.features.table import canonical, fit, labels, transform

VERSION = 1
GOLDEN_RECORDS = 20


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed content of ``config.json``."""

    version: int
    features: FeatureSpec
    split: Rates


def run(paths: Paths) -> None:
    """Run the program in a processing job's folders.

    Raises
    ------
    ContainerError, FeatureError
        The configuration or the table cannot be used.
    """
    config = read_config(read_bytes(paths.processing_input("config") / "config.json"))
    spec = config.features
    table = read_table(data_files(paths.processing_input("data")))
    _check_header(spec, table.columns)
    rows, places = _split(spec, table, config.split)
    parts = {name: rows.filter(pl.Series(places == place)) for place, name in enumerate(NAMES)}
    _check_parts(parts, config.split)
    contract, statistics = fit(spec, parts["train"])
    counts = {}
    for name, part in parts.items():
        codes = labels(contract, part)
        counts[name] = _class_counts(contract, name, codes, config.split)
        features = transform(contract, part).with_columns(codes.alias(contract.label))
        features.write_parquet(paths.processing_output(name) / f"{name}.parquet")
    folder = paths.processing_output("contract")
    (folder / "features.json").write_bytes(contract.to_json())
    _write_json(folder / "golden_records.json", golden_records(contract, parts["validation"]))
    summary = {
        "version": VERSION,
        "features": contract.digest,
        "rows": {"total": len(table), **{name: len(part) for name, part in parts.items()}},
        "classes": counts,
        "statistics": statistics,
    }
    _write_json(paths.processing_output("summary") / "summary.json", summary)
    for name, part in parts.items():
        print(f"{name}: {len(part)} rows {json.dumps(counts[name])}", flush=True)
    print(f"features: {len(contract.columns)} columns, contract {contract.digest[:16]}", flush=True)


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


def golden_records(contract: FeatureContract, part: pl.DataFrame) -> list[dict[str, Any]]:
    """Take the first records of a split, in its order, that the record transform accepts."""
    accepts = RecordTransform(contract).transform
    chosen: list[dict[str, Any]] = []
    for row in part.select([column.name for column in contract.inputs]).iter_rows(named=True):
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


def _check_header(spec: FeatureSpec, header: list[str]) -> None:
    unknown = spec.unknown_columns(header)
    if unknown:
        raise TableError(
            f"the table has columns that are not declared: {', '.join(map(repr, unknown))}: "
            "list them under features.numeric, features.categorical or features.ignore"
        )
    if spec.label not in header:
        raise TableError(f"the table has no label column {spec.label!r}; it has {header}")


def _split(
    spec: FeatureSpec, table: pl.DataFrame, rates: Rates
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Put the canonical rows in the order of their hashes, and say which split each is in.

    The order makes the output a function of the rows alone, whatever order they came in.
    """
    rows = canonical(spec, table)
    hashes = row_hashes(rows, rates.seed)
    order = np.argsort(hashes, kind="stable")
    return rows[order], assign(hashes[order], rates)


def _check_parts(parts: Mapping[str, pl.DataFrame], rates: Rates) -> None:
    for name, part in parts.items():
        if part.is_empty():
            raise ContainerError(
                f"the {name} split has no rows ({rates}): more rows or other rates"
            )


def _class_counts(
    contract: FeatureContract, name: str, codes: pl.Series, rates: Rates
) -> dict[str, int]:
    if contract.classes is None:
        return {}
    counts = {text: int((codes == code).sum()) for code, text in enumerate(contract.classes)}
    for text, count in counts.items():
        if count == 0:
            raise ContainerError(
                f"class {text!r} of {contract.label!r} has no row in the {name} split "
                f"({rates}): more rows of it, other rates, or another seed"
            )
    return counts


def _plain(value: object) -> object:
    """Write a canonical value as a client would: integers without a fraction, null for missing."""
    if isinstance(value, float):
        if isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
