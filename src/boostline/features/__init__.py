"""The feature contract: fit on a table, transform a table (Polars) or one record (plain Python)."""
