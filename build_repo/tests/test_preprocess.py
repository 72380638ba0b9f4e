import json
import re
from pathlib import Path

import pandas as pd
import preprocess
import pytest
from claims_contract import FIELDS, LABEL
from conftest import Run
from failure import StepError
from records import read_csv


def raw(base_dir: Path, claims: pd.DataFrame) -> Path:
    directory = base_dir / "processing" / "input" / "raw"
    directory.mkdir(parents=True)
    claims.to_csv(directory / "claims.csv", index=False)
    return base_dir


def test_every_claim_ends_in_exactly_one_part(run: Run, claims: pd.DataFrame) -> None:
    parts = [
        read_csv((run.preprocess / "processing" / name / "claims.csv").read_text(), labelled=True)
        for name in ("train", "validation", "test")
    ]

    together = pd.concat(parts).sort_values(list(claims)).reset_index(drop=True)
    pd.testing.assert_frame_equal(together, claims.sort_values(list(claims)).reset_index(drop=True), check_dtype=False)
    assert [len(part) / len(claims) for part in parts] == pytest.approx([0.65, 0.15, 0.2], abs=0.01)


def test_the_share_of_both_classes_is_the_same_in_every_part(claims: pd.DataFrame) -> None:
    parts = preprocess.split(claims, validation_share=0.15, test_share=0.2, seed=7)

    shares = [part[LABEL.name].mean() for part in parts.values()]
    one_record = 1 / min(len(part) for part in parts.values())
    assert shares == pytest.approx([claims[LABEL.name].mean()] * 3, abs=one_record)


def test_too_few_claims_of_a_class_are_refused(claims: pd.DataFrame) -> None:
    one_class = claims[claims[LABEL.name] == 0]

    with pytest.raises(StepError, match=f"only 0 claims have {re.escape(LABEL.name)}=1; at least 50 are needed"):
        preprocess.split(one_class, validation_share=0.15, test_share=0.2, seed=7)


def test_bad_raw_data_ends_the_step_with_the_reason(tmp_path: Path, claims: pd.DataFrame) -> None:
    base_dir = raw(tmp_path, claims.drop(columns=LABEL.name))

    with pytest.raises(StepError) as caught:
        preprocess.main(base_dir)

    assert f"claims.csv breaks the data contract in 1 place(s), the first: {LABEL.name} is m" in str(caught.value)


def test_a_folder_without_one_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="expected exactly one CSV file"):
        preprocess.load(tmp_path)


def test_the_baseline_describes_every_column_of_the_training_claims_but_the_label(run: Run) -> None:
    baseline = run.preprocess / "processing" / "baseline"
    training = read_csv((run.preprocess / "processing" / "train" / "claims.csv").read_text(), labelled=True)

    for name in ("statistics", "constraints"):
        described = json.loads((baseline / f"{name}.json").read_text())
        assert [each["name"] for each in described["features"]] == [field.name for field in FIELDS]
    assert json.loads((baseline / "statistics.json").read_text())["dataset"]["item_count"] == len(training)
