"""What two models' answers come to, side by side: each figure of either, and the difference with its interval.

Two ways of asking give two kinds of differences. Of production variants each request reaches one model only: the groups
have nothing to do with each other. A shadow is asked what the champion was asked: pair by pair the difference is much
surer, with the same number of requests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from deployment import measures
from deployment.compare import intervals
from deployment.compare.captures import Prediction
from deployment.compare.intervals import Interval

QUALITY = ("auc", "accuracy", "recall", "precision")
"""The figures that need labels, and by which a challenger can be better; more is better of each."""
LEAST_OF_A_KIND = 10
"""Fewer outcomes of a kind, or flags, vary too little for the approximations of DeLong and of the linearised ratio."""


@dataclass(frozen=True)
class Answered:
    """A model's answers, with what turned out to be true of each, None where nobody knows."""

    predictions: list[Prediction]
    labels: list[int | None]

    def known(self) -> "Answered":
        """Those whose outcome is known."""
        known = [place for place, label in enumerate(self.labels) if label is not None]
        return Answered([self.predictions[place] for place in known], [self.labels[place] for place in known])

    @property
    def truths(self) -> list[int]:
        return [label for label in self.labels if label is not None]

    @property
    def scores(self) -> list[float]:
        return [each.score for each in self.predictions]

    @property
    def flags(self) -> list[bool]:
        return [each.is_flagged for each in self.predictions]

    @property
    def flagged(self) -> int:
        return sum(self.flags)

    def __len__(self) -> int:
        return len(self.predictions)


@dataclass(frozen=True)
class Figure:
    """One line of the table. `difference` is the challenger's minus the champion's; None where it cannot be told."""

    name: str
    champion: float | None
    challenger: float | None
    difference: Interval | None
    why_not: str = ""


def behaviour(champion: Answered, challenger: Answered, *, paired: bool) -> list[Figure]:
    """What needs no labels: how often either flags a record, and how high it scores."""
    if paired:
        share = intervals.difference_of_paired_proportions(*_table(champion.flags, challenger.flags))
        mean = intervals.mean_difference(champion.scores, challenger.scores)
    else:
        share = intervals.difference_of_proportions(
            (champion.flagged, len(champion)), (challenger.flagged, len(challenger))
        )
        mean = intervals.difference_of_means(champion.scores, challenger.scores)
    found = [
        Figure("share flagged", champion.flagged / len(champion), challenger.flagged / len(challenger), share),
        Figure("mean score", fmean(champion.scores), fmean(challenger.scores), mean),
    ]
    for percent in (10, 50, 90):
        one, two = (_percentile(each.scores, percent) for each in (champion, challenger))
        found.append(Figure(f"score, {percent}th percentile", one, two, None, "told, not tested"))
    return found


def agreement(champion: Answered, challenger: Answered) -> Interval:
    """How often both take the same decision about the same record."""
    same = sum(one == two for one, two in zip(champion.flags, challenger.flags, strict=True))
    return intervals.proportion(same, len(champion))


def quality(champion: Answered, challenger: Answered, *, paired: bool) -> list[Figure]:
    """What needs labels; both must hold answers whose outcome is known only."""
    compare = _paired if paired else _apart
    ones, twos = (measures.measure(each.truths, each.scores, each.flags) for each in (champion, challenger))
    found = []
    for name in QUALITY:
        difference = compare(name, champion, challenger)
        if isinstance(difference, str):
            found.append(Figure(name, None, None, None, difference))
        else:
            found.append(Figure(name, ones[name], twos[name], difference))
    return found


def _apart(name: str, champion: Answered, challenger: Answered) -> Interval | str:
    if name == "auc":
        return _areas(champion, challenger, paired=False)
    counted = COUNTED[name]
    one, two = counted(champion), counted(challenger)
    if not one[1] or not two[1]:
        return NOTHING_TO_COUNT[name]
    return intervals.difference_of_proportions(one, two)


def _paired(name: str, champion: Answered, challenger: Answered) -> Interval | str:
    truths = champion.truths
    if name == "auc":
        return _areas(champion, challenger, paired=True)
    if name == "precision":
        return _precision(truths, champion.flags, challenger.flags)
    rows = [place for place, truth in enumerate(truths) if name == "accuracy" or truth]
    if not rows:
        return NOTHING_TO_COUNT[name]
    one, two = ([each.flags[place] == bool(truths[place]) for place in rows] for each in (champion, challenger))
    return intervals.difference_of_paired_proportions(*_table(one, two))


def _precision(truths: Sequence[int], ones: Sequence[bool], twos: Sequence[bool]) -> Interval | str:
    """Either model flags other records, so the pairs do not make two shares of one whole."""
    if not any(ones) or not any(twos):
        return NOTHING_TO_COUNT["precision"]
    if min(sum(ones), sum(twos)) < LEAST_OF_A_KIND:
        return f"it takes {LEAST_OF_A_KIND} flagged records on either side or more"
    for flags in (ones, twos):
        right = sum(flag and bool(truth) for flag, truth in zip(flags, truths, strict=True))
        if right in (0, sum(flags)):  # no variance at all, and an interval of no width
            return "it takes right and wrong flags on either side, compared pair by pair"
    sides = (
        [(float(flag and truth), float(flag)) for flag, truth in zip(each, truths, strict=True)]
        for each in (ones, twos)
    )
    return intervals.difference_of_paired_ratios(*sides)


def _areas(champion: Answered, challenger: Answered, *, paired: bool) -> Interval | str:
    for each in (champion, challenger):
        ones = sum(each.truths)
        if min(ones, len(each) - ones) < LEAST_OF_A_KIND:
            return f"it takes {LEAST_OF_A_KIND} outcomes of either kind or more on either side"
    first, second = (intervals.ranking(each.truths, each.scores) for each in (champion, challenger))
    return intervals.difference_of_auc(first, second, paired=paired)


def _table(first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, int, int]:
    """How often both, the first only, the second only, neither."""
    seen = list(zip(first, second, strict=True))
    return seen.count((True, True)), seen.count((True, False)), seen.count((False, True)), seen.count((False, False))


def _right(each: Answered) -> int:
    return sum(flag == bool(truth) for flag, truth in zip(each.flags, each.truths, strict=True))


def _caught(each: Answered) -> int:
    return sum(flag and bool(truth) for flag, truth in zip(each.flags, each.truths, strict=True))


COUNTED: dict[str, Callable[[Answered], tuple[int, int]]] = {
    "accuracy": lambda each: (_right(each), len(each)),
    "recall": lambda each: (_caught(each), sum(each.truths)),
    "precision": lambda each: (_caught(each), each.flagged),
}
NOTHING_TO_COUNT = {
    "accuracy": "there are no outcomes",
    "recall": "no outcome is 1 on one side",
    "precision": "one side has flagged no record",
}


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[max(-(-len(values) * percent // 100), 1) - 1]
