"""The intervals are those of their sources: published examples, and what a definition gives written out slowly."""

import itertools
import math
import random
from statistics import fmean

import pytest

from deployment.compare import intervals
from deployment.compare.intervals import Interval


def bounds(found: Interval) -> tuple[float, float]:
    return round(found.low, 4), round(found.high, 4)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_a_share_has_the_bounds_of_newcombes_table(part: int, whole: int, expected: tuple[float, float]) -> None:
    """Table I of Newcombe, Statistics in Medicine 17 (1998), 857-872, method 3."""
    assert bounds(intervals.proportion(part, whole)) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((2, 7), (6, 7), (0.0582, 0.8062)),
        ((0, 29), (5, 56), (-0.0381, 0.1926)),
        ((0, 20), (0, 10), (-0.1611, 0.2775)),
    ],
)
def test_two_shares_differ_by_the_bounds_of_newcombes_table(
    first: tuple[int, int], second: tuple[int, int], expected: tuple[float, float]
) -> None:
    """Table II of Newcombe, Statistics in Medicine 17 (1998), 873-890, method 10."""
    assert bounds(intervals.difference_of_proportions(first, second)) == expected


def test_shares_of_pairs_differ_by_the_bounds_of_newcombes_example() -> None:
    """Statistics in Medicine 17 (1998), 2635-2650, method 10: of 50 pairs 20 both, 12 and 2 one of them, 16 neither."""
    found = intervals.difference_of_paired_proportions(20, 2, 12, 16)
    assert found.estimate == pytest.approx(0.2)
    assert bounds(found) == (0.0562, 0.3292)


def test_the_same_pairs_in_the_other_order_give_the_opposite() -> None:
    one = intervals.difference_of_paired_proportions(20, 2, 12, 16)
    other = intervals.difference_of_paired_proportions(20, 12, 2, 16)
    assert (other.estimate, other.low, other.high) == pytest.approx((-one.estimate, -one.high, -one.low))


@pytest.mark.parametrize("table", [(10, 0, 0, 0), (0, 0, 0, 10), (0, 10, 0, 0), (5, 0, 0, 5)])
def test_pairs_that_leave_a_corner_empty_have_an_interval_too(table: tuple[int, int, int, int]) -> None:
    found = intervals.difference_of_paired_proportions(*table)
    assert -1 <= found.low <= found.estimate <= found.high <= 1


def slow_auc(labels: list[int], scores: list[float]) -> float:
    ones = [score for score, label in zip(scores, labels, strict=True) if label]
    zeros = [score for score, label in zip(scores, labels, strict=True) if not label]
    return fmean((one > zero) + (one == zero) / 2 for one, zero in itertools.product(ones, zeros))


def some_scores(seed: int, count: int = 60) -> tuple[list[int], list[float], list[float]]:
    draw = random.Random(seed)
    labels = [place % 3 == 0 for place in range(count)]
    one = [round(draw.gauss(label * 0.8, 1), 1) for label in labels]  # one digit, so that there are ties
    two = [round(score + draw.gauss(label * 0.3, 0.5), 1) for score, label in zip(one, labels, strict=True)]
    return [int(label) for label in labels], one, two


def test_the_area_is_the_share_of_pairs_ranked_rightly_a_tie_counting_half() -> None:
    labels, one, _ = some_scores(1)
    found = intervals.ranking(labels, one)
    assert found.auc == pytest.approx(slow_auc(labels, one))
    assert fmean(found.of_zeros) == pytest.approx(found.auc)


@pytest.mark.parametrize("paired", [True, False])
def test_delong_agrees_with_leaving_out_one_record_at_a_time(paired: bool) -> None:
    """The jackknife over each label estimates the same variance, by another road."""
    labels, one, two = some_scores(2, 120)
    found = intervals.difference_of_auc(intervals.ranking(labels, one), intervals.ranking(labels, two), paired=paired)

    def variance_without_one(score_lists: list[list[float]]) -> float:
        total = 0.0
        for kind in (0, 1):
            left_out = []
            for place in (place for place, label in enumerate(labels) if label == kind):
                rest = [index for index in range(len(labels)) if index != place]
                areas = [slow_auc([labels[i] for i in rest], [scores[i] for i in rest]) for scores in score_lists]
                left_out.append(areas[-1] - (areas[0] if len(areas) == 2 else 0.0))
            mean, count = fmean(left_out), len(left_out)
            total += (count - 1) / count * sum((value - mean) ** 2 for value in left_out)
        return total

    wanted = variance_without_one([one, two]) if paired else variance_without_one([one]) + variance_without_one([two])
    half = (found.high - found.low) / 2
    assert half == pytest.approx(intervals.z_value() * math.sqrt(wanted), rel=1e-6)
    assert found.estimate == pytest.approx(slow_auc(labels, two) - slow_auc(labels, one))


def test_a_difference_of_means_is_known_better_pair_by_pair() -> None:
    draw = random.Random(3)
    one = [draw.random() for _ in range(100)]
    two = [value + 0.01 + draw.gauss(0, 0.01) for value in one]
    apart, paired = intervals.difference_of_means(one, two), intervals.mean_difference(one, two)
    assert apart.estimate == pytest.approx(paired.estimate)
    assert paired.is_above_zero
    assert not apart.is_above_zero
    assert apart.low < 0 < apart.high


def test_paired_ratios_agree_with_leaving_out_one_pair_at_a_time() -> None:
    """The jackknife of the whole difference, which knows nothing of any linearisation."""
    draw = random.Random(4)
    truths = [draw.random() < 0.4 for _ in range(300)]
    flags = [[draw.random() < (0.7 if truth else chance) for truth in truths] for chance in (0.4, 0.2)]
    sides = [[(float(flag and truth), float(flag)) for flag, truth in zip(each, truths, strict=True)] for each in flags]
    found = intervals.difference_of_paired_ratios(*sides)

    def ratio(side: list[tuple[float, float]], without: int) -> float:
        rest = [each for place, each in enumerate(side) if place != without]
        return sum(part for part, _ in rest) / sum(whole for _, whole in rest)

    left_out = [ratio(sides[1], place) - ratio(sides[0], place) for place in range(300)]
    mean = fmean(left_out)
    wanted = math.sqrt(299 / 300 * sum((value - mean) ** 2 for value in left_out))
    assert (found.high - found.low) / 2 == pytest.approx(intervals.z_value() * wanted, rel=0.02)
    assert found.is_above_zero
