"""``golden.json``: raw records with the features and scores that a model must answer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from boostline.artifact.errors import ArtifactError
from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform

VERSION = 1
NAME = "golden.json"


class GoldenRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One raw record, its features (null is missing), and its score, or one a class."""

    record: dict[str, Any]
    features: list[float | None]
    score: float | list[float]


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed content of ``golden.json``."""

    version: int = VERSION
    records: list[GoldenRecord]

    @property
    def rows(self) -> list[list[float]]:
        """The feature rows, NaN for missing."""
        return [[math.nan if v is None else v for v in r.features] for r in self.records]

    @property
    def scores(self) -> list[float | list[float]]:
        """The expected scores."""
        return [record.score for record in self.records]

    def to_json(self) -> bytes:
        """Write ``golden.json``, one record a line."""
        lines = b",\n".join(msgspec.json.encode(record) for record in self.records)
        return b'{"version":%d,"records":[\n%s\n]}\n' % (self.version, lines)

    @classmethod
    def from_json(cls, text: bytes) -> "Golden":
        """Read ``golden.json``.

        Raises
        ------
        ArtifactError
            It is not JSON of this version.
        """
        try:
            golden = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{NAME}: {error}") from None
        if golden.version != VERSION:
            raise ArtifactError(f"{NAME}: version {golden.version} is not known")
        return golden

    def check(self, contract: FeatureContract) -> None:
        """Transform the records again.

        Raises
        ------
        ArtifactError
            A record's features differ from the expected ones.
        """
        transform = RecordTransform(contract)
        for number, golden in enumerate(self.records, 1):
            try:
                row = nullable(transform.transform(golden.record))
            except RecordError as error:
                raise ArtifactError(f"{NAME}: record {number}: {error}") from None
            if row != golden.features:
                raise ArtifactError(
                    f"{NAME}: record {number}: this release transforms it to other features"
                )


def make_golden(
    records: Sequence[Mapping[str, Any]],
    rows: Sequence[Sequence[float]],
    scores: Sequence[float | list[float]],
) -> Golden:
    """Join raw records with what the transform and the model made of them."""
    made = zip(records, rows, scores, strict=True)
    return Golden(records=[GoldenRecord(dict(r), nullable(row), s) for r, row, s in made])


def nullable(row: Sequence[float]) -> list[float | None]:
    """Write NaN as None, since JSON has no NaN."""
    return [None if math.isnan(value) else float(value) for value in row]
