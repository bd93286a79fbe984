"""Libraries that the image holds do what they did before they were made smaller."""

import base64
import csv
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import catboost
import httptools
import pytest

from images.model.slim import main, slim

linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="libraries of images"
)

USE = """
import catboost, hashlib, numpy
rows = numpy.random.default_rng(0).normal(size=(500, 4))
settings = {"iterations": 20, "verbose": False, "allow_writing_files": False, "thread_count": 2}
labels = rows[:, 0] * rows[:, 1] > 0
model = catboost.CatBoostClassifier(**settings).fit(rows, labels)
shares = model.get_feature_importance(catboost.Pool(rows), type="ShapValues")
print(hashlib.sha256(model.predict_proba(rows).tobytes() + shares.tobytes()).hexdigest())
try:
    catboost.CatBoost(settings | {"loss_function": "none"}).fit(rows, labels)
except catboost.CatBoostError as error:
    print(str(error).partition(". ")[0])
"""


def use(*path: Path) -> str:
    """Train, explain and fail with CatBoost."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@linux
@pytest.mark.slow
def test_catboost_without_kernels_for_gpus_and_symbols(tmp_path: Path) -> None:
    site = Path(catboost.__file__).parents[1]
    for folder in (*site.glob("catboost"), *site.glob("catboost-*.dist-info")):
        shutil.copytree(folder, tmp_path / folder.name)
    library = tmp_path / "catboost" / "_catboost.so"
    main(tmp_path)
    assert (
        library.stat().st_size
        < 60_000_000
        < 200_000_000
        < (site / "catboost/_catboost.so").stat().st_size
    )
    assert use(tmp_path) == use()
    listed = next(tmp_path.glob("*.dist-info/RECORD")).read_text().splitlines()
    rows = {name: digest for name, digest, _ in csv.reader(listed)}
    expected = base64.urlsafe_b64encode(hashlib.sha256(library.read_bytes()).digest())
    assert rows["catboost/_catboost.so"] == f"sha256={expected.decode().rstrip('=')}"
    assert all((tmp_path / name).exists() for name in rows)


@linux
def test_copies_become_links(tmp_path: Path) -> None:
    found = next(Path(httptools.__file__).parent.rglob("parser*.so"))
    for name in ("libx.so", "libx.so.1", "libx.so.1.2"):
        shutil.copy(found, tmp_path / name)
    (tmp_path / "liby.so").write_text("INPUT(-lx)")
    main(tmp_path)
    links = {path.name: path.readlink().name for path in tmp_path.iterdir() if path.is_symlink()}
    assert links == {"libx.so": "libx.so.1.2", "libx.so.1": "libx.so.1.2"}
    assert (tmp_path / "liby.so").read_text() == "INPUT(-lx)"


@linux
def test_kernels_elsewhere_are_refused() -> None:
    found = next(Path(catboost.__file__).parent.glob("_catboost.so")).read_bytes()
    with pytest.raises(ValueError, match="this library has another layout"):
        slim(found[:64] + bytes(56) + found[120:])
