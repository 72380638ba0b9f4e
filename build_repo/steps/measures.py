"""How good the decisions are, as numbers.

`quality` returns the JSON that the Model Registry shows for a binary classifier, plus the lift at the top decile:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

RESAMPLES = 50  # bootstrap samples behind every standard deviation
CURVE_POINTS = 101

Metrics = dict[str, float]


def top_decile_lift(labels: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """How many times more of label 1 the most suspicious tenth of the records holds than an average tenth."""
    share = labels.mean()
    if share == 0:
        return 0.0
    decile = max(1, round(len(labels) / 10))
    most_suspicious = np.argsort(-probabilities, kind="stable")[:decile]
    return float(labels[most_suspicious].mean() / share)


def confusion(labels: NDArray[Any], decisions: NDArray[Any]) -> tuple[int, int, int, int]:
    """Return true negatives, false positives, false negatives, true positives."""
    actual, flagged = labels.astype(bool), decisions.astype(bool)
    return (
        int((~actual & ~flagged).sum()),
        int((~actual & flagged).sum()),
        int((actual & ~flagged).sum()),
        int((actual & flagged).sum()),
    )


def metrics(labels: NDArray[Any], probabilities: NDArray[Any], decisions: NDArray[Any]) -> Metrics:
    """Single numbers. A ratio without a denominator (for example precision when nothing is flagged) is 0."""
    tn, fp, fn, tp = confusion(labels, decisions)
    precision, recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn)
    one_class = len(np.unique(labels)) < 2
    return {
        "accuracy": _ratio(tp + tn, len(labels)),
        "recall": recall,
        "precision": precision,
        "f1": _ratio(2 * precision * recall, precision + recall),
        "auc": 0.5 if one_class else float(roc_auc_score(labels, probabilities)),
        "au_prc": 0.0 if one_class else float(average_precision_score(labels, probabilities)),
        "top_decile_lift": top_decile_lift(labels, probabilities),
        "true_positive_rate": recall,
        "true_negative_rate": _ratio(tn, tn + fp),
        "false_positive_rate": _ratio(fp, tn + fp),
        "false_negative_rate": _ratio(fn, tp + fn),
    }


def quality(labels: NDArray[Any], probabilities: NDArray[Any], decisions: NDArray[Any]) -> dict[str, Any]:
    """The registry's model quality report, with bootstrap standard deviations."""
    values = metrics(labels, probabilities, decisions)
    deviations = _standard_deviations(labels, probabilities, decisions)
    tn, fp, fn, tp = confusion(labels, decisions)
    false_positives, true_positives, _ = roc_curve(labels, probabilities)
    precisions, recalls, _ = precision_recall_curve(labels, probabilities)
    grid = np.linspace(0, 1, CURVE_POINTS)
    return {
        "dataset": {"item_count": len(labels), "positive": int(labels.sum())},
        "binary_classification_metrics": {
            "confusion_matrix": {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}},
            **{name: {"value": values[name], "standard_deviation": deviations[name]} for name in values},
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": grid.tolist(),
                "true_positive_rates": np.interp(grid, false_positives, true_positives).tolist(),
            },
            "precision_recall_curve": {
                "precisions": np.interp(grid, recalls[::-1], precisions[::-1]).tolist(),
                "recalls": grid.tolist(),
            },
        },
    }


def _standard_deviations(labels: NDArray[Any], probabilities: NDArray[Any], decisions: NDArray[Any]) -> Metrics:
    random = np.random.default_rng(0)
    samples: list[Metrics] = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(labels), len(labels))
        samples.append(metrics(labels[chosen], probabilities[chosen], decisions[chosen]))
    return {name: float(np.std([sample[name] for sample in samples])) for name in samples[0]}


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
