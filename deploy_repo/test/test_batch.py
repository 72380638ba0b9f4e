"""Tests of the staging stage where its mode is batch: one run over golden and held-out records, one over a bad one.

What is asked and what is expected stands in the JSON files beside this one, as for an endpoint. The runs are the same
as on schedule, over files of their own; the shares that batch-checks.json allows are held in production only.
"""

import json

import pytest

from deployment import held_out
from deployment.batch_run import Run
from deployment.expectations import Golden, answer_words, golden_records
from deployment.figures import Figures

WORDS = answer_words()
GOLDEN = list(enumerate(golden_records()))


@pytest.mark.parametrize(("position", "golden"), GOLDEN, ids=lambda value: getattr(value, "name", ""))
def test_a_golden_record_of_a_file_gets_the_answer_it_must(
    good_run: Run, figures: Figures, position: int, golden: Golden
) -> None:
    assert good_run.status == "Succeeded", good_run.told
    prediction = good_run.answers["golden.jsonl"][position]
    least, most = golden.probability
    assert least <= prediction[WORDS.probability] <= most
    if golden.decision:
        assert prediction["decision"] == golden.decision
    figures.golden_passed += 1


def test_held_out_records_of_a_file_get_the_metrics_of_the_evaluation(
    good_run: Run, figures: Figures, held_out_sample: held_out.Sample | None
) -> None:
    if held_out_sample is None:
        figures.held_out = f"held-out records not compared: the model package names no {held_out.NAMED_BY}"
        pytest.skip(figures.held_out)
    assert good_run.status == "Succeeded", good_run.told
    predictions = good_run.answers["held-out.jsonl"]
    if differing := held_out.differences(held_out_sample, predictions, WORDS):
        pytest.fail("\n".join(differing), pytrace=False)
    figures.held_out = f"metrics of {len(predictions)} held-out records as evaluated"


def test_a_file_with_a_bad_record_fails_its_run_and_nothing_of_it_is_published(bad_run: Run, figures: Figures) -> None:
    assert bad_run.status == "Failed", json.dumps(bad_run.answers)
    assert "Transform" in bad_run.reason
    assert bad_run.answers == {}
    figures.bad_passed += 1
