"""The fitted feature contract: everything that turns a raw row into a row of float32 features."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from boostline.features.errors import FeatureError
from boostline.features.spec import FeatureSpec, Objective, SpecError, UnknownCategory
from boostline.features.values import CategoryParser, category_parser

VERSION = 1


class ContractError(FeatureError):
    """A ``features.json`` that cannot be used."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One raw column; a category's code is its place in ``categories``."""

    name: str
    kind: Literal["numeric", "categorical"]
    categories: list[str] = []


class Derived(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One computed column."""

    name: str
    expression: str


class FeatureContract(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True
):
    """What was fitted on the training split.

    Attributes
    ----------
    inputs
        The raw columns, in the order of the feature row.
    derived
        The computed columns; they follow the inputs in the feature row.
    label, objective, classes
        The column to predict; its classes in the order of their codes (None for regression).
    ignored
        Columns that a table or a record may have and that are not features.
    missing
        Texts that mean a missing value, beside the empty text.
    unknown_category
        What a record with an unseen category is: an ``error``, or ``missing``.
    """

    version: int = VERSION
    objective: Objective
    label: str
    classes: list[str] | None
    inputs: list[Input]
    derived: list[Derived]
    columns: list[str]
    ignored: list[str]
    missing: list[str]
    unknown_category: UnknownCategory

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of only what changes the transform of a row."""
        content = {
            "inputs": [msgspec.to_builtins(column) for column in self.inputs],
            "derived": [msgspec.to_builtins(column) for column in self.derived],
            "missing": sorted(set(self.missing) - {""}),
            "unknown_category": self.unknown_category,
        }
        return hashlib.sha256(canonical_json(content)).hexdigest()

    @property
    def numeric(self) -> list[str]:
        """The names of the raw numeric columns."""
        return [column.name for column in self.inputs if column.kind == "numeric"]

    @property
    def categories(self) -> dict[str, list[str]]:
        """The known categories by raw categorical column."""
        return {c.name: c.categories for c in self.inputs if c.kind == "categorical"}

    def spec(self) -> FeatureSpec:
        """Give back the declaration that this contract was fitted from."""
        return FeatureSpec(
            label=self.label,
            classes=self.classes,
            objective=self.objective,
            numeric=self.numeric,
            categorical=list(self.categories),
            ignore=self.ignored,
            derived={column.name: column.expression for column in self.derived},
            missing=self.missing,
            unknown_category=self.unknown_category,
        )

    def to_json(self) -> bytes:
        """Write ``features.json``: the same bytes for the same contract."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> "FeatureContract":
        """Read ``features.json``.

        Raises
        ------
        ContractError
            It is not JSON, has another version, or contradicts itself.
        """
        try:
            version = msgspec.json.decode(text, type=_Version).version
            if version != VERSION:
                raise ContractError(
                    f"features.json: version {version!r} is not known, this release reads "
                    f"version {VERSION}: use the release that wrote it, or train again"
                )
            contract = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ContractError(f"features.json: {error}") from None
        _check(contract)
        return contract


class _Version(msgspec.Struct):
    version: Any


def fitted(
    spec: FeatureSpec, categories: Mapping[str, list[str]], classes: list[str] | None
) -> FeatureContract:
    """Join a declaration with the categories and classes found, in the order of their codes.

    Regression has no classes (None).

    Raises
    ------
    SpecError
        It has more columns than can be read again.
    """
    if too_large := spec.too_large():
        raise too_large
    inputs = [Input(name, "numeric") for name in spec.numeric]
    inputs += [Input(name, "categorical", categories[name]) for name in spec.categorical]
    return FeatureContract(
        objective=spec.objective,
        label=spec.label,
        classes=classes,
        inputs=inputs,
        derived=[Derived(name, text) for name, text in spec.derived.items()],
        columns=[column.name for column in inputs] + list(spec.derived),
        ignored=spec.ignore,
        missing=spec.missing,
        unknown_category=spec.unknown_category,
    )


def canonical_json(content: object) -> bytes:
    """Write JSON with sorted keys and no blanks, as digests take it."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(contract: FeatureContract) -> None:
    order = [column.name for column in contract.inputs]
    order += [column.name for column in contract.derived]
    twice = next((name for name, count in Counter(order).items() if count > 1), None)
    if twice is not None:  # first, since a specification holds each derived column once
        raise ContractError(f"features.json: column {twice!r} is there more than once")
    try:
        contract.spec().check()
    except SpecError as error:
        raise ContractError(f"features.json: {error}") from None
    if contract.columns != order:
        raise ContractError("features.json: columns do not list the inputs and derived in order")
    canonical = category_parser(contract.missing)
    for column in contract.inputs:
        _check_categories(column, canonical)
    if contract.objective != "regression" and contract.classes is None:
        raise ContractError(f"features.json: classes are missing for {contract.objective!r}")


def _check_categories(column: Input, canonical: CategoryParser) -> None:
    if len(set(column.categories)) < len(column.categories):
        raise ContractError(f"features.json: {column.name!r} lists a category twice")
    if column.kind == "numeric" and column.categories:
        raise ContractError(f"features.json: {column.name!r} is numeric and has categories")
    for text in column.categories:
        if (found := canonical(text)) != text:
            means = "a missing value" if found is None else repr(found)
            raise ContractError(f"features.json: {column.name!r}: category {text!r} means {means}")
