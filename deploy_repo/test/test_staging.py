"""Tests of the staging endpoint that is running now. Run them with `make test-staging`.

What is asked and what is expected stands in the JSON files beside this one:

    answer.json           the words of an answer, the same as in claims_contract.py of the model-build repository
    golden_records.json   claims whose answer is beyond doubt, and claims at the edge of what is allowed
    bad_records.json      requests that must be refused with a clear 4xx answer
    latency-limits.json   how many requests are timed, and how long they may take
"""

import csv
import io
import json
from typing import Any

import pytest

from deployment import held_out
from deployment.async_endpoint import AsyncEndpoint
from deployment.endpoint import CSV, Endpoint
from deployment.expectations import BadRequest, Golden, answer_words, bad_requests, golden_records, latency_limits
from deployment.figures import Figures, percentile

WORDS = answer_words()
GOLDEN = golden_records()
RECORDS = [golden.record for golden in GOLDEN]


def check_schema(prediction: dict[str, Any]) -> None:
    assert prediction.keys() == {WORDS.probability, "decision"}
    assert isinstance(prediction[WORDS.probability], float)
    assert 0 <= prediction[WORDS.probability] <= 1
    assert prediction["decision"] in WORDS.decisions


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_golden_record_gets_the_answer_it_must(endpoint: Endpoint, figures: Figures, golden: Golden) -> None:
    [prediction] = endpoint.ask_about(golden.record).predictions()
    check_schema(prediction)
    least, most = golden.probability
    assert least <= prediction[WORDS.probability] <= most
    if golden.decision:
        assert prediction["decision"] == golden.decision
    figures.golden_passed += 1


def test_many_records_at_once_get_the_same_answers_in_the_same_order(endpoint: Endpoint) -> None:
    one_by_one = [endpoint.ask_about(record).predictions()[0] for record in RECORDS]
    assert endpoint.ask_about(*RECORDS).predictions() == one_by_one


def test_csv_gets_the_same_answers_as_json(endpoint: Endpoint) -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(name for record in RECORDS for name in record)))
    writer.writeheader()
    writer.writerows(RECORDS)  # what a record lacks, and null, become an empty cell
    assert endpoint.ask(table.getvalue(), CSV).predictions() == endpoint.ask_about(*RECORDS).predictions()


@pytest.mark.parametrize("bad", bad_requests(), ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_with_a_clear_message(endpoint: Endpoint, figures: Figures, bad: BadRequest) -> None:
    answer = endpoint.ask(bad.body, bad.content_type)
    assert answer.status == bad.status, answer.body
    message = json.loads(answer.body)
    assert message["error"]
    assert message.get("record") == bad.record
    assert message.get("field") == bad.field
    assert (bad.field or "") in message["error"], "the message must name the field to a person, too"
    figures.bad_passed += 1


def test_held_out_records_get_the_metrics_of_the_evaluation(
    endpoint: Endpoint, figures: Figures, held_out_sample: held_out.Sample | None
) -> None:
    if held_out_sample is None:
        figures.held_out = f"held-out records not compared: the model package names no {held_out.NAMED_BY}"
        pytest.skip(figures.held_out)
    answers = [endpoint.ask_about(*records) for records in held_out_sample.requests()]
    predictions = [prediction for answer in answers for prediction in answer.predictions()]
    if differing := held_out.differences(held_out_sample, predictions, WORDS):
        pytest.fail("\n".join(differing), pytrace=False)
    figures.held_out = f"metrics of {len(predictions)} held-out records as evaluated"


def test_answers_come_fast_enough(endpoint: Endpoint, figures: Figures) -> None:
    """Of an asynchronous endpoint the whole time counts, from the upload of a request to its answer read."""
    limits = latency_limits(asynchronous=isinstance(endpoint, AsyncEndpoint))
    for _ in range(limits.warm_up_requests):
        endpoint.ask_about(RECORDS[0]).predictions()
    answers = [endpoint.ask_about(RECORDS[0]) for _ in range(limits.measured_requests)]
    figures.milliseconds = [answer.milliseconds for answer in answers]
    assert {answer.status for answer in answers} == {200}
    assert percentile(figures.milliseconds, 50) <= limits.p50_milliseconds
    assert percentile(figures.milliseconds, 95) <= limits.p95_milliseconds
    assert percentile(figures.milliseconds, 99) <= limits.p99_milliseconds


def test_no_request_of_this_run_ended_in_a_server_error(endpoint: Endpoint) -> None:
    assert endpoint.statuses, "this test stands last: the others must have asked something"
    assert [status for status in endpoint.statuses if status >= 500] == []
