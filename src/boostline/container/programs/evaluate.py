"""evaluate: a sealed artifact on the test split; it only reads the artifact."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from boostline.artifact.folder import open_archive
from boostline.container.dataset import read_dataset
from boostline.container.engines import Choice, Parity, compare
from boostline.container.errors import ContainerError
from boostline.container.loading import LoadedModel, load_model
from boostline.container.metrics import quality
from boostline.container.paths import Paths


def run(paths: Paths) -> None:
    """Run the program in a processing job's folders.

    Raises
    ------
    ContainerError, FeatureError, ArtifactError
        The artifact or the test split cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        archive = paths.processing_input("model") / "model.tar.gz"
        loaded = load_model(open_archive(archive, Path(folder)))
        _evaluate(paths, loaded)


def _evaluate(paths: Paths, loaded: LoadedModel) -> None:
    artifact, choice = loaded.artifact, loaded.choice
    threshold = artifact.manifest.threshold
    if threshold is None:
        raise ContainerError(f"objective {artifact.manifest.objective!r} cannot be evaluated yet")
    test = read_dataset(paths.processing_input("test"), artifact.contract)
    scores = choice.engine.score(test.features)
    report, undefined = quality("binary", test.labels, scores, threshold)
    for name in undefined:
        print(f"warning: {name} is not defined on this test split: left out", file=sys.stderr)
    _write(paths.processing_output("evaluation") / "evaluation.json", report)
    parity = None
    if choice.engine is not choice.native:
        structure = loaded.model.structure()
        parity = compare(choice.engine, choice.native, test.features, structure)
        if not parity.agrees:
            text = f"{choice.engine.name} and native differ by {parity.max_difference:.3g}"
            print(f"warning: {text} on the test split: see parity.json", file=sys.stderr)
    _write(paths.processing_output("report") / "parity.json", _parity(choice, parity))
    for name, metric in report["binary_classification_metrics"].items():
        if "value" in metric:
            print(f"test-{name}:{metric['value']:.6f}", flush=True)


def _parity(choice: Choice, parity: Parity | None) -> dict[str, Any]:
    report: dict[str, Any] = {"version": 1, "engine": choice.engine.name, "reason": choice.reason}
    if parity is not None:
        report |= asdict(parity) | {"agrees": parity.agrees}
    return report


def _write(path: Path, content: object) -> None:
    text = json.dumps(content, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
