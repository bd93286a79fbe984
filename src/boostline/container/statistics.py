"""What numeric columns hold, gathered chunk by chunk."""

from typing import Any

import polars as pl

from boostline.features.table import Columns


class Statistics:
    """Sums over the rows it is shown, the same for the same chunks.

    Parameters
    ----------
    numeric
        The columns.
    """

    def __init__(self, numeric: list[str]) -> None:
        self._numeric = numeric
        self._chunks: list[pl.DataFrame] = []

    def add(self, columns: Columns) -> Columns:
        """Take a chunk's columns in, and hand them on."""
        values = pl.DataFrame([columns[name] for name in self._numeric]).fill_nan(None)
        kinds = (pl.all().count(), pl.all().min(), pl.all().max(), pl.all().sum())
        self._chunks.append(pl.concat([values.select(kind.cast(pl.Float64)) for kind in kinds]))
        return columns

    def summary(self, rows: int) -> dict[str, dict[str, Any]]:
        """Answer ``missing``, ``min``, ``max`` and ``mean`` by column, of so many rows."""
        return {name: self._of(name, rows) for name in self._numeric}

    def _of(self, name: str, rows: int) -> dict[str, Any]:
        count, least, most, total = (
            pl.Series([chunk[name][kind] for chunk in self._chunks], dtype=pl.Float64)
            for kind in range(4)
        )
        present = int(count.sum())
        mean = total.sum() / present if present else None
        return {"missing": rows - present, "min": least.min(), "max": most.max(), "mean": mean}
