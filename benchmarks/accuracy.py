"""Test accuracy of the churn example over five split seeds: ``python -m benchmarks.accuracy``."""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.programs import read_example, run_example

SEEDS = (1, 2, 3, 4, 5)


def accuracies(seeds: tuple[int, ...] = SEEDS) -> Iterator[float]:
    """Run the example's configuration once a seed.

    Parameters
    ----------
    seeds
        What replaces the seed of its split.

    Yields
    ------
    float
        The share of test rows with the right label.
    """
    example = read_example()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
            split = example.split | {"seed": seed}
            path = run_example(Path(folder), split, example.hyperparameters)
            report = json.loads(path.read_text(encoding="utf-8"))
        yield report["binary_classification_metrics"]["accuracy"]["value"]


def main() -> None:
    """Print each accuracy and the median."""
    found = []
    for seed, accuracy in zip(SEEDS, accuracies(), strict=True):
        found.append(accuracy)
        print(f"seed {seed}: test accuracy {accuracy:.4f}", flush=True)
    print(f"median of {len(found)}: {statistics.median(found):.4f}")


if __name__ == "__main__":
    main()
