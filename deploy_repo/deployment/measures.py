"""How good answers are, as numbers: the same as evaluate.py of the model-build repository computes.

Written out, because the environment of the staging tests holds neither numpy nor scikit-learn.
"""

from collections.abc import Sequence
from itertools import groupby


def measure(labels: Sequence[int], probabilities: Sequence[float], flagged: Sequence[bool]) -> dict[str, float]:
    """The metrics by name; `flagged` says which records got the decision of label 1.

    A ratio without a denominator is 0, as in the evaluation.
    """
    pairs = [(bool(label), flag) for label, flag in zip(labels, flagged, strict=True)]
    tp, fp, fn = (pairs.count(pair) for pair in ((True, True), (False, True), (True, False)))
    precision, recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn)
    return {
        "accuracy": _ratio(len(pairs) - fp - fn, len(pairs)),
        "recall": recall,
        "precision": precision,
        "f1": _ratio(2 * precision * recall, precision + recall),
        "auc": _auc(labels, probabilities),
        "top_decile_lift": _top_decile_lift(labels, probabilities),
    }


def _auc(labels: Sequence[int], probabilities: Sequence[float]) -> float:
    """Of all pairs of a record of either label, the share that is ranked rightly; a tie counts half."""
    positives = sum(labels)
    pairs = positives * (len(labels) - positives)
    if not pairs:
        return 0.5
    right, negatives_below = 0.0, 0
    ranked = sorted(zip(probabilities, labels, strict=True))
    for _, tied in groupby(ranked, key=lambda each: each[0]):
        group = [label for _, label in tied]
        ones, zeros = sum(group), len(group) - sum(group)
        right += ones * (negatives_below + zeros / 2)
        negatives_below += zeros
    return right / pairs


def _top_decile_lift(labels: Sequence[int], probabilities: Sequence[float]) -> float:
    """How many times more of label 1 the most suspicious tenth of the records holds than an average tenth."""
    decile = max(1, round(len(labels) / 10))
    ranked = sorted(range(len(labels)), key=lambda index: -probabilities[index])
    in_decile = sum(labels[index] for index in ranked[:decile])
    return _ratio(in_decile / decile, sum(labels) / len(labels))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
