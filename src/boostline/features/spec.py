"""What a project declares about its features, before anything was fitted."""

from collections.abc import Collection, Iterator
from typing import Literal

import msgspec

from boostline.features.errors import FeatureError
from boostline.features.expressions import ExpressionError, columns, parse
from boostline.features.values import category_parser

Objective = Literal["binary", "multiclass", "regression"]
UnknownCategory = Literal["error", "missing"]

# A contract may come from a stranger: reading one takes bounded time and memory.
MAX_COLUMNS = 50_000
MAX_EXPRESSIONS = 500_000  # characters of all derived columns together


class SpecError(FeatureError):
    """A mistake in a specification; ``key`` names its place as the project file writes it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message


class FeatureSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The declared columns of a table.

    Attributes
    ----------
    label
        The column to predict.
    classes
        The label's classes in the order of their codes; for a binary objective the last is the
        positive one. None takes the sorted values of the table.
    objective
        ``binary``, ``multiclass`` or ``regression``.
    numeric, categorical
        The raw columns that are features, in the order of the feature row.
    ignore
        Columns that may be there and are not features.
    derived
        Further features by name, as expressions over numeric and earlier derived columns.
    missing
        Texts that mean a missing value, beside the empty text.
    unknown_category
        What a record with a category that training never saw is: an ``error``, or ``missing``.
    """

    label: str
    classes: list[str] | None = None
    objective: Objective = "binary"
    numeric: list[str] = []
    categorical: list[str] = []
    ignore: list[str] = []
    derived: dict[str, str] = {}
    missing: list[str] = msgspec.field(default_factory=lambda: [""])
    unknown_category: UnknownCategory = "error"

    @property
    def inputs(self) -> list[str]:
        """The raw columns in the order of the feature row."""
        return [*self.numeric, *self.categorical]

    def problems(self) -> list[SpecError]:
        """List every mistake of the specification in itself."""
        if too_large := self.too_large():
            return [too_large]
        return [*_names(self), *_classes(self), *_derived(self)]

    def too_large(self) -> SpecError | None:
        """Say whether there are too many columns, or expressions."""
        count = len(self.inputs) + len(self.derived)
        if count > MAX_COLUMNS:
            return SpecError("features", f"has {count:,} columns: at most {MAX_COLUMNS:,} can be")
        length = sum(map(len, self.derived.values()))
        if length > MAX_EXPRESSIONS:
            text = f"has {length:,} characters of expressions: at most {MAX_EXPRESSIONS:,} can be"
            return SpecError("features.derived", text)
        return None

    def check(self) -> None:
        """Refuse a specification with mistakes.

        Raises
        ------
        SpecError
            The first one.
        """
        for problem in self.problems():
            raise problem

    def unknown_columns(self, header: Collection[str]) -> list[str]:
        """Name the columns of a table that are neither label, feature, nor ignored."""
        known = {self.label, *self.numeric, *self.categorical, *self.ignore}
        return [name for name in header if name not in known]


def _names(spec: FeatureSpec) -> Iterator[SpecError]:
    if not spec.label:
        yield SpecError("data.label", "is empty: name the column to predict")
    if not spec.numeric and not spec.categorical:
        yield SpecError("features", "has no columns: list some under numeric or categorical")
    seen = {spec.label: "data.label"}
    for group in ("numeric", "categorical", "ignore", "derived"):
        key = f"features.{group}"
        for name in getattr(spec, group):
            place = f"{key}.{quote(name)}" if group == "derived" else key
            if not name and group != "ignore":  # pandas writes its index without a name
                yield SpecError(key, "has an empty column name: list it under ignore")
            elif name in seen and seen[name] == "data.label":
                yield SpecError(place, f"{name!r} is the label (data.label): it cannot be here too")
            elif name in seen:
                yield SpecError(place, f"{name!r} is in {seen[name]} already: name it once")
            seen.setdefault(name, key)


def _classes(spec: FeatureSpec) -> Iterator[SpecError]:
    key = "data.classes"
    if spec.objective == "regression":
        if spec.classes is not None:
            yield SpecError(key, "has no meaning for the objective 'regression': leave it out")
        return
    if spec.classes is None:
        return
    parser = category_parser(spec.missing)
    texts = [parser(name) for name in spec.classes]
    if None in texts:
        yield SpecError(key, "has a class that means a missing value: rename it")
    elif len(set(texts)) < len(texts):
        yield SpecError(key, "names a class twice")
    elif spec.objective == "binary" and len(texts) != 2:
        found = len(texts)
        yield SpecError(key, f"has {found} names: 'binary' takes two, the last is the positive one")
    elif len(texts) < 2:
        yield SpecError(key, "needs at least two names")


def _derived(spec: FeatureSpec) -> Iterator[SpecError]:
    available = set(spec.numeric)
    for name, expression in spec.derived.items():
        key = f"features.derived.{quote(name)}"
        try:
            read = columns(parse(expression))
        except ExpressionError as error:
            yield SpecError(key, str(error))
        else:
            for column in read:
                if column not in available:
                    yield SpecError(key, _unavailable(spec, name, column))
        available.add(name)


def _unavailable(spec: FeatureSpec, name: str, column: str) -> str:
    if column in spec.categorical:
        return f"{column!r} is categorical: only numeric columns can be computed with"
    if column == name or column in spec.derived:
        return f"{column!r} is not there yet: an expression reads earlier derived columns only"
    return f"unknown column {column!r}: list it under features.numeric"


def quote(name: str) -> str:
    """Write a column name as a key of a TOML table."""
    if name and all(char.isascii() and (char.isalnum() or char in "-_") for char in name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
