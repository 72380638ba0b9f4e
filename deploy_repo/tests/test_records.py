"""The golden and bad records must themselves be sound: a mistake here would block or wave through a deployment."""

import json

import pytest

from deployment.expectations import BadRequest, Golden, answer_words, bad_requests, golden_records, latency_limits

WORDS = answer_words()


def named(case: Golden | BadRequest) -> str:
    return case.name


@pytest.mark.parametrize("golden", golden_records(), ids=named)
def test_a_golden_record_has_an_answer_that_can_be_checked(golden: Golden) -> None:
    least, most = golden.probability
    assert 0 <= least < most <= 1
    assert golden.decision in {*WORDS.decisions, None}


def test_there_are_golden_records_enough_for_both_decisions() -> None:
    decisions = [golden.decision for golden in golden_records()]
    assert len(decisions) >= 12
    assert [decisions.count(word) >= 4 for word in WORDS.decisions] == [True, True]


@pytest.mark.parametrize("bad", bad_requests(), ids=named)
def test_a_bad_request_expects_a_refusal_that_blames_the_caller(bad: BadRequest) -> None:
    assert 400 <= bad.status < 500
    if bad.record is not None and bad.content_type == "application/json":
        assert bad.record < len(json.loads(bad.body)["records"])


def test_names_are_unique_because_reports_go_by_them() -> None:
    for cases in (golden_records(), bad_requests()):
        assert len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_latency_limits_leave_room_between_the_median_and_the_slowest(asynchronous: bool) -> None:
    limits = latency_limits(asynchronous=asynchronous)
    assert 0 < limits.p50_milliseconds <= limits.p95_milliseconds <= limits.p99_milliseconds
    assert limits.measured_requests >= (20 if asynchronous else 100), "fewer and a high percentile is the slowest one"
