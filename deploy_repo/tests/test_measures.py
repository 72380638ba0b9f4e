"""The metrics of the staging tests must be those of the evaluation in the model-build repository."""

import pytest

from deployment.measures import measure

# The twenty claims of the model-build repository's tests. Four are flagged: three rightly, one in vain.
LABELS = [1, 1, 0, 1, 1, 1] + [0] * 14
PROBABILITIES = [0.95, 0.9, 0.85, 0.8, 0.4, 0.3, *(0.25 - 0.24 / 13 * step for step in range(14))]
FLAGGED = [probability >= 0.5 for probability in PROBABILITIES]


def test_metrics_match_a_calculation_by_hand() -> None:
    assert measure(LABELS, PROBABILITIES, FLAGGED) == pytest.approx(
        {
            "accuracy": 17 / 20,
            "recall": 3 / 5,
            "precision": 3 / 4,
            "f1": 2 * 0.6 * 0.75 / 1.35,
            "auc": 72 / 75,
            "top_decile_lift": 1.0 / 0.25,
        }
    )


def test_ties_count_half() -> None:
    assert measure([1, 0, 0], [0.5, 0.5, 0.1], [True, True, False])["auc"] == pytest.approx(0.75)


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_ratios_without_a_denominator_are_zero_and_ranks_of_one_label_say_nothing(labels: list[int]) -> None:
    found = measure(labels, [0.1, 0.2], [False, False])
    assert (found["recall"], found["precision"], found["f1"], found["auc"]) == (0, 0, 0, 0.5)
