import json
from pathlib import Path

import pandas as pd
import preprocess
import pytest
from conftest import Run
from failure import StepError
from generate_claims import generate


def raw(base_dir: Path, claims: pd.DataFrame) -> Path:
    directory = base_dir / "processing" / "input" / "raw"
    directory.mkdir(parents=True)
    claims.to_csv(directory / "claims.csv", index=False)
    return base_dir


def test_every_claim_ends_in_exactly_one_part(run: Run, claims: pd.DataFrame) -> None:
    parts = [
        pd.read_csv(run.preprocess / "processing" / name / "claims.csv") for name in ("train", "validation", "test")
    ]

    together = pd.concat(parts).sort_values(list(claims)).reset_index(drop=True)
    pd.testing.assert_frame_equal(together, claims.sort_values(list(claims)).reset_index(drop=True), check_dtype=False)
    assert [len(part) for part in parts] == [1300, 300, 400]


def test_the_share_of_fraud_is_the_same_in_every_part(claims: pd.DataFrame) -> None:
    parts = preprocess.split(claims, validation_share=0.15, test_share=0.2, seed=7)

    shares = [part["fraud"].mean() for part in parts.values()]
    assert shares == pytest.approx([claims["fraud"].mean()] * 3, abs=0.005)


def test_too_few_fraudulent_claims_are_refused(claims: pd.DataFrame) -> None:
    honest = claims[claims["fraud"] == 0]

    with pytest.raises(StepError, match="only 0 claims have fraud=1; at least 50 are needed"):
        preprocess.split(honest, validation_share=0.15, test_share=0.2, seed=7)


def test_bad_raw_data_ends_the_step_with_the_reason(tmp_path: Path, claims: pd.DataFrame) -> None:
    base_dir = raw(tmp_path, claims.drop(columns="fraud"))

    with pytest.raises(StepError, match=r"claims\.csv breaks the data contract in 1 place\(s\), the first: fraud is m"):
        preprocess.main(base_dir)


def test_a_folder_without_one_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="expected exactly one CSV file"):
        preprocess.load(tmp_path)


def test_the_baseline_describes_the_training_claims_without_the_label(run: Run, claims: pd.DataFrame) -> None:
    baseline = run.preprocess / "processing" / "baseline"
    statistics = json.loads((baseline / "statistics.json").read_text())
    constraints = {each["name"]: each for each in json.loads((baseline / "constraints.json").read_text())["features"]}

    assert statistics["dataset"]["item_count"] == 1300
    assert [each["name"] for each in statistics["features"]] == list(claims.columns[1:])
    assert constraints["customer_age"]["inferred_type"] == "Integral"
    assert constraints["report_delay_days"]["completeness"] < 1
    assert constraints["region"]["string_constraints"]["domains"] == ["east", "north", "south", "west"]


def test_the_generator_repeats_itself_and_drift_moves_the_population() -> None:
    pd.testing.assert_frame_equal(generate(500, seed=1), generate(500, seed=1))
    before, after = generate(5000, seed=1), generate(5000, seed=1, drift=1.0)

    assert 0.08 <= before["fraud"].mean() <= 0.12
    assert after["customer_age"].mean() > before["customer_age"].mean() + 4
    assert after["claim_type"].eq("theft").mean() > before["claim_type"].eq("theft").mean() + 0.05
