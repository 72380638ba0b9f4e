"""How well one column alone tells the two classes apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from new_model.table import is_missing


def separation(values: Sequence[str], classes: Sequence[int], *, words: bool) -> float:
    """The area under the ROC curve, 0.5 to 1, of the best order: by value, by word, or by being missing at all."""
    gaps = [float(is_missing(value)) for value in values]
    found = [_either_way(gaps, classes)]
    if words:
        shares: dict[str, list[int]] = defaultdict(list)
        for value, each in zip(values, classes, strict=True):
            shares[value].append(each)
        found.append(_either_way([sum(shares[value]) / len(shares[value]) for value in values], classes))
    else:
        present = [(float(value), each) for value, each in zip(values, classes, strict=True) if not is_missing(value)]
        if len(present) * 2 > len(values):  # an order of few rows says little
            found.append(_either_way([number for number, _ in present], [each for _, each in present]))
    return max(found)


def _either_way(scores: Sequence[float], classes: Sequence[int]) -> float:
    area = _area(scores, classes)
    return max(area, 1 - area)


def _area(scores: Sequence[float], classes: Sequence[int]) -> float:
    """The share of pairs of both classes that the scores put in order; ties count half."""
    tally: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    for score, each in zip(scores, classes, strict=True):
        tally[score][each] += 1
    below = ordered = 0.0
    for score in sorted(tally):
        zeros, ones = tally[score]
        ordered += ones * (below + zeros / 2)
        below += zeros
    positives = sum(classes)
    pairs = positives * (len(classes) - positives)
    return ordered / pairs if pairs else 0.5
