"""How sure a difference is: confidence intervals, each with its source.

Written out, because the environment of the build holds neither scipy nor statsmodels, and two hundred megabytes would
be installed for six formulas. The tests hold them to published examples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist, fmean, variance

CONFIDENCE = 0.95

WILSON = "Wilson 1927"
NEWCOMBE = "Newcombe 1998, hybrid score"
NEWCOMBE_PAIRED = "Newcombe 1998, paired hybrid score"
DELONG = "DeLong 1988"
NORMAL = "normal approximation"
LINEARISED = "linearised ratio, paired"


@dataclass(frozen=True)
class Interval:
    """An estimate, and between what bounds it lies with 95 % confidence, by which method."""

    estimate: float
    low: float
    high: float
    method: str

    @property
    def is_above_zero(self) -> bool:
        return self.low > 0

    @property
    def is_below_zero(self) -> bool:
        return self.high < 0


def z_value() -> float:
    """1.96 for 95 %."""
    return NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def proportion(part: int, whole: int) -> Interval:
    """A share. Wilson, Journal of the American Statistical Association 22 (1927), 209-212."""
    if not whole:
        return Interval(0.0, 0.0, 1.0, WILSON)
    z, share = z_value(), part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z / (1 + z * z / whole) * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), WILSON)


def difference_of_proportions(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Second share minus first, of two groups that have nothing to do with each other; each is (part, whole).

    Method 10 of Newcombe, Statistics in Medicine 17 (1998), 873-890.
    """
    one, two = proportion(*first), proportion(*second)
    difference = two.estimate - one.estimate
    below = math.hypot(two.estimate - two.low, one.high - one.estimate)
    above = math.hypot(two.high - two.estimate, one.estimate - one.low)
    return Interval(difference, difference - below, difference + above, NEWCOMBE)


def difference_of_paired_proportions(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    """Second share minus first, where both were asked the same: how often both, one of them, or neither.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998), 2635-2650.
    """
    whole = both + only_first + only_second + neither
    one, two = proportion(both + only_first, whole), proportion(both + only_second, whole)
    difference = two.estimate - one.estimate
    correlation = _correlation(both, only_first, only_second, neither)

    def spread(here: float, there: float) -> float:
        return math.sqrt(max(0.0, here * here - 2 * correlation * here * there + there * there))

    below = spread(two.estimate - two.low, one.high - one.estimate)
    above = spread(two.high - two.estimate, one.estimate - one.low)
    return Interval(difference, difference - below, difference + above, NEWCOMBE_PAIRED)


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if not margins:
        return 0.0
    product: float = both * neither - only_first * only_second
    if product > 0:  # Newcombe's correction for continuity
        product = max(product - (both + only_first + only_second + neither) / 2, 0)
    return product / math.sqrt(margins)


def difference_of_means(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Mean of the second minus that of the first, of two groups; the variances need not be equal."""
    error = math.sqrt(sum(variance(values) / len(values) for values in (first, second)))
    return _normal(fmean(second) - fmean(first), error, NORMAL)


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Mean of second minus first, pair by pair."""
    differences = [two - one for one, two in zip(first, second, strict=True)]
    return _normal(fmean(differences), math.sqrt(variance(differences) / len(differences)), NORMAL)


def _normal(estimate: float, error: float, method: str) -> Interval:
    half = z_value() * error
    return Interval(estimate, estimate - half, estimate + half, method)


@dataclass(frozen=True)
class Ranking:
    """How well scores rank label 1 above label 0: the area under the ROC curve, and what each record adds to it.

    `of_ones` holds for each record of label 1 the share of label 0 it is ranked above (a tie counts half), `of_zeros`
    for each record of label 0 the share of label 1 that is ranked above it.
    """

    of_ones: list[float]
    of_zeros: list[float]

    @property
    def auc(self) -> float:
        return fmean(self.of_ones)


def ranking(labels: Sequence[int], scores: Sequence[float]) -> Ranking:
    """The placements of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), 837-845. Both labels must occur."""
    ones = sum(labels)
    zeros = len(labels) - ones
    placed = [0.0] * len(labels)
    ones_below = zeros_below = 0
    order = sorted(range(len(labels)), key=lambda index: scores[index])
    for _, group in groupby(order, key=lambda index: scores[index]):
        tied = list(group)
        tied_ones = sum(labels[index] for index in tied)
        tied_zeros = len(tied) - tied_ones
        for index in tied:
            if labels[index]:
                placed[index] = (zeros_below + tied_zeros / 2) / zeros
            else:
                placed[index] = 1 - (ones_below + tied_ones / 2) / ones
        ones_below, zeros_below = ones_below + tied_ones, zeros_below + tied_zeros
    return Ranking(
        [placed[index] for index, label in enumerate(labels) if label],
        [placed[index] for index, label in enumerate(labels) if not label],
    )


def difference_of_auc(first: Ranking, second: Ranking, *, paired: bool) -> Interval:
    """The second's area minus the first's; `paired` where both ranked the same records, in the same order."""
    if paired:
        spread = sum(
            variance([two - one for one, two in zip(ones, twos, strict=True)]) / len(ones)
            for ones, twos in ((first.of_ones, second.of_ones), (first.of_zeros, second.of_zeros))
        )
    else:
        spread = sum(
            variance(values) / len(values) for side in (first, second) for values in (side.of_ones, side.of_zeros)
        )
    return _normal(second.auc - first.auc, math.sqrt(spread), DELONG)


def difference_of_paired_ratios(
    first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]
) -> Interval:
    """The second ratio of sums minus the first's, each pair of summands (part, whole) about the same record.

    For shares whose wholes differ from side to side, such as precision: either model flags other records. The ratios
    are linearised, as in Cochran, Sampling Techniques (1977), section 6.4.
    """
    ratios, influences = [], []
    for side in (first, second):
        whole = fmean(each[1] for each in side)
        ratio = fmean(each[0] for each in side) / whole
        ratios.append(ratio)
        influences.append([(part - ratio * of) / whole for part, of in side])
    differences = [two - one for one, two in zip(*influences, strict=True)]
    return _normal(ratios[1] - ratios[0], math.sqrt(variance(differences) / len(differences)), LINEARISED)
