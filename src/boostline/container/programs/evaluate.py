"""evaluate: a sealed artifact on the test split; it only reads the artifact."""

import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import open_archive
from boostline.container.code import Context, UserCode, open_code
from boostline.container.dataset import read_dataset
from boostline.container.engines import compare
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Scores
from boostline.container.loading import LoadedModel, load_model
from boostline.container.metrics import measure, quality
from boostline.container.paths import Paths, data_files, read_bytes
from boostline.container.report.importance import weigh
from boostline.container.report.page import Content, build
from boostline.container.report.plots import Plot, Scored, draw
from boostline.contracts.metrics import COMPARISON, CUSTOM, GROUPS, METRICS, drop
from boostline.features.errors import FeatureError
from boostline.features.files import read_table
from boostline.features.table import labels, transform

VERSION = 1
FEW_ROWS = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # what a path of `Std:JsonGet` can hold

Metrics = dict[str, dict[str, float]]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The typed content of ``config.json``: the columns to slice by."""

    version: int = VERSION
    slices: list[str] = []


@dataclass(frozen=True, kw_only=True)
class EvaluateContext(Context):
    """What a user's ``evaluate`` is told beside the raw test rows, in the order of these.

    Attributes
    ----------
    features, labels
        Float32: the feature rows, in the contract's order; codes of classes, or numbers.
    scores, threshold
        As the engine that serves scores, and where a binary model's answer changes.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    scores: Scores
    threshold: float | None


@dataclass(frozen=True)
class Test:
    """The scored test split; ``raw`` are its rows before the transform, where they were given."""

    model: LoadedModel
    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    scores: Scores
    raw: pl.DataFrame | None

    def rows(self, purpose: str) -> pl.DataFrame:
        """Give the raw rows, or refuse what needs them."""
        if self.raw is None:
            raise ContainerError(
                f"{purpose} needs the raw test rows: give process's output 'rows' as input 'rows'"
            )
        return self.raw


def run(paths: Paths) -> None:
    """Run the program in a processing job's folders.

    Raises
    ------
    ContainerError, FeatureError, ArtifactError
        The artifact, the test split, the champion or the user's code cannot be used.
    """
    config = _config(paths.processing_input("config") / "config.json")
    with tempfile.TemporaryDirectory(prefix="boostline-") as scratch:
        test = _test(paths, _open(paths.processing_input("model"), Path(scratch, "model")))
        content = _content(paths, test, config, Path(scratch, "champion"))
    folder = paths.processing_output("report")
    for plot in content.plots:
        (folder / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
    (folder / "report.html").write_text(build(content), encoding="utf-8")
    _write(folder / "parity.json", content.parity)
    _write(folder / "slices.json", {"version": VERSION, "slices": content.slices})
    _write(paths.processing_output("evaluation") / "evaluation.json", content.evaluation)
    for name, metric in {**content.group, **content.evaluation.get(CUSTOM, {})}.items():
        if "value" in metric:
            print(f"test-{name}:{metric['value']:.6f}", flush=True)


def _content(paths: Paths, test: Test, config: Config, scratch: Path) -> Content:
    manifest = test.model.artifact.manifest
    objective = manifest.objective
    document, undefined = quality(objective, test.labels, test.scores, manifest.threshold)
    for name in undefined:
        _warn(f"{name} is not defined on this test split: left out")
    group = document[GROUPS[objective]]
    measured = {name: group[name]["value"] for name in METRICS[objective] if name in group}
    document[COMPARISON] = _compared(paths.processing_input("champion"), test, measured, scratch)
    own = _own_metrics(paths, test)
    return Content(
        manifest=manifest,
        label=test.model.artifact.contract.label,
        rows=len(test.labels),
        evaluation=document | ({CUSTOM: own} if own else {}),
        parity=_parity(test),
        slices=[_slice(column, test) for column in config.slices],
        undefined=undefined,
        plots=_plots(test),
    )


def _config(path: Path) -> Config:
    if not path.exists():
        return Config()
    try:
        config = msgspec.json.decode(read_bytes(path), type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContainerError(f"config.json: {error}") from None
    if config.version != VERSION:
        raise ContainerError(f"config.json: version {config.version} is not known: use {VERSION}")
    return config


def _open(folder: Path, scratch: Path) -> LoadedModel:
    scratch.mkdir()
    return load_model(open_archive(folder / "model.tar.gz", scratch))


def _test(paths: Paths, model: LoadedModel) -> Test:
    contract, raw = model.artifact.contract, None
    data = read_dataset(paths.processing_input("test"), contract)
    folder = paths.processing_input("rows")
    if folder.is_dir():
        raw = read_table(data_files(folder))
        if not np.array_equal(labels(contract, raw).to_numpy(), data.labels):
            raise ContainerError(
                f"input {folder.name!r}: its rows are not those of the test split, in order"
            )
    features = data.features
    return Test(model, features, data.labels, model.choice.engine.score(features), raw)


def _compared(
    folder: Path, test: Test, measured: Mapping[str, float], scratch: Path
) -> dict[str, Any]:
    """Compare with the champion, if there is one: by how much is the new model worse."""
    if not (folder / "model.tar.gz").exists():
        return {"present": False} | {name: {"drop": {"value": 0.0}} for name in measured}
    try:
        champion = _open(folder, scratch)
        theirs = _champion_metrics(champion, test)
    except (ArtifactError, ContainerError, FeatureError) as error:
        raise ContainerError(
            f"the champion cannot be scored on this test split: {error}. Keep the data as it needs "
            "them, or run without a champion and let a person decide"
        ) from None
    manifest = champion.artifact.manifest
    comparison: dict[str, Any] = {
        "present": True,
        "artifact": manifest.artifact,
        "threshold": manifest.threshold,
    }
    for name in METRICS[manifest.objective]:
        if name in measured and name in theirs:
            values = {"champion": theirs[name], "challenger": measured[name]}
            values["drop"] = drop(name, theirs[name], measured[name])
            comparison[name] = {key: {"value": value} for key, value in values.items()}
        else:
            _warn(f"{name} is not defined for both models: not compared with the champion")
    return comparison


def _champion_metrics(champion: LoadedModel, test: Test) -> dict[str, float]:
    """Measure the champion as it serves: its own contract, engine and threshold."""
    its, ours = champion.artifact.contract, test.model.artifact.contract
    for name in ("objective", "label", "classes"):
        if getattr(its, name) != getattr(ours, name):
            what = (
                f"its {name} is {getattr(its, name)!r}, the new model has {getattr(ours, name)!r}"
            )
            raise ContainerError(what)
    features = np.ascontiguousarray(transform(its, test.rows("a champion")).to_numpy())
    scores = champion.choice.engine.score(features)
    return measure(its.objective, test.labels, scores, champion.artifact.manifest.threshold)[0]


def _own_metrics(paths: Paths, test: Test) -> Metrics:
    code = open_code(paths.processing_input("code"))
    if code is None:
        return {}
    folder = paths.processing_output("report") / "files"
    folder.mkdir(exist_ok=True)
    artifact = test.model.artifact
    context = EvaluateContext(
        objective=artifact.manifest.objective,
        contract=artifact.contract,
        folder=folder,
        features=test.features.copy(),  # to sort or fill: the report needs what was scored
        labels=test.labels.copy(),
        scores=test.scores.copy(),
        threshold=artifact.manifest.threshold,
    )
    rows = test.rows("the user's evaluate")
    found = code.function("evaluate")(test.model.model.native, rows, context)
    _check_own(code, found, METRICS[artifact.manifest.objective])
    for name, value in found.items():
        if not math.isfinite(value):
            _warn(f"{name} is {value}: left out")
    return {name: {"value": float(v)} for name, v in found.items() if math.isfinite(v)}


def _check_own(code: UserCode, found: Any, taken: Sequence[str]) -> None:
    if not isinstance(found, Mapping):
        code.refuse("evaluate", f"returns {type(found).__name__}: return a dict of numbers by name")
    for name, value in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            code.refuse("evaluate", f"returns {name!r}: name a metric with letters, digits and _")
        if name in taken:
            code.refuse("evaluate", f"returns {name!r}, which is built in: name it otherwise")
        if not isinstance(value, Real):
            code.refuse("evaluate", f"returns {type(value).__name__} for {name!r}, not a number")


def _slice(column: str, test: Test) -> dict[str, Any]:
    """Measure each category of a column, the largest first."""
    known = test.model.artifact.contract.categories
    if column not in known:
        names = ", ".join(map(repr, known)) or "none"
        raise ContainerError(
            f"config.json: slices: {column!r} is no categorical feature: there are {names}"
        )
    rows = test.rows(f"a slice by {column!r}")
    places = rows.select(pl.col(column), pl.int_range(pl.len()).alias("place"))
    found = places.group_by(column).agg("place").rows()
    found.sort(key=lambda group: (-len(group[1]), group[0] or ""))
    return {"column": column, "groups": [_group(value, chosen, test) for value, chosen in found]}


def _group(value: str | None, rows: Sequence[int], test: Test) -> dict[str, Any]:
    manifest = test.model.artifact.manifest
    own, scores = test.labels[rows], test.scores[rows]
    metrics, _ = measure(manifest.objective, own, scores, manifest.threshold)
    return {"value": value, "rows": len(rows), "few": len(rows) < FEW_ROWS, "metrics": metrics}


def _parity(test: Test) -> dict[str, Any]:
    choice = test.model.choice
    report: dict[str, Any] = {"version": 1, "engine": choice.engine.name, "reason": choice.reason}
    structure = test.model.model.structure()
    if choice.engine is choice.native or structure is None:
        return report
    parity = compare(choice.engine, choice.native, test.features, structure)
    if not parity.agrees:
        differ = f"{choice.engine.name} and native differ by {parity.max_difference:.3g}"
        _warn(f"{differ} on the test split: see parity.json")
    return report | asdict(parity) | {"agrees": parity.agrees}


def _plots(test: Test) -> list[Plot]:
    manifest, columns = test.model.artifact.manifest, test.model.artifact.contract.columns
    unit, weights = weigh(test.model.model, test.model.choice.engine, test.features)
    named = dict(zip(columns, weights.tolist(), strict=True))
    scored = Scored(test.labels, test.scores, manifest.threshold, manifest.classes, named, unit)
    return draw(manifest.objective, scored)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _write(path: Path, content: object) -> None:
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
