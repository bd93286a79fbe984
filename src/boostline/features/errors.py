"""The root of what this package raises for a mistake in somebody's input."""


class FeatureError(ValueError):
    """A mistake in a specification, a contract, a table, or a record; the text is for people."""
