"""Scoring of one request: it knows bytes and media types, and no HTTP server."""

from functools import lru_cache
from typing import NamedTuple

from boostline.container.errors import ContainerError
from boostline.container.explain import Explainer, ExplainError, Explanation, TooManyRowsError
from boostline.container.flavors.base import FunctionModel, Rows, Scores
from boostline.container.loading import LoadedModel
from boostline.container.programs.answers import Answers
from boostline.container.programs.csv_rows import LARGE, CsvReader
from boostline.container.programs.forms import Forms
from boostline.container.programs.json_records import read_json, read_json_lines
from boostline.container.programs.media import CSV, JSON, PARQUET, Route, find_route
from boostline.container.programs.parquet import ParquetReader
from boostline.container.programs.refusals import ScoringError

__all__ = ["Reply", "Request", "Scorer", "ScoringError"]

MOST_CONTRIBUTIONS = 100
_COUNTS = frozenset(map(str, range(1, MOST_CONTRIBUTIONS + 1)))


class Request(NamedTuple):
    """What arrives: media types as the headers have them, and the custom attributes."""

    body: bytes
    content_type: str
    accept: str = ""
    attributes: str = ""
    content_encoding: str = ""


class Read(NamedTuple):
    """What was read of a request.

    Attributes
    ----------
    rows
        Its rows.
    answer
        The media type of its answer.
    explain
        How many contributions each explanation shows; 0 for no explanations.
    """

    rows: Rows
    answer: str
    explain: int


class Reply(NamedTuple):
    """What is answered."""

    body: bytes
    media_type: str


class Asked(NamedTuple):
    """What the custom attributes ask for.

    Attributes
    ----------
    features
        The digest of the contract that made the rows; empty where it is not told.
    explain
        How many contributions each explanation shows; 0 for no explanations.
    """

    features: str = ""
    explain: int = 0


class Scorer:
    """Scores requests with one model; safe to call from threads.

    Parameters
    ----------
    loaded
        The verified model.
    version
        The model's version in the registry, told back with each answer; may be empty.
    """

    def __init__(self, loaded: LoadedModel, version: str = "") -> None:
        manifest, contract = loaded.artifact.manifest, loaded.artifact.contract
        self._engine = loaded.choice.engine
        self._digest = contract.digest
        self._forms = Forms(contract)
        self._csv = CsvReader(self._forms)
        self._parquet = ParquetReader(contract)
        self._answers = Answers(contract, manifest.threshold)
        self._explainer = Explainer(loaded.model, contract)
        self._slow = isinstance(loaded.model, FunctionModel)  # even one row may take long
        self.attributes = ";".join(
            (
                f"artifact={manifest.artifact[:16]}",
                f"engine={self._engine.name}",
                f"features={contract.digest}",
                *([] if manifest.threshold is None else [f"threshold={manifest.threshold!r}"]),
                f"model={version}",
            )
        )

    def takes_long(self, request: Request) -> bool:
        """Say whether to score a request in a thread, so that others are answered meanwhile."""
        return (
            self._slow
            or len(request.body) > LARGE
            or "explain" in request.attributes
            or PARQUET in request.content_type.lower()
        )

    def score(self, request: Request) -> Reply:
        """Score a request.

        Parameters
        ----------
        request
            Its rows are raw records by the user's column names, or features. CSV without a header
            has features (float32 in the contract's order, an empty field is missing), and so has
            a table with a header that names a derived column, or where the custom attributes have
            ``features=<digest>``. All other rows are records: JSON (one, a list, or
            ``{"instances": [...]}``), JSON lines, CSV with a header, Parquet.

        Returns
        -------
        Reply
            ``{"predictions": [{"score", "label"}]}``, or a prediction a line as JSON lines:
            binary. Multiclass has the probability of the label as ``score``, and beside it
            ``scores`` by class; regression has no label. With ``explain=<k>`` in the custom
            attributes each has an ``explanation``. Or CSV with one row's score, or its scores in
            the order of the classes, a line.

        Raises
        ------
        ScoringError
            With status 400, 406, 409, 413 or 415 and the problems found; 500 where the user's code
            fails.
        """
        read = self.read(request)
        return self.reply(read, self.scores(read.rows))

    def read(self, request: Request) -> Read:
        """Take the first step of `score`: read the rows."""
        asked = _asked(request.attributes) if request.attributes else _NOTHING
        route = find_route(
            request.content_type, request.accept, request.content_encoding, asked.explain > 0
        )
        return Read(self._rows(request.body, route, asked), route.answer, asked.explain)

    def scores(self, rows: Rows) -> Scores:
        """Take the second step: score rows, of one request or of several."""
        try:
            return self._engine.score(rows)
        except ContainerError as error:
            raise ScoringError(500, "model_failed", str(error)) from None

    def reply(self, read: Read, scores: Scores) -> Reply:
        """Take the last step: write the scores of a request's rows."""
        explanations = self._explain(read.rows, read.explain) if read.explain else ()
        return Reply(self._answers.write(read.answer, scores, explanations), read.answer)

    def _rows(self, body: bytes, route: Route, asked: Asked) -> Rows:
        if route.kind == JSON:
            return read_json(self._forms.records, body)
        if route.kind not in (CSV, PARQUET):
            return read_json_lines(self._forms.records, body)
        if asked.features and asked.features != self._digest:
            raise ScoringError(
                409,
                "other_features",
                f"the rows were made by feature contract {asked.features[:16]}, this model has "
                f"{self._digest[:16]}: send the raw records as {JSON}",
            )
        transformed = bool(asked.features)
        if route.kind == CSV:
            return self._csv.read(body, route.header, transformed)
        return self._parquet.read(body, transformed)

    def _explain(self, rows: Rows, count: int) -> list[Explanation]:
        try:
            return self._explainer.explain(rows, count)
        except TooManyRowsError as error:
            raise ScoringError(413, "too_many_rows", str(error)) from None
        except ExplainError as error:
            raise ScoringError(400, "no_explanation", str(error)) from None
        except ContainerError as error:
            raise ScoringError(500, "model_failed", str(error)) from None


@lru_cache(maxsize=64)
def _asked(attributes: str) -> Asked:
    sent = dict(part.strip().partition("=")[::2] for part in attributes.split(";"))
    text = sent.get("explain")
    if text is None:
        return Asked(sent.get("features", ""))
    if text not in _COUNTS:
        reason = f"explain must be a whole number of 1 to {MOST_CONTRIBUTIONS}, not {text[:20]!r}"
        raise ScoringError(400, "bad_attribute", f"custom attributes: {reason}")
    return Asked(sent.get("features", ""), int(text))


_NOTHING = Asked()
