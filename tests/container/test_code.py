import zipfile
from pathlib import Path

import numpy as np
import pytest

from boostline.container.code import UserCodeError, load, open_code


def write(folder: Path, text: str, name: str = "own.py") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_a_function_of_the_file(tmp_path: Path) -> None:
    predict = load(write(tmp_path, "def predict(model, features): return model * 2"), "predict")
    assert predict is not None
    assert predict(21, None) == 42
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]


def test_no_code(tmp_path: Path) -> None:
    assert load(tmp_path, "train") is None
    assert load(tmp_path / "nowhere", "train") is None


def test_dataclasses_and_optional_functions(tmp_path: Path) -> None:
    text = "from dataclasses import dataclass\n@dataclass\nclass A:\n    b: 'int'\n"
    code = open_code(write(tmp_path, text + "def load(folder): return A(folder)"))
    assert code is not None
    assert code.optional("save") is None
    assert code.function("load")(3).b == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def train(data:\n    pass", "own.py, line 1: SyntaxError"),
        ("x = 1\n\nimport nowhere_at_all", "own.py, line 3: ModuleNotFoundError: No module"),
        ("def other(): pass", r"own.py: has no function train: define train\(data, hyper"),
        ("def train(data): pass", "own.py: train: too many positional arguments: its signature"),
        ("import sys\nsys.exit(0)", "own.py, line 2: SystemExit: 0"),
    ],
)
def test_mistakes_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserCodeError, match=message):
        load(write(tmp_path, text), "train")


def test_a_folder_without_a_file_of_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserCodeError, match=r"holds own\.txt: .* one \.py file"):
        load(write(tmp_path, "", "own.txt"), "train")


def test_two_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "", "a.py")
    with pytest.raises(UserCodeError, match=r"holds a\.py, b\.py: .* one \.py file"):
        load(write(tmp_path, "", "b.py"), "train")


FAILING = """
import numpy as np

def widen(features):
    return np.reshape(features, (7, -1))

def predict(model, features):
    return widen(features)
"""


def test_an_error_names_the_users_line_and_never_our_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict = load(write(tmp_path, FAILING), "predict")
    assert predict is not None
    with pytest.raises(UserCodeError, match=r"^own\.py, line 5, in widen: ValueError: cannot"):
        predict(None, np.zeros(5))
    log = capsys.readouterr().err.splitlines()
    assert log[1] == f'  File "{tmp_path / "own.py"}", line 8, in predict'
    assert log[2].strip() == "return widen(features)"
    assert any("numpy" in line for line in log)
    assert not any("container/code.py" in line for line in log)


def test_whatever_is_raised_is_told(tmp_path: Path) -> None:
    code = "import polars as pl\ndef load(folder): raise pl.exceptions.PanicException('at last')"
    load_own = load(write(tmp_path, code), "load")
    assert load_own is not None
    with pytest.raises(UserCodeError, match=r"^own\.py, line 2, in load: PanicException: at last"):
        load_own(tmp_path)


def wheel(folder: Path, name: str, version: str) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.slow
def test_requirements_are_installed_first(tmp_path: Path) -> None:
    made = wheel(tmp_path, "boostline_test_part", "1.5")
    folder = write(
        tmp_path / "code",
        "import boostline_test_part\ndef load(folder): return boostline_test_part.VERSION",
    )
    # What the environment holds already is not fetched.
    write(folder, f"numpy>=2\nboostline_test_part @ {made.as_uri()}\n", "requirements.txt")
    function = load(folder, "load")
    assert function is not None
    assert function(None) == "1.5"


@pytest.mark.slow
def test_a_requirement_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = write(tmp_path, "def load(folder): pass")
    write(folder, "boostline-nowhere==1", "requirements.txt")
    with pytest.raises(
        UserCodeError, match=r"^requirements\.txt: .*requirement boostline-nowhere==1"
    ):
        load(folder, "load")


@pytest.mark.slow
def test_a_requirement_against_the_image_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path, "boostline_test_part", "1.5")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = write(tmp_path / "code", "def load(folder): pass")
    text = f"boostline_test_part @ {made.as_uri()}\nboostline_test_part==2\n"
    write(folder, text, "requirements.txt")
    with pytest.raises(UserCodeError, match=r"^requirements\.txt: Cannot install .*test.part==2"):
        load(folder, "load")
