"""What a job printed reaches its log, or whoever runs the job hears why not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from rehearsal.cloud.sagemaker.job_logs import JobLog

GONE = EndpointConnectionError(endpoint_url="http://127.0.0.1:4711")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutLogEvents")


def log_that(problem: Exception | None) -> tuple[JobLog, list[str]]:
    """A log whose service answers every batch with this problem; the lines that arrived."""
    arrived: list[str] = []

    def put_log_events(*, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803
        if problem is not None:
            raise problem
        arrived.extend(event["message"] for event in logEvents)

    log = JobLog(
        SimpleNamespace(
            create_log_group=lambda **_: None, create_log_stream=lambda **_: None, put_log_events=put_log_events
        ),
        "/aws/sagemaker/ProcessingJobs",
        "job/algo-1",
    )
    log.open()
    return log, arrived


def test_every_line_is_sent_by_the_time_the_log_is_closed() -> None:
    log, arrived = log_that(None)
    for line in ("one", "", "two"):
        log.line(line)
    log.close()
    assert arrived == ["one", "two"]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("problem", [GONE, DENIED], ids=["the cloud has gone", "the role may not"])
def test_whoever_closes_the_log_hears_why_lines_did_not_arrive(problem: Exception) -> None:
    log, _ = log_that(problem)
    log.line("too late")
    with pytest.raises(type(problem)):
        log.close()
