import pytest

from boostline.container.errors import ContainerError
from boostline.container.hyperparameters import (
    Hyperparameter,
    parse_hyperparameters,
    read_hyperparameters,
)

KNOWN = [
    Hyperparameter("max_depth", "integer", 6, 1, 30),
    Hyperparameter("eta", "real", 0.3, 0.001, 1.0, aliases=("learning_rate",)),
    Hyperparameter("threshold", "real", "best_f1", 0, 1, words=("best_f1",)),
    Hyperparameter("flavor", "word", "xgboost", words=("xgboost",)),
    Hyperparameter("gamma", "real", 0.0, 0.0),
]


def read(**given: object) -> dict[str, float | int | str]:
    return read_hyperparameters(given, KNOWN)


@pytest.mark.parametrize("raw", [5, "5", '"5"', "5.0", 5.0])
def test_both_encodings(raw: object) -> None:
    value = read(max_depth=raw)["max_depth"]
    assert value == 5
    assert isinstance(value, int)


@pytest.mark.parametrize("raw", ["best_f1", '"best_f1"'])
def test_words(raw: str) -> None:
    assert read(threshold=raw)["threshold"] == "best_f1"
    assert read(threshold="0.25")["threshold"] == 0.25


def test_defaults_and_aliases() -> None:
    assert read(learning_rate="0.5") == {
        "max_depth": 6,
        "eta": 0.5,
        "threshold": "best_f1",
        "flavor": "xgboost",
        "gamma": 0.0,
    }


def test_what_the_sdks_add_is_skipped() -> None:
    assert read(sagemaker_region='"us-east-1"', _tuning_objective_metric="x") == read()


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("max_depth", "0", "'0' is not an integer between 1 and 30"),
        ("max_depth", "2.5", "is not an integer"),
        ("max_depth", "true", "is not an integer"),
        ("max_depth", "1" + "0" * 400, "is not an integer between 1 and 30"),
        ("max_depth", "deep", "is not an integer"),
        ("eta", "2", "is not a number between 0.001 and 1"),
        ("eta", "NaN", "is not a number"),
        ("gamma", "-1", "is not a number of at least 0"),
        ("gamma", "Infinity", "is not a number"),
        ("gamma", "1" + "0" * 400, "is not a number of at least 0"),
        ("threshold", "best_f2", "is not a number between 0 and 1, 'best_f1'"),
        ("flavor", "lightgbm", "is not 'xgboost'"),
        ("max_dept", "5", "unknown hyperparameter 'max_dept': the nearest known is 'max_depth'"),
        ("qqq", "5", "unknown hyperparameter 'qqq': the nearest known is"),
    ],
)
def test_mistakes(name: str, raw: str, message: str) -> None:
    with pytest.raises(ContainerError, match=message):
        read(**{name: raw})


def test_a_name_and_its_alias_together() -> None:
    with pytest.raises(ContainerError, match="eta and learning_rate are the same"):
        read(eta="0.1", learning_rate="0.1")


@pytest.mark.parametrize("text", [b"", b"[]", b"{"])
def test_a_file_that_is_no_object(text: bytes) -> None:
    with pytest.raises(ContainerError, match=r"hyperparameters\.json"):
        parse_hyperparameters(text)
