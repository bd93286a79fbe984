"""Training jobs laid out without the process program, for tables of any objective."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.paths import Paths
from boostline.container.programs.train import run
from boostline.features.contract import fitted
from boostline.features.spec import FeatureSpec, Objective
from boostline.features.table import labels, transform

COLUMNS = ["a", "b", "c"]


def make_table(objective: Objective, rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Three numeric columns with some missing, a category, and a label that they explain."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, 3)).round(3)
    kind = generator.integers(0, 3, rows)
    signal = numbers[:, 0] + numbers[:, 1] * (kind - 1) + 0.2 * generator.normal(size=rows)
    numbers[::11, 2] = np.nan
    label = {
        "binary": np.where(signal > 0.3, "yes", "no"),
        "multiclass": np.array(["low", "mid", "top"])[np.digitize(signal, [-0.5, 0.5])],
        "regression": 200 + 30 * signal,
    }[objective]
    return pl.DataFrame(numbers, schema=COLUMNS).with_columns(
        kind=pl.Series([f"k{code}" for code in kind]), y=pl.Series(label)
    )


def spec_of(objective: Objective) -> FeatureSpec:
    return FeatureSpec(label="y", objective=objective, numeric=COLUMNS, categorical=["kind"])


def lay_job(
    base: Path,
    objective: Objective,
    hyperparameters: Mapping[str, object],
    code: Mapping[str, str] | None = None,
    rows: int = 600,
) -> Paths:
    """Write the channels of a training job; `code` is the text of the file by role."""
    table, spec = make_table(objective, rows), spec_of(objective)
    cut = rows * 2 // 3
    parts = {"train": table[:cut], "validation": table[cut:]}
    classes = None if objective == "regression" else sorted(set(table["y"]))
    contract = fitted(spec, {"kind": ["k0", "k1", "k2"]}, classes)
    paths = Paths(base)
    for name, part in parts.items():
        paths.channel(name).mkdir(parents=True)
        features = transform(contract, part).with_columns(labels(contract, part).alias("y"))
        features.write_parquet(paths.channel(name) / "part.parquet")
    folder = paths.channel("contract")
    folder.mkdir()
    (folder / "features.json").write_bytes(contract.to_json())
    records = parts["validation"].drop("y").head(20).fill_nan(None).to_dicts()
    (folder / "golden_records.json").write_text(json.dumps(records))
    lay_hyperparameters(paths, hyperparameters)
    for role, text in (code or {}).items():
        (paths.channel("code") / role).mkdir(parents=True)
        (paths.channel("code") / role / f"{role}.py").write_text(text)
    return paths


def lay_hyperparameters(paths: Paths, hyperparameters: Mapping[str, object]) -> None:
    paths.hyperparameters.parent.mkdir(parents=True, exist_ok=True)
    texts = {name: str(value) for name, value in hyperparameters.items()}
    paths.hyperparameters.write_text(json.dumps(texts))


def train(paths: Paths) -> Artifact:
    run(paths)
    return open_artifact(paths.model)
