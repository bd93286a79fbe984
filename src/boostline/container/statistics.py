"""What numeric columns hold, gathered chunk by chunk."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from boostline.features.table import Columns

KINDS = ("count", "min", "max", "sum")


def gather(columns: Columns, numeric: list[str]) -> pl.DataFrame:
    """Aggregate a chunk: one row each of count, least, greatest, and sum of every column."""
    values = pl.DataFrame([columns[name] for name in numeric]).fill_nan(None)
    return pl.concat(values.select(getattr(pl.all(), kind)().cast(pl.Float64)) for kind in KINDS)


def join(chunks: Iterable[pl.DataFrame], rows: int) -> dict[str, dict[str, Any]]:
    """Answer ``missing``, ``min``, ``max`` and ``mean`` of so many rows by column.

    The sums are those of the chunks in their order: the same chunks give the same bits.
    """
    whole = pl.concat(chunk.with_columns(pl.Series("", KINDS)) for chunk in chunks)
    count, least, most, total = (whole.filter(pl.col("") == kind).drop("") for kind in KINDS)
    found: dict[str, dict[str, Any]] = {}
    for name in count.columns:
        present = int(count[name].sum())
        mean = total[name].sum() / present if present else None
        ends = {"min": least[name].min(), "max": most[name].max()}
        found[name] = {"missing": rows - present, **ends, "mean": mean}
    return found
