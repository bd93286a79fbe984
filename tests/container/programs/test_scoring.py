import dataclasses
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boostline.container.errors import ContainerError
from boostline.container.loading import LoadedModel, load_model
from boostline.container.programs.media import CSV, JSON, JSON_LINES, PARQUET
from boostline.container.programs.scoring import Request, Scorer, ScoringError
from boostline.features.spec import Objective
from tests.container.jobs import lay_job, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scorer(loaded: LoadedModel) -> Scorer:
    return Scorer(loaded, "7")


@pytest.fixture(scope="module")
def records(loaded: LoadedModel) -> list[dict[str, Any]]:
    return [golden.record for golden in loaded.artifact.golden.records]


@pytest.fixture(scope="module")
def lines(loaded: LoadedModel) -> list[str]:
    rows = loaded.artifact.golden.rows
    return [",".join("" if math.isnan(v) else repr(v) for v in row) for row in rows]


@pytest.fixture(scope="module")
def native(loaded: LoadedModel) -> Scorer:
    choice = dataclasses.replace(loaded.choice, engine=loaded.choice.native)
    return Scorer(dataclasses.replace(loaded, choice=choice))


@pytest.fixture(scope="module")
def bodies(records: list[dict[str, Any]], lines: list[str]) -> dict[str, bytes]:
    table = io.BytesIO()
    pl.DataFrame(records).write_parquet(table)
    return {
        CSV: "\n".join(lines).encode(),
        JSON: json.dumps(records).encode(),
        JSON_LINES: "\n".join(map(json.dumps, records)).encode(),
        PARQUET: table.getvalue(),
    }


def ask(scorer: Scorer, content: object, kind: str = JSON, **headers: str) -> Any:
    body = content if isinstance(content, str) else json.dumps(content)
    reply = scorer.score(Request(body.encode(), kind, **{"accept": JSON} | headers))
    text = reply.body.decode()
    return json.loads(text)["predictions"] if reply.media_type == JSON else text


def refuse(scorer: Scorer, content: object, kind: str = JSON, **headers: str) -> ScoringError:
    with pytest.raises(ScoringError) as caught:
        ask(scorer, content, kind, **headers)
    return caught.value


def test_rows_and_records_score_the_same(
    scorer: Scorer, records: list[dict[str, Any]], lines: list[str], loaded: LoadedModel
) -> None:
    of_records = ask(scorer, records)
    assert ask(scorer, {"instances": records}) == of_records
    assert ask(scorer, "\n".join(lines), CSV) == of_records
    assert ask(scorer, "\r\n".join(lines) + "\r\n", CSV) == of_records
    assert [ask(scorer, record)[0] for record in records] == of_records
    scores = [prediction["score"] for prediction in of_records]
    assert scores == pytest.approx(loaded.artifact.golden.scores, abs=1e-5)
    text = ask(scorer, records, accept=CSV)
    assert [float(line) for line in text.splitlines()] == scores


def test_the_threshold_decides(scorer: Scorer, loaded: LoadedModel, lines: list[str]) -> None:
    threshold = loaded.artifact.manifest.threshold
    assert threshold is not None
    for prediction in ask(scorer, "\n".join(lines), CSV):
        positive = prediction["score"] >= threshold
        assert prediction["label"] == ("True." if positive else "False.")


def test_a_score_equal_to_the_threshold_is_positive(
    loaded: LoadedModel, records: list[dict[str, Any]], scorer: Scorer
) -> None:
    score = ask(scorer, records[0])[0]["score"]
    manifest = msgspec.structs.replace(loaded.artifact.manifest, threshold=score)
    artifact = dataclasses.replace(loaded.artifact, manifest=manifest)
    exact = Scorer(dataclasses.replace(loaded, artifact=artifact))
    assert ask(exact, records[0]) == [{"score": score, "label": "True."}]


def test_attributes(scorer: Scorer, loaded: LoadedModel) -> None:
    found = dict(part.split("=") for part in scorer.attributes.split(";"))
    manifest = loaded.artifact.manifest
    assert found == {
        "artifact": manifest.artifact[:16],
        "engine": loaded.choice.engine.name,
        "features": manifest.features,
        "threshold": repr(manifest.threshold),
        "model": "7",
    }


def test_a_shuffled_record_scores_the_same(scorer: Scorer, records: list[dict[str, Any]]) -> None:
    turned = dict(reversed(records[0].items()))
    assert ask(scorer, turned) == ask(scorer, records[0])


def test_all_problems_with_row_and_field(scorer: Scorer, records: list[dict[str, Any]]) -> None:
    second = records[1] | {"Day Mins": "many", "State": "XX"}
    third = {name: value for name, value in records[2].items() if name != "Eve Calls"}
    error = refuse(scorer, [records[0], second, third])
    assert error.status == 400
    body = json.loads(error.to_json())["error"]
    assert (body["code"], body["row"], body["column"]) == ("invalid_rows", 2, "Day Mins")
    assert [(p["row"], p["field"]) for p in body["problems"]] == [
        (2, "Day Mins"),
        (2, "State"),
        (3, "Eve Calls"),
    ]


def test_csv_problems(scorer: Scorer, lines: list[str]) -> None:
    wrong = lines[1].split(",")
    wrong[2], wrong[4] = "x", "inf"
    short = ",".join(lines[2].split(",")[:-1])
    error = refuse(scorer, "\n".join([lines[0], ",".join(wrong), short]), CSV)
    assert error.status == 400
    assert [(p.row, p.field) for p in error.problems] == [
        (2, "Day Mins"),
        (2, "Day Charge"),
        (3, ""),
    ]
    assert "has 23 fields, expected 24" in error.problems[2].message


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        ("", JSON, 400, "empty_body"),
        (" \n", CSV, 400, "empty_body"),
        ("[]", JSON, 400, "empty_body"),
        ('{"instances": []}', JSON, 400, "empty_body"),
        ('{"State":', JSON, 400, "bad_json"),
        ('{"Day Mins": NaN}', JSON, 400, "bad_json"),
        ('"text"', JSON, 400, "invalid_rows"),
        ("[" * 100_000, JSON, 400, "bad_json"),
        ("null", JSON, 400, "invalid_rows"),
        ("[[1, 2]]", JSON, 400, "invalid_rows"),
        ("1", "application/x-npy", 415, "unsupported_media_type"),
        ("1", "", 415, "unsupported_media_type"),
    ],
)
def test_refused(scorer: Scorer, content: str, kind: str, status: int, code: str) -> None:
    error = refuse(scorer, content, kind)
    assert (error.status, error.code) == (status, code)
    assert json.loads(error.to_json())["error"]["message"]


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
        st.sampled_from(["OH", 415, "no", "yes", 1e39, -0.0]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.data())
def test_no_record_is_a_failure_of_the_server(
    scorer: Scorer, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from([*records[0], "more"]), values, max_size=4))
    try:
        predictions = ask(scorer, records[0] | changes)
    except ScoringError as error:
        status, fields = error.status, {problem.field for problem in error.problems}
    else:
        status, fields = 200, set()
        assert 0 <= predictions[0]["score"] <= 1
    assert status in (200, 400)
    assert fields <= set(changes)


bytes_ = st.one_of(st.binary(max_size=30), st.text('0123456789,.-e\n"[]{}: ', max_size=40))


@pytest.mark.parametrize("kind", [JSON, CSV, JSON_LINES, PARQUET])
@given(body=bytes_)
def test_no_body_is_a_failure_of_the_server(scorer: Scorer, kind: str, body: bytes | str) -> None:
    with pytest.raises(ScoringError) as caught:
        scorer.score(Request(body if isinstance(body, bytes) else body.encode(), kind))
    assert caught.value.status == 400
    assert json.loads(caught.value.to_json())["error"]["code"]


@given(data=st.data())
def test_what_is_scored_is_what_the_native_engine_says(
    scorer: Scorer, native: Scorer, bodies: dict[str, bytes], data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from([CSV, JSON, JSON_LINES]))
    body = bytearray(bodies[kind])
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[place] = data.draw(
            st.one_of(st.sampled_from(b'0123456789.,-e"\n'), st.integers(0, 255))
        )
    request = Request(bytes(body), kind, accept=CSV)
    try:
        found = scorer.score(request).body
    except ScoringError as error:
        status = error.status
        with pytest.raises(ScoringError, match="^" + re.escape(str(error)) + "$"):
            native.score(request)
    else:
        status = 200
        expected = native.score(request).body
        assert np.loadtxt(io.BytesIO(found)) == pytest.approx(
            np.loadtxt(io.BytesIO(expected)), rel=1e-6, abs=1e-6
        )
    assert status in (200, 400)


def test_the_answer_is_of_the_type_of_the_request(
    scorer: Scorer, bodies: dict[str, bytes], loaded: LoadedModel
) -> None:
    types = {kind: scorer.score(Request(body, kind)).media_type for kind, body in bodies.items()}
    assert types == {CSV: CSV, JSON: JSON, JSON_LINES: JSON_LINES, PARQUET: JSON}
    everywhere = {scorer.score(Request(body, kind, CSV)).body for kind, body in bodies.items()}
    assert len(everywhere) == 1
    scores = [float(line) for line in everywhere.pop().splitlines()]
    assert scores == pytest.approx(loaded.artifact.golden.scores, abs=1e-5)


def test_json_lines_have_a_prediction_each(scorer: Scorer, bodies: dict[str, bytes]) -> None:
    lines = scorer.score(Request(bodies[CSV], CSV, JSON_LINES)).body.splitlines()
    predictions = json.loads(scorer.score(Request(bodies[CSV], CSV, JSON)).body)["predictions"]
    assert [json.loads(line) for line in lines] == predictions


def test_explanations_add_up_to_the_score(scorer: Scorer, records: list[dict[str, Any]]) -> None:
    for record, prediction in zip(
        records, ask(scorer, records, attributes="trace=1; explain=2"), strict=True
    ):
        why = prediction["explanation"]
        assert len(why["contributions"]) == 2
        assert why["link"] == "logit"
        total = why["base"] + sum(c["contribution"] for c in why["contributions"]) + why["other"]
        assert 1 / (1 + math.exp(-total)) == pytest.approx(prediction["score"], abs=1e-5)
        for each in why["contributions"]:
            if each["column"] in ("State", "Area Code", "Int'l Plan", "VMail Plan"):
                assert each["value"] == str(record[each["column"]])
            elif each["column"] in record:
                assert each["value"] == pytest.approx(record[each["column"]])


def test_a_row_with_a_code_of_no_category_is_explained(
    scorer: Scorer, lines: list[str], loaded: LoadedModel
) -> None:
    place = loaded.artifact.contract.columns.index("State")
    for code in ("77", "-1", "1.5", ""):
        fields = lines[0].split(",")
        fields[place] = code
        (prediction,) = ask(scorer, ",".join(fields), CSV, attributes="explain=100")
        shown = {c["column"]: c["value"] for c in prediction["explanation"]["contributions"]}
        assert shown["State"] == (float(code) if code else None)


def test_what_takes_long_is_told(scorer: Scorer, lines: list[str]) -> None:
    body = lines[0].encode()
    assert not scorer.takes_long(Request(body, CSV, attributes="features=1"))
    assert scorer.takes_long(Request(body, CSV, attributes="explain=3"))
    assert scorer.takes_long(Request(body, "Application/Vnd.Apache.Parquet"))
    assert scorer.takes_long(Request(body * 1_000, CSV))


def test_unacceptable(scorer: Scorer, lines: list[str]) -> None:
    assert refuse(scorer, lines[0], CSV, accept="image/png").status == 406


def test_rows_of_another_contract_are_refused(
    scorer: Scorer, lines: list[str], records: list[dict[str, Any]], loaded: LoadedModel
) -> None:
    other = "trace=1;features=" + "0" * 64
    assert refuse(scorer, lines[0], CSV, attributes=other).status == 409
    same = f"features={loaded.artifact.contract.digest}"
    assert ask(scorer, lines[0], CSV, attributes=same) == ask(scorer, lines[0], CSV)
    assert ask(scorer, records[0], attributes=other) == ask(scorer, records[0])


def test_huge_numbers_are_exact_categories(scorer: Scorer, records: list[dict[str, Any]]) -> None:
    body = json.dumps(records[0] | {"Area Code": 123456789012345678901234567890})
    assert "'123456789012345678901234567890'" in refuse(scorer, body).message


@pytest.mark.parametrize("objective", ["multiclass", "regression"])
def test_other_objectives(tmp_path: Path, objective: Objective) -> None:
    artifact = train(lay_job(tmp_path, objective, {"num_round": 5}))
    scorer = Scorer(load_model(artifact))
    assert "threshold" not in scorer.attributes
    records = [golden.record for golden in artifact.golden.records]
    sealed = np.array(artifact.golden.scores)
    text = ask(scorer, records, accept=CSV)
    rows = [[float(field) for field in line.split(",")] for line in text.splitlines()]
    np.testing.assert_allclose(np.array(rows).reshape(sealed.shape), sealed, rtol=1e-5, atol=1e-6)
    for row, answer in zip(rows, ask(scorer, records), strict=True):
        if objective == "regression":
            assert answer == {"score": row[0]}
        else:
            assert answer["scores"] == dict(zip(["low", "mid", "top"], row, strict=True))
            assert answer["score"] == max(row) == answer["scores"][answer["label"]]


def test_a_binary_model_needs_its_threshold(loaded: LoadedModel) -> None:
    manifest = msgspec.structs.replace(loaded.artifact.manifest, threshold=None)
    artifact = dataclasses.replace(loaded.artifact, manifest=manifest)
    with pytest.raises(ContainerError, match="cannot be served"):
        Scorer(dataclasses.replace(loaded, artifact=artifact))
