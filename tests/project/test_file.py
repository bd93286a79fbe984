from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from boostline.project import file
from boostline.project.file import ProjectError

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
SMALLEST = """
[project]
name = "small"
[data]
path = "table.csv"
label = "y"
[features]
numeric = ["a", "b"]
[[gate]]
metric = "auc"
min = 0.5
"""


def write(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text("a,b,y\n1,2,0\n")
    path = folder / file.FILE
    path.write_text(text)
    return path


def test_the_example_is_a_project() -> None:
    config = file.read(EXAMPLE)
    assert config.name == "customer-churn"
    assert config.table == EXAMPLE / "data/churn.csv"
    assert [str(gate) for gate in config.gate] == ["accuracy >= 0.95", "auc >= 0.9", "f1 >= 0.8"]
    assert config.spec.classes == ["False.", "True."]
    assert {"Key": "sagemaker:project-name", "Value": "customer-churn"} in config.tagging


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = file.read(write(tmp_path, SMALLEST))
    assert (config.split.train, config.split.seed) == (0.7, 0)
    assert config.aws is None


@pytest.mark.parametrize(
    ("old", "new", "mistakes"),
    [
        ('name = "small"', 'name = "Big Name"', ['project.name: found "Big Name"; must match']),
        ('label = "y"', "", ["data.label: missing"]),
        (
            'label = "y"',
            'label = "y"\nlable = "y"',
            ["data.lable: unknown key; did you mean label?"],
        ),
        ('"b"]', "3]", ["features.numeric 2: found 3; should be a valid string"]),
        ('"b"]', '"a"]', ["features.numeric: 'a' is in features.numeric already"]),
        ("min = 0.5", "min = 0.5\nmax = 1", ["gate 1: a gate has one of min, max"]),
        ('metric = "auc"', 'metric = "acc"', ['gate 1: metric: found "acc"; allowed: accuracy']),
        ("[[gate]]", "[[gates]]", ["gate: missing", "gates: unknown key; did you mean gate?"]),
        ('path = "table.csv"', 'path = "no.csv"', ['data.path: found "no.csv"; there is no such']),
        (
            "[[gate]]",
            "[split]\ntrain = 0.9\n[[gate]]",
            ["split: train + validation + test is 1.2"],
        ),
        (
            "[[gate]]",
            "[features.derived]\nc = 'col(\"z\") + 1'\n[[gate]]",
            ["features.derived.c: unknown column 'z'"],
        ),
        (
            "[[gate]]",
            "[train]\ninstance_type = 'm5'\ninstance_count = 0\n[[gate]]",
            ['train.instance_type: found "m5"', "train.instance_count: found 0; should be greater"],
        ),
        (
            "[[gate]]",
            "[aws]\naccount = '1'\nregion = 'nowhere'\n[[gate]]",
            ['aws.account: found "1"', 'aws.region: found "nowhere"'],
        ),
        (
            "[[gate]]",
            "[train.hyperparameters]\neta = [1]\n[[gate]]",
            ["train.hyperparameters.eta: found [1]; should be a valid string or"],
        ),
        (
            "min = 0.5",
            "min = nan",
            ["gate 1: min: found NaN; should be a finite number"],
        ),
        (
            "[[gate]]",
            "[tags]\n'aws:x' = 'y'\n[train.hyperparameters]\nflavor = 'x'\n[[gate]]",
            ["tags.aws:x: the prefix aws:", "train.hyperparameters.flavor: is said by"],
        ),
        (
            "[[gate]]",
            '[tags]\nteam = "a\\u0000b"\n"who?" = "Größe 1"\n[[gate]]',
            ["tags.team: found ", "tags.who?.[key]: found "],
        ),
        (
            "[[gate]]",
            "[split]\nby = 'a'\ntime = 'b'\n[[gate]]",
            ["split: the rows are split by a column or by time, not both"],
        ),
        (
            "[[gate]]",
            "[train]\ncode = 'no.py'\n[evaluate]\nslices = ['a']\n[[gate]]",
            ['evaluate.slices 1: found "a"; allowed: []', "train.code: "],
        ),
        (
            "min = 0.5",
            'min = 0.5\n[[gate]]\nmetric = "auc"\nmin = 0.6',
            ["gate 2: auc has a min already"],
        ),
    ],
)
def test_every_mistake_is_named(tmp_path: Path, old: str, new: str, mistakes: list[str]) -> None:
    path = write(tmp_path, SMALLEST.replace(old, new, 1))
    with pytest.raises(ProjectError) as caught:
        file.read(path)
    assert len(caught.value.mistakes) == len(mistakes)
    for found, expected in zip(sorted(caught.value.mistakes), sorted(mistakes), strict=True):
        assert found.startswith(expected)
    assert all(line.startswith(f"{path}: ") for line in str(caught.value).splitlines())


def test_what_is_no_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"is not TOML: .*line 2"):
        file.read(write(tmp_path, "[project]\nname = \n[data]\n"))


def test_what_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / file.FILE).write_bytes(b"[project]\nname = '\xff'")
    with pytest.raises(ProjectError, match="is not UTF-8"):
        file.read(tmp_path)


def test_a_missing_file_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="boostline new"):
        file.read(tmp_path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "copy")
    assert file.read(tmp_path / "copy").table == tmp_path / "copy/data/churn.csv"


def test_a_gate_may_bound_the_drop_below_the_approved_version(tmp_path: Path) -> None:
    config = file.read(write(tmp_path, SMALLEST.replace("min = 0.5", "max_drop = 0.01")))
    assert config.compares
    assert str(config.gate[0]) == "auc drop <= 0.01"
    assert config.gate[0].path("binary") == "champion_comparison.auc.drop.value"


def test_a_gate_may_name_a_metric_of_the_users_own_code(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    text = SMALLEST.replace('"auc"', '"profit"') + '[evaluate]\ncode = "mine.py"\n'
    config = file.read(write(tmp_path, text))
    assert config.gate[0].path("binary") == "custom_metrics.profit.value"
    assert config.code == {"evaluate": tmp_path / "mine.py"}


def test_project_name_and_id_are_tags_as_sagemaker_projects_write_them(tmp_path: Path) -> None:
    text = SMALLEST.replace('name = "small"', 'name = "small"\nid = "p-123"')
    assert file.read(write(tmp_path, text)).tagging == [
        {"Key": "sagemaker:project-name", "Value": "small"},
        {"Key": "sagemaker:project-id", "Value": "p-123"},
    ]


@pytest.mark.parametrize(("value", "holds"), [(0.5, True), (0.49, False), (float("nan"), False)])
def test_a_gate_holds_at_its_bound_and_never_for_nan(
    tmp_path: Path, value: float, holds: bool
) -> None:
    gate = file.read(write(tmp_path, SMALLEST)).gate[0]
    assert gate.holds(value) is holds


def test_a_stage_has_what_deploy_says_and_it_does_not(tmp_path: Path) -> None:
    stages = """
[deploy]
instance_type = "ml.c5.large"
bake_seconds = 7
[stages.staging]
[stages.prod]
after = "staging"
instance_count = 2
canary_percent = 50
bake_seconds = 60
"""
    staging, prod = file.read(write(tmp_path, SMALLEST + stages)).stages.values()
    assert (staging.instance_type, staging.bake_seconds, staging.canary_percent) == (
        "ml.c5.large",
        7,
        0,
    )
    assert (prod.instance_type, prod.bake_seconds, prod.after) == ("ml.c5.large", 60, "staging")


def test_without_stages_there_are_staging_and_prod(tmp_path: Path) -> None:
    stages = file.read(write(tmp_path, SMALLEST)).stages
    assert list(stages) == ["staging", "prod"]
    assert stages["prod"].after == "staging"


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ("[stages.prod]\ncanary_percent = 10", "a canary needs an instance_count of 2"),
        ("[stages.prod]\ncanary_percent = 51\ninstance_count = 4", "stages.prod.canary_percent"),
        (
            "[stages.prod]\nafter = 'staging'",
            "boostline.toml: stages.prod.after: 'staging' is no stage above it",
        ),
        ("[stages.a-b]", "stages.a-b"),
        ("[stages.prod]\nmax_instance_count = 1\ninstance_count = 2", "is less than"),
    ],
)
def test_an_impossible_stage_is_refused(tmp_path: Path, stages: str, said: str) -> None:
    with pytest.raises(ProjectError, match=re.escape(said)):
        file.read(write(tmp_path, f"{SMALLEST}\n{stages}"))


def test_a_mistake_in_deploy_is_said_once(tmp_path: Path) -> None:
    text = SMALLEST + "\n[deploy]\ninstance_typ = 1\n[stages.prod]\ninstance_coun = 2"
    with pytest.raises(ProjectError) as raised:
        file.read(write(tmp_path, text))
    first, second = raised.value.mistakes
    assert first.startswith("deploy.instance_typ: unknown key; did you mean instance_type?")
    assert second.startswith("stages.prod.instance_coun: unknown key; did you mean instance_count?")
