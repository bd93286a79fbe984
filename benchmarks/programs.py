"""Runs the container's programs by hand, one after another, as SageMaker lays their folders out."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.contracts.archives import pack

EXAMPLE = Path(__file__).parent.parent / "examples" / "customer_churn"


@dataclass(frozen=True)
class Example:
    """What the churn example declares.

    Attributes
    ----------
    features, split
        The two parts of process's ``config.json``.
    hyperparameters
        As the training job gets them.
    """

    features: dict[str, Any]
    split: dict[str, Any]
    hyperparameters: dict[str, str]


def read_example() -> Example:
    """Read ``boostline.toml`` of the churn example."""
    project = tomllib.loads((EXAMPLE / "boostline.toml").read_text(encoding="utf-8"))
    data = {name: project["data"][name] for name in ("label", "classes")}
    train = {"flavor": project["train"]["flavor"], **project["train"]["hyperparameters"]}
    return Example(
        features=project["features"] | data,
        split=project["split"],
        hyperparameters={name: str(value) for name, value in train.items()},
    )


def start(
    program: str, base: Path, pipesize: int = -1, /, **environment: str
) -> "subprocess.Popen[str]":
    """Start a program below a base folder, its output captured as text by pipes of a size."""
    return subprocess.Popen(
        [sys.executable, "-m", "boostline.container", program],
        env={**os.environ, **environment, "SAGEMAKER_BASE_DIR": str(base)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pipesize=pipesize,
    )


def run(program: str, base: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    with start(program, base) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess([program], process.returncode, output, errors)


def lay_process(
    base: Path, data: Sequence[Path], features: Mapping[str, Any], split: Mapping[str, Any]
) -> None:
    """Lay out the inputs of process."""
    inputs = base / "processing" / "input"
    (inputs / "data").mkdir(parents=True)
    (inputs / "config").mkdir()
    for path in data:
        shutil.copy(path, inputs / "data")
    config = {"version": 1, "features": features, "split": split}
    (inputs / "config" / "config.json").write_text(json.dumps(config), encoding="utf-8")


def lay_train(base: Path, processed: Path, hyperparameters: Mapping[str, Any]) -> None:
    """Lay out the inputs of train from the folders of process."""
    (base / "input" / "config").mkdir(parents=True)
    path = base / "input" / "config" / "hyperparameters.json"
    path.write_text(json.dumps(hyperparameters), encoding="utf-8")
    for channel in ("train", "validation", "contract"):
        source = processed / "processing" / "output" / channel
        shutil.copytree(source, base / "input" / "data" / channel)


def lay_evaluate(base: Path, processed: Path, trained: Path) -> None:
    """Lay out the inputs of evaluate from the folders of process and train."""
    inputs = base / "processing" / "input"
    (inputs / "model").mkdir(parents=True)
    pack(trained / "model", inputs / "model" / "model.tar.gz")
    shutil.copytree(processed / "processing" / "output" / "test", inputs / "test")


def run_example(root: Path, split: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> Path:
    """Run process, train and evaluate on the churn table.

    Parameters
    ----------
    root
        Gets a folder for each program: ``process``, ``train``, ``evaluate``.
    split, hyperparameters
        The configuration.

    Returns
    -------
    Path
        ``evaluation.json``.

    Raises
    ------
    RuntimeError
        A program failed; with what it wrote.
    """
    processed, trained, evaluated = root / "process", root / "train", root / "evaluate"
    data = [EXAMPLE / "data" / "churn.csv"]
    lay_process(processed, data, read_example().features, split)
    _must("process", processed)
    lay_train(trained, processed, hyperparameters)
    _must("train", trained)
    lay_evaluate(evaluated, processed, trained)
    _must("evaluate", evaluated)
    return evaluated / "processing" / "output" / "evaluation" / "evaluation.json"


def _must(program: str, base: Path) -> None:
    done = run(program, base)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")
