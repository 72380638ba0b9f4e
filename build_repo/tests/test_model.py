"""Training, serving and what keeps them equal."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import features
import inference
import numpy as np
import pandas as pd
import pytest
import train
from claims_contract import DECISIONS, LABEL, PROBABILITY
from conftest import JSON, ROOT, Run, ask, refusal
from records import read_csv


def test_features_do_not_depend_on_neighbours_or_order(claims: pd.DataFrame) -> None:
    together = features.compute(claims)
    alone = pd.concat([features.compute(claims.iloc[[index]]) for index in range(20)])
    backwards = features.compute(claims.iloc[::-1]).iloc[::-1]

    pd.testing.assert_frame_equal(together.head(20), alone)
    pd.testing.assert_frame_equal(together, backwards)


def test_json_and_csv_requests_get_the_probabilities_of_training(model: inference.ClaimModel, run: Run) -> None:
    text = (run.train / "input" / "data" / "validation" / "claims.csv").read_text()
    validation = read_csv(text, labelled=True)
    expected = np.asarray(model.booster.inplace_predict(features.compute(validation)), dtype=float)
    body = validation.drop(columns=LABEL.name)
    records = json.loads(body.to_json(orient="records"))

    from_csv = json.loads(ask(model, body.to_csv(index=False), "text/csv").get_data())["predictions"]
    from_json = json.loads(ask(model, {"records": records}).get_data())["predictions"]

    assert [each[PROBABILITY] for each in from_csv] == pytest.approx(expected, abs=1e-6)
    assert from_json == from_csv
    assert {each["decision"] for each in from_csv} <= set(DECISIONS)


def test_a_claim_is_decided_as_label_1_from_the_threshold_on(model: inference.ClaimModel, claims: pd.DataFrame) -> None:
    probabilities = model.probabilities(claims.head(50))
    at_the_tenth = inference.ClaimModel(model.booster, threshold=float(probabilities[10]))

    decisions = [each["decision"] for each in at_the_tenth.predictions(claims.head(50))]

    expected = [DECISIONS[int(probability >= probabilities[10])] for probability in probabilities]
    assert decisions == expected
    assert decisions[10] == DECISIONS[1]


def test_the_answer_can_be_csv(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    response = ask(model, {"records": records}, accept="text/csv")

    lines = response.get_data(as_text=True).splitlines()
    assert response.mimetype == "text/csv"
    assert lines[0] == f"{PROBABILITY},decision"
    assert len(lines) == 1 + len(records)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{", "the body is not JSON"),
        ("[]", 'the body must be {"records": [...]}'),
        ('{"records": []}', "there are no records"),
        ('{"records": [7]}', "record 0: is 7, expected an object with the claim's fields"),
        (b"\xff", "the body is not UTF-8 text"),
    ],
)
def test_a_malformed_body_is_refused(model: inference.ClaimModel, body: str | bytes, error: str) -> None:
    assert error in refusal(ask(model, body), 400)["error"]


def test_json_nested_beyond_reason_is_refused(model: inference.ClaimModel) -> None:
    assert "the body is not JSON" in refusal(ask(model, b"[" * 100_000), 400)["error"]


def test_another_content_type_is_refused(model: inference.ClaimModel) -> None:
    body = refusal(ask(model, b"", "image/png"), 415)

    assert body["error"] == "content type 'image/png': send application/json or text/csv"


def test_a_content_type_may_carry_a_charset(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    body = json.dumps({"records": records}).encode()

    assert ask(model, body, "application/json; charset=utf-8").status_code == 200


def test_the_model_folder_serves_without_this_repository(
    run: Run, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = run.train / "model" / "code"
    import_from(code, monkeypatch)

    travelled = importlib.import_module("inference")
    model = travelled.model_fn(str(run.train / "model"))
    answer = travelled.transform_fn(model, json.dumps({"records": records}), JSON, "")

    assert answer.status == "200 OK"
    assert Path(travelled.__file__).parent == Path(travelled.features.__file__).parent == code


def import_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports find `folder` instead of this repository and of what has been imported from it."""
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").parent == ROOT / "steps":
            monkeypatch.delitem(sys.modules, name)
    elsewhere = [path for path in sys.path if Path(path).resolve() not in (ROOT, ROOT / "steps")]
    monkeypatch.setattr(sys, "path", [str(folder), *elsewhere])


def test_training_again_gives_the_same_model(run: Run, model: inference.ClaimModel) -> None:
    given = train.Hyperparameters.read(run.train / "input" / "config" / "hyperparameters.json")
    claims, validation = (train.load(run.train / "input" / "data" / name) for name in ("train", "validation"))

    again = train.fit(claims, validation, given)

    assert again.save_raw("json") == model.booster.save_raw("json")


def test_the_threshold_balances_recall_and_precision() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1])
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.8, 0.9])

    # From 0.3 on all fraud is caught at the price of one honest claim; from 0.8 on one fraud is missed.
    assert train.choose_threshold(labels, probabilities, recall_weight=2.0) == pytest.approx(0.3)
    assert train.choose_threshold(labels, probabilities, recall_weight=0.3) == pytest.approx(0.8)
