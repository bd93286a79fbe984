from __future__ import annotations

import json
from pathlib import Path

import pytest

from boostline.pipeline import module
from boostline.pipeline.module import ModuleError

DEFINITION = '{"Version": "2020-12-01", "Steps": []}'
BODIES = {
    "text": f"def get_pipeline(**kwargs):\n    return {DEFINITION!r}\n",
    "dictionary": f"def get_pipeline(**kwargs):\n    return {DEFINITION}\n",
    "object": f"""
class Pipeline:
    name = "from-the-sdk"
    def definition(self):
        return {DEFINITION!r}
def get_pipeline(**kwargs):
    return Pipeline()
""",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", BODIES)
def test_what_get_pipeline_may_return(folder: Path, kind: str) -> None:
    (folder / f"of_{kind}.py").write_text(BODIES[kind])
    found = module.load(f"of_{kind}", {})
    assert json.loads(found.definition) == json.loads(DEFINITION)
    assert found.name == ("from-the-sdk" if kind == "object" else None)


def test_kwargs_arrive(folder: Path) -> None:
    (folder / "kwargs_.py").write_text("def get_pipeline(**kwargs):\n    return kwargs\n")
    assert json.loads(module.load("kwargs_", {"region": "r", "n": 1}).definition) == {
        "region": "r",
        "n": 1,
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none", None, "No module named 'none'"),
        ("empty", "", r"has no function get_pipeline"),
        ("wrong", "def get_pipeline(**kwargs):\n    return 3\n", "returned int"),
        ("broken", "def get_pipeline(:\n", r"broken.py, line 1"),
        ("leaving", "import sys\nsys.exit(3)\n", r"leaving.py, line 2: SystemExit"),
        (
            "raising",
            "def get_pipeline(**kwargs):\n    x = 1\n    return {}['k']\n",
            r"raising.py, line 3: KeyError: 'k'",
        ),
    ],
)
def test_errors_name_the_users_file_and_line(
    folder: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (folder / f"{name}.py").write_text(text)
    with pytest.raises(ModuleError, match=said):
        module.load(name, {})
