"""Throttled calls are answered in each protocol's own way, and whoever retries is answered in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.lambda_ import Lambda
from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.sagemaker.jobs_lab import Bench, Lab, processing

CALLS = 100
"""So many that a rate of one in twenty cannot leave them alone."""


def client(cloud: Cloud, service: str, attempts: int) -> Any:
    """A client that asks so many times; what the SDK's own configuration is for everybody else."""
    root = cloud.identity.root
    return boto3.client(
        service,
        endpoint_url=cloud.url,
        region_name=cloud.region,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, s3={"addressing_style": "path"}),
    )


def codes(call: Callable[[], Any]) -> Counter[tuple[str, int]]:
    """Codes and statuses of the refusals among many calls."""
    found: Counter[tuple[str, int]] = Counter()
    for _ in range(CALLS):
        try:
            call()
        except ClientError as error:
            found[error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]] += 1
    return found


def test_each_protocol_has_its_own_refusal(faulty: Faulty) -> None:
    cloud = faulty(["throttling"], [CodeCommit, Lambda])
    counted = {}
    for service, operation, answer in (
        ("codecommit", "list_repositories", ("ThrottlingException", 400)),
        ("ssm", "describe_parameters", ("ThrottlingException", 400)),
        ("sts", "get_caller_identity", ("Throttling", 400)),
        ("cloudformation", "list_stacks", ("Throttling", 400)),
        ("s3", "list_buckets", ("SlowDown", 503)),
        ("lambda", "list_functions", ("TooManyRequestsException", 429)),
    ):
        refusals = codes(getattr(client(cloud, service, attempts=1), operation))
        assert set(refusals) == {answer}, service
        assert refusals[answer] < CALLS / 5
        counted[service] = refusals[answer]
    assert set(cloud.faults.struck("throttling")) == {f"{name} ({count} times)" for name, count in counted.items()}


def test_an_sdk_that_retries_never_sees_a_throttled_call(faulty: Faulty) -> None:
    cloud = faulty(["throttling"], [CodeCommit])
    repositories = client(cloud, "codecommit", attempts=2)
    assert codes(repositories.list_repositories) == Counter()
    assert cloud.faults.struck("throttling"), "calls were throttled, and asked again"


def test_the_same_calls_are_throttled_every_time(faulty: Faulty) -> None:
    struck = []
    for _ in range(2):
        cloud = faulty(["throttling"])
        codes(client(cloud, "sts", attempts=1).get_caller_identity)
        struck.append(cloud.faults.struck("throttling"))
    assert struck[0] == struck[1] != []


def test_nothing_is_throttled_unless_asked_for(faulty: Faulty) -> None:
    cloud = faulty([], [CodeCommit])
    assert codes(client(cloud, "codecommit", attempts=1).list_repositories) == Counter()


def test_a_throttled_step_is_retried_by_its_policy(faulty: Faulty) -> None:
    cloud = faulty(["throttling"], [Lab], speed=600)
    bench = Bench(cloud)
    step = {
        "Name": "Work",
        "Type": "Processing",
        "Arguments": processing("true", bench.pipeline_role()),
        "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 10, "MaxAttempts": 5}],
    }
    execution, steps = bench.play(bench.pipeline([step]))
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert steps["Work"]["AttemptCount"] == 2
    assert "CreateProcessingJob of step Work" in cloud.faults.struck("throttling")
