import json
from pathlib import Path

import pytest

from benchmarks.programs import lay_process, read_example, run
from boostline.container.main import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "now"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "{process|train|evaluate|serve}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "reason"),
    [("process", "output/message"), ("train", "output/failure"), ("evaluate", "output/message")],
)
def test_a_mistake_is_one_line_and_the_reason(program: str, reason: str, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert done.returncode == 1
    text = (tmp_path / reason).read_text()
    assert done.stderr == f"error: {text}\n"
    assert "No such file or directory" in text
    assert str(tmp_path) not in text


def test_a_bug_leaves_its_traceback_in_the_log_only(tmp_path: Path) -> None:
    example = read_example()
    data = tmp_path / "tiny.csv"
    data.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(200)))
    features = {"label": "y", "numeric": ["a"]}
    lay_process(tmp_path / "job", [data], features, example.split)
    (tmp_path / "job" / "processing" / "output").write_text("a file where a folder belongs")
    done = run("process", tmp_path / "job")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    reason = (tmp_path / "job" / "output" / "message").read_text()
    assert reason.startswith("unexpected ")
    assert "Traceback" not in reason


def test_a_long_reason_is_cut_between_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    (tmp_path / "input" / "config").mkdir(parents=True)
    given = json.dumps({"é" * 2000: 1}, ensure_ascii=False)
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text(given)
    assert main(["train"]) == 1
    reason = (tmp_path / "output" / "failure").read_bytes()
    assert 990 < len(reason) <= 1000
    reason.decode()
