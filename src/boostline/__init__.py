"""From a table to a governed, accelerated prediction API."""

__version__ = "0.1.0"
