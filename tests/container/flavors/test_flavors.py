"""How a flavor is found: ours by our list, others by their packages' entry points."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from boostline.container.flavors import FLAVORS, find_flavor
from boostline.container.flavors.estimator_training import ESTIMATORS


@pytest.mark.parametrize("name", FLAVORS)
def test_ours_are_found_by_name(name: str) -> None:
    assert find_flavor(name).name == name


PAGE = (Path(__file__).parents[3] / "docs" / "flavors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["lightgbm", "catboost"])
def test_the_documentation_lists_objectives_and_hyperparameters(name: str) -> None:
    flavor = find_flavor(name)
    (row,) = re.findall(rf"^\| `{name}` \| (`.*`;.*) \| (.*) \|$", PAGE, re.MULTILINE)
    objectives, hyperparameters = (re.findall(r"`(\w+)`", cell) for cell in row)
    assert objectives == [*flavor.objectives]
    assert sorted(hyperparameters) == sorted(item.name for item in flavor.hyperparameters({}))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_documentation_lists_what_an_estimator_takes(name: str) -> None:
    (listed,) = re.findall(rf"`{name}`(?: or\s+`\w+`)?\s+\(([^)]*)\)", PAGE)
    known = {item.name for item in find_flavor("sklearn").hyperparameters({"estimator": name})}
    assert {*re.findall(r"`(\w+)`", listed)} == known - {"estimator"}


def run(code: str) -> str:
    """Run Python in a process of its own; give its answer."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def ask(folder: Path, name: str, missing: str = "") -> str:
    """Find a flavor in a process that sees a folder's packages too, and lacks one."""
    return run(f"""
        import sys
        sys.path.insert(0, {str(folder)!r})
        {WITHOUT.format(missing)}
        from boostline.container.errors import ContainerError
        from boostline.container.flavors import find_flavor
        try:
            print("found", type(find_flavor({name!r})).__name__)
        except ContainerError as error:
            print("refused:", error)
    """)


WITHOUT = """
        class Gone:
            def find_spec(self, name, path=None, target=None):
                if name == {!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Gone())
""".strip()


def install(folder: Path, package: str, *names: str) -> None:
    """Lay a package with entry points out, as pip would."""
    (folder / f"{package}.py").write_text("class Prophet: name = 'prophet'\nFLAVOR = Prophet()\n")
    facts = folder / f"{package}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {package}:FLAVOR" for name in names]
    (facts / "entry_points.txt").write_text("\n".join(["[boostline.flavors]", *lines]))


def test_one_of_another_package_is_found(tmp_path: Path) -> None:
    install(tmp_path, "seer", "prophet")
    assert ask(tmp_path, "prophet") == "found Prophet\n"
    unknown = (
        "refused: unknown flavor 'oracle': known are xgboost, lightgbm, catboost, sklearn, code"
    )
    assert ask(tmp_path, "oracle") == f"{unknown}, prophet\n"


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "seer", "xgboost")
    assert ask(tmp_path, "xgboost") == "found XGBoostFlavor\n"  # ours comes first
    assert "flavor 'xgboost' of seer:FLAVOR is a name of boostline already" in ask(tmp_path, "any")
    other = tmp_path / "two"
    other.mkdir()
    install(other, "seer", "prophet")
    install(other, "oracle", "prophet")
    assert "is a name of " in ask(other, "prophet")


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("lightgbm", "lightgbm", "lightgbm"),
        ("catboost", "catboost", "catboost"),
        ("sklearn", "skops", "scikit-learn"),
    ],
)
def test_a_framework_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, name: str, missing: str, extra: str
) -> None:
    answer = ask(tmp_path, name, missing)
    assert f"refused: flavor '{name}': {missing} is not installed" in answer
    assert f"install boostline[{extra}]" in answer


@pytest.mark.parametrize(
    ("native", "functions", "answer"),
    [
        ("object()", ["save", "load"], "code"),
        ("object()", [], "a builtins.object, which cannot be stored: return a model of XGBoost"),
        ("LogisticRegression()", ["save", "load"], "code"),
        ("LogisticRegression()", [], "flavor 'sklearn': skops is not installed"),
    ],
)
def test_who_stores_a_model_where_skops_is_not_installed(
    tmp_path: Path, native: str, functions: list[str], answer: str
) -> None:
    file = tmp_path / "train.py"
    file.write_text("\n".join(f"def {name}(*_): pass" for name in ["train", *functions]))
    told = run(f"""
        import sys
        from pathlib import Path
        {WITHOUT.format("skops")}
        from sklearn.linear_model import LogisticRegression
        from boostline.container.code import UserCode
        from boostline.container.errors import ContainerError
        from boostline.container.flavors import wrap
        from boostline.container.flavors.base import Task
        try:
            print(wrap({native}, Task("binary", 2), UserCode(Path({str(file)!r})))[0].name)
        except ContainerError as error:
            print("refused:", error)
    """)
    assert answer in told
    assert told.startswith("code" if functions else "refused: ")
