"""What the contract promises about claims, and what follows from it in each step: all that knows of claims."""

import json
from typing import Any

import fairness
import features
import inference
import numpy as np
import pandas as pd
import pytest
from claims_contract import BANDS, FIELDS
from conftest import Run, ask, refusal
from fields import Label
from generate_claims import generate
from records import ContractError, read_csv, read_records


def violations(claims: pd.DataFrame, *, labelled: bool = True) -> list[str]:
    with pytest.raises(ContractError) as caught:
        read_csv(claims.to_csv(index=False), labelled=labelled)
    return [str(violation) for violation in caught.value.violations]


def test_generated_claims_keep_the_contract(claims: pd.DataFrame) -> None:
    typed = read_csv(claims.to_csv(index=False), labelled=True)

    pd.testing.assert_frame_equal(typed, claims, check_dtype=False)


def test_a_missing_label_column_is_named(claims: pd.DataFrame) -> None:
    found = violations(claims.drop(columns="fraud"))

    assert found == [
        "fraud is missing from the header (label column: 1 when the claim turned out to be fraudulent, else 0)"
    ]


def test_an_unknown_column_is_named(claims: pd.DataFrame) -> None:
    assert violations(claims.assign(shoe_size=42)) == ["shoe_size is not a column of the contract"]


def test_a_column_given_twice_is_named(claims: pd.DataFrame) -> None:
    text = claims.head(3).to_csv(index=False).replace("region", "channel", 1)

    with pytest.raises(ContractError, match="channel appears more than once"):
        read_csv(text, labelled=True)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("customer_age", "old", "is 'old', expected a number"),
        ("customer_age", "44.5", "is 44.5, expected a whole number"),
        ("customer_age", "7", "is 7, expected 16 to 120"),
        ("claim_amount", "inf", "is inf, expected 0 to 1e+07"),
        ("claim_type", "meteor", "is 'meteor', expected one of collision, theft, glass, weather"),
        ("fraud", "2", "is 2, expected 0 to 1"),
        ("prior_claims", "", "is missing"),
    ],
)
def test_a_wrong_value_is_named_with_its_record(claims: pd.DataFrame, field: str, value: str, problem: str) -> None:
    wrong = claims.head(3).astype(object)
    wrong.loc[1, field] = value

    assert violations(wrong) == [f"record 1: {field} {problem}"]


def test_a_report_delay_may_be_missing(claims: pd.DataFrame) -> None:
    some = claims.head(3).assign(report_delay_days=[1.5, None, 2.0])

    typed = read_csv(some.to_csv(index=False), labelled=True)

    assert typed["report_delay_days"].isna().tolist() == [False, True, False]


def test_the_protected_attribute_is_not_needed_for_scoring(records: list[dict[str, object]]) -> None:
    without = [{name: value for name, value in record.items() if name != "customer_sex"} for record in records]

    assert len(read_records(without)) == len(records)


def test_a_row_with_too_many_values_is_named(claims: pd.DataFrame) -> None:
    header, first, second = claims.head(2).to_csv(index=False).splitlines()

    with pytest.raises(ContractError, match="record 1: has 12 values, the header has 11"):
        read_csv("\n".join([header, first, f"{second},7"]), labelled=True)


def test_an_empty_file_is_refused(claims: pd.DataFrame) -> None:
    assert violations(claims.head(0)) == ["there are no records"]


def test_the_message_shows_the_first_problems_and_counts_all(claims: pd.DataFrame) -> None:
    with pytest.raises(ContractError) as caught:
        read_csv(claims.assign(region="moon").to_csv(index=False), labelled=True)

    assert str(caught.value).startswith("2000 problem(s), the first 10:\n  record 0: region is 'moon'")
    assert len(str(caught.value).splitlines()) == 11


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_line_ends_of_every_system_and_a_byte_order_mark_are_welcome(claims: pd.DataFrame, line_end: str) -> None:
    text = "\ufeff" + claims.to_csv(index=False).replace("\n", line_end)
    assert len(read_csv(text, labelled=True)) == len(claims)


def test_what_is_no_csv_is_refused_as_such() -> None:
    with pytest.raises(ContractError, match="this is not a CSV table"):
        read_csv("customer_age\n" + "x" * 200_000, labelled=False)


def test_features_hold_no_protected_attribute(claims: pd.DataFrame) -> None:
    protected = [field.name for field in FIELDS if field.audit_only]
    swapped = claims.assign(customer_sex=claims["customer_sex"].map({"F": "M", "M": "F"}))

    assert protected == ["customer_sex"]
    pd.testing.assert_frame_equal(features.compute(claims), features.compute(swapped))


def test_a_bad_record_is_named_with_its_field(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    bad = [records[0], {**records[1], "claim_type": "meteor"}]

    body = refusal(ask(model, {"records": bad}), 400)

    assert (body["record"], body["field"]) == (1, "claim_type")
    assert body["error"] == ("record 1: claim_type is 'meteor', expected one of collision, theft, glass, weather")


def test_a_missing_field_is_named(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    incomplete = {name: value for name, value in records[0].items() if name != "claim_amount"}

    body = refusal(ask(model, {"records": [incomplete]}), 400)

    assert body == {"error": "record 0: claim_amount is missing", "record": 0, "field": "claim_amount"}


def test_an_unknown_field_is_named(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    body = refusal(ask(model, {"records": [{**records[0], "fraud": 1}]}), 400)

    assert body == {"error": "record 0: fraud is not a field of a claim", "record": 0, "field": "fraud"}


def test_age_bands_cover_every_claim_once(claims: pd.DataFrame) -> None:
    bands = [inside for facet, _, inside in fairness.groups(claims) if facet == "age_band"]

    assert np.array(bands).sum(axis=0).tolist() == [1] * len(claims)


def test_the_baseline_knows_types_gaps_and_words(run: Run) -> None:
    baseline = run.preprocess / "processing" / "baseline"
    constraints = {each["name"]: each for each in json.loads((baseline / "constraints.json").read_text())["features"]}

    assert constraints["customer_age"]["inferred_type"] == "Integral"
    assert constraints["report_delay_days"]["completeness"] < 1
    assert constraints["region"]["string_constraints"]["domains"] == ["east", "north", "south", "west"]


def test_bias_is_reported_for_sex_and_age(run: Run) -> None:
    report = json.loads((run.evaluate / "processing" / "evaluation" / "bias.json").read_text())
    facets = report["post_training_bias_metrics"]["facets"]

    assert [group["value_or_threshold"] for group in facets["customer_sex"]] == ["F", "M"]
    assert [group["value_or_threshold"] for group in facets["age_band"]] == list(BANDS["age_band"][1])


def test_every_measure_of_the_evaluation_varies_between_samples(run: Run) -> None:
    report = json.loads((run.evaluate / "processing" / "evaluation" / "evaluation.json").read_text())

    for name in ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift"):
        assert report["binary_classification_metrics"][name]["standard_deviation"] > 0


def test_both_decisions_are_taken(model: inference.ClaimModel, claims: pd.DataFrame) -> None:
    assert {each["decision"] for each in model.predictions(claims)} == {"pay", "investigate"}


def test_an_ignored_column_is_welcome_and_not_read(claims: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.IGNORED", ("claim_number",))
    numbered = claims.assign(claim_number=range(len(claims)))

    assert list(read_csv(numbered.to_csv(index=False), labelled=True)) == list(claims)


def test_a_label_may_be_written_in_words() -> None:
    label = Label("fraud", "", words={"no": 0, "yes": 1})

    assert [label.parse(each) for each in ("no", "yes", "0", "1")] == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="is 'maybe', expected one of no, yes"):
        label.parse("maybe")


def test_the_generator_repeats_itself_and_drift_moves_the_population() -> None:
    pd.testing.assert_frame_equal(generate(500, seed=1), generate(500, seed=1))
    before, after = generate(5000, seed=1), generate(5000, seed=1, drift=1.0)

    assert 0.08 <= before["fraud"].mean() <= 0.12
    assert after["customer_age"].mean() > before["customer_age"].mean() + 4
    assert after["claim_type"].eq("theft").mean() > before["claim_type"].eq("theft").mean() + 0.05
