"""One raw record to features against scikit-learn on one-row pandas.

``python -m benchmarks.features``. Both get the same record, parsed from JSON outside the clock, and
are fitted on the churn table. Ours computes the derived columns too, which the other one has not.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas  # noqa: ICN001
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.programs import EXAMPLE, read_example
from boostline.features.columns import Coded
from boostline.features.contract import FeatureContract
from boostline.features.files import read_table
from boostline.features.record import RecordTransform
from boostline.features.spec import FeatureSpec
from boostline.features.table import fit, read

RESULT = Path(__file__).parent / "results" / "features.json"
TABLE = EXAMPLE / "data" / "churn.csv"
TARGET = 300


def fit_ours() -> FeatureContract:
    """Fit the example's contract."""
    spec = FeatureSpec(**read_example().features)
    columns = read(spec, read_table([TABLE])).items()
    return fit(spec, {name: found.texts for name, found in columns if isinstance(found, Coded)})


def fit_sklearn() -> ColumnTransformer:
    """Fit one-hot encoding and scaling on the same columns."""
    features = read_example().features
    columns = [
        ("numeric", StandardScaler(), features["numeric"]),
        ("categorical", OneHotEncoder(sparse_output=False), features["categorical"]),
    ]
    return ColumnTransformer(columns).fit(pandas.read_csv(TABLE))


def microseconds(call: Callable[[], object], calls: int) -> float:
    """Time a call: the least mean of five series."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - begun) / calls * 1e6)
    return min(times)


def main() -> None:
    """Measure, print a table, and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000, help="records to transform")
    calls = parser.parse_args().rows
    record: dict[str, Any] = json.loads((EXAMPLE / "sample_request.json").read_text())
    transform, other = RecordTransform(fit_ours()).transform, fit_sklearn()
    ours = microseconds(lambda: transform(record), calls)
    theirs = microseconds(
        lambda: other.transform(pandas.DataFrame([record])), max(20, calls // 500)
    )
    ratio = theirs / ours
    print(f"boostline                     {ours:9.2f} us a record")
    print(f"scikit-learn, one-row pandas  {theirs:9.2f} us a record")
    print(f"{ratio:.0f} times as fast (target: at least {TARGET})")
    result = {"calls": calls, "ours_us": ours, "sklearn_us": theirs, "ratio": ratio}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
