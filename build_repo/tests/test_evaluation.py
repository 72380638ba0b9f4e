import json

import fairness
import held_out
import measures
import numpy as np
import pandas as pd
import pytest
from claims_contract import LABEL
from conftest import Run
from records import read_records

from pipelines import quality_gate
from pipelines.knobs import GATE, Threshold

# Twenty claims, five fraudulent. The model flags four: three rightly, one in vain; it misses two.
LABELS = np.array([1, 1, 0, 1] + [1, 1] + [0] * 14)
PROBABILITIES = np.array([0.95, 0.9, 0.85, 0.8, 0.4, 0.3, *np.linspace(0.25, 0.01, 14)])
DECISIONS = (PROBABILITIES >= 0.5).astype(int)


def test_metrics_match_a_calculation_by_hand() -> None:
    found = measures.metrics(LABELS, PROBABILITIES, DECISIONS)

    assert measures.confusion(LABELS, DECISIONS) == (14, 1, 2, 3)
    assert found["accuracy"] == pytest.approx(17 / 20)
    assert found["recall"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(3 / 4)
    assert found["f1"] == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    # Of 75 pairs of a fraudulent and an honest claim, three are ranked the wrong way round.
    assert found["auc"] == pytest.approx(72 / 75)
    # The top tenth are two claims, both fraudulent, where chance would find a quarter.
    assert found["top_decile_lift"] == pytest.approx(1.0 / 0.25)


def test_metrics_of_a_model_that_flags_nothing_are_zero_not_an_error() -> None:
    found = measures.metrics(LABELS, PROBABILITIES, np.zeros_like(LABELS))

    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)


def test_group_rates_match_a_calculation_by_hand() -> None:
    labels = np.array([1, 1, 0, 0, 1, 0, 0, 0])
    decisions = np.array([1, 0, 1, 0, 1, 0, 0, 0])
    inside = np.array([True] * 4 + [False] * 4)

    found = fairness.group_measures(labels, decisions, inside)

    assert found["SelectionRate"] == pytest.approx(2 / 4)
    assert found["DI"] == pytest.approx((2 / 4) / (1 / 4))
    assert found["TPR"] == pytest.approx(1 / 2)
    assert found["RD"] == pytest.approx(1 - 1 / 2)
    assert found["AD"] == pytest.approx(1 - 2 / 4)


def test_a_group_without_fraud_has_no_recall() -> None:
    found = fairness.group_measures(np.array([0, 1]), np.array([0, 1]), np.array([True, False]))

    assert found["TPR"] is None
    assert found["RD"] is None


def test_evaluation_has_the_format_of_the_registry(run: Run) -> None:
    report = json.loads((run.evaluate / "processing" / "evaluation" / "evaluation.json").read_text())
    metrics = report["binary_classification_metrics"]

    for name in ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift"):
        assert set(metrics[name]) == {"value", "standard_deviation"}
        assert metrics[name]["standard_deviation"] >= 0
    table = metrics["confusion_matrix"]
    assert sum(table[actual][decided] for actual in "01" for decided in "01") == report["dataset"]["item_count"]
    curve = metrics["receiver_operating_characteristic_curve"]
    assert len(curve["false_positive_rates"]) == len(curve["true_positive_rates"])


def test_evaluation_reports_the_importance_of_every_feature(run: Run) -> None:
    directory = run.evaluate / "processing" / "evaluation"
    explained = json.loads((directory / "explainability.json").read_text())["explanations"]["kernel_shap"]["label0"]

    features = json.loads((run.train / "model" / "metadata.json").read_text())["features"]
    assert list(explained["global_shap_values"]) == features


def test_evaluation_leaves_held_out_claims_that_an_endpoint_takes_with_the_metrics_it_found(run: Run) -> None:
    directory = run.evaluate / "processing" / "evaluation"
    sample = json.loads((directory / "held_out.json").read_text())
    evaluated = json.loads((directory / "evaluation.json").read_text())

    assert sample["of"] == evaluated["dataset"]["item_count"] == len(sample["records"]) == len(sample["labels"])
    assert sum(sample["labels"]) == evaluated["dataset"]["positive"]
    assert len(read_records(sample["records"])) == sample["of"]
    expected = evaluated["binary_classification_metrics"]
    assert sample["metrics"] == {name: expected[name]["value"] for name in sample["metrics"]}


def test_of_many_claims_a_sample_is_held_out_with_metrics_of_its_own(claims: pd.DataFrame) -> None:
    many = pd.concat([claims] * (held_out.LARGEST // len(claims) + 1), ignore_index=True)
    labels = many[LABEL.name].to_numpy()
    probabilities = np.linspace(0, 1, len(many))

    sample = held_out.sample(many, labels, probabilities, (probabilities >= 0.5).astype(int))

    assert len(many) == sample["of"] > held_out.LARGEST == len(sample["records"]) == len(sample["probabilities"])
    assert sample["probabilities"][0] == 0
    assert sample["probabilities"][-1] == 1
    chosen = np.array(sample["probabilities"])
    found = measures.metrics(np.array(sample["labels"]), chosen, (chosen >= 0.5).astype(int))
    assert sample["metrics"] == {name: found[name] for name in held_out.COMPARED}


def test_evaluation_draws_its_pictures(run: Run) -> None:
    directory = run.evaluate / "processing" / "evaluation"

    pictures = {path.name: path.read_bytes() for path in directory.glob("*.png")}
    assert set(pictures) == {"lift_chart.png", "confusion_matrix.png", "feature_importance.png"}
    assert all(content.startswith(b"\x89PNG") and len(content) > 5000 for content in pictures.values())


TWO_THRESHOLDS = (Threshold("accuracy", "MinAccuracy", 0.85), Threshold("recall", "MinRecall", 0.6))


def test_the_gate_compares_every_threshold() -> None:
    evaluation = {"binary_classification_metrics": {"accuracy": {"value": 0.85}, "recall": {"value": 0.41}}}

    accuracy, recall = quality_gate.judge(evaluation, TWO_THRESHOLDS)

    assert accuracy.passes
    assert not recall.passes
    assert str(recall) == "recall is 0.41, at least 0.6 is required: 0.19 too low"


def test_the_message_of_the_gate_can_be_read_back() -> None:
    parts = quality_gate.message_parts(
        TWO_THRESHOLDS, {"accuracy": 0.91, "recall": 4.1e-05}, {"MinAccuracy": 0.85, "MinRecall": 0.6}
    )

    message = "".join(str(part) for part in parts)

    assert message == (
        "The model does not pass the quality gate: accuracy=0.91 (at least 0.85); recall=4.1e-05 (at least 0.6)"
    )
    assert [each.metric for each in quality_gate.measurements(message) if not each.passes] == ["recall"]


def test_every_threshold_of_the_gate_is_measured(run: Run) -> None:
    report = json.loads((run.evaluate / "processing" / "evaluation" / "evaluation.json").read_text())

    judged = quality_gate.judge(report, GATE)

    assert [each.metric for each in judged] == [threshold.metric for threshold in GATE]
