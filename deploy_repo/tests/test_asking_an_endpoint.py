"""How the staging tests hear what the model answered, and what they say about an endpoint that is not ready."""

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from deployment.async_endpoint import AsyncEndpoint
from deployment.endpoint import CHANGING, Endpoint, check_in_service
from deployment.errors import RefusedError
from deployment.figures import Figures, percentile

from .conftest import client
from .fake_registry import GROUP, Registry


def test_an_answer_carries_the_predictions_and_the_time_it_took() -> None:
    body = b'{"predictions": [{"fraud_probability": 0.5, "decision": "pay"}]}'
    with Stubber(client("sagemaker-runtime")) as stub:
        stub.add_response("invoke_endpoint", {"Body": StreamingBody(io.BytesIO(body), len(body))})
        answer = Endpoint("fraud-staging", stub.client).ask_about({"claim_amount": 1})
    assert answer.predictions() == [{"fraud_probability": 0.5, "decision": "pay"}]
    assert answer.milliseconds > 0


@pytest.mark.parametrize("status", [400, 415, 500])
def test_what_the_model_itself_refused_is_unwrapped_from_sagemakers_error(status: int) -> None:
    endpoint = Endpoint("fraud-staging", client("sagemaker-runtime"))
    with Stubber(endpoint.runtime) as stub:
        stub.add_client_error(
            "invoke_endpoint",
            "ModelError",
            "Received an error from primary",
            http_status_code=424,
            modeled_fields={"OriginalStatusCode": status, "OriginalMessage": '{"error": "no"}', "LogStreamArn": "arn"},
        )
        answer = endpoint.ask("{}")
    assert (answer.status, answer.body) == (status, '{"error": "no"}')
    assert endpoint.statuses == [status]


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ServiceUnavailable"])
def test_what_is_not_the_models_answer_is_not_taken_for_one(code: str) -> None:
    with Stubber(client("sagemaker-runtime")) as stub:
        stub.add_client_error("invoke_endpoint", code, "no")
        with pytest.raises(ClientError, match=code):
            Endpoint("fraud-staging", stub.client).ask("{}")


def test_a_serverless_endpoint_is_woken_before_anything_counts() -> None:
    endpoint = Endpoint("fraud-staging", client("sagemaker-runtime"))
    cold = {"OriginalStatusCode": 504, "OriginalMessage": "took too long", "LogStreamArn": "arn"}
    with Stubber(endpoint.runtime) as stub:
        stub.add_client_error("invoke_endpoint", "ModelNotReadyException", "still being provisioned")
        stub.add_client_error("invoke_endpoint", "ModelError", "no", http_status_code=424, modeled_fields=cold)
        stub.add_response("invoke_endpoint", {"Body": StreamingBody(io.BytesIO(b"{}"), 2)})
        endpoint.wake("{}", pause_seconds=0)
        stub.assert_no_pending_responses()
    assert endpoint.statuses == []


def test_waking_an_endpoint_hides_no_missing_right() -> None:
    with Stubber(client("sagemaker-runtime")) as stub:
        stub.add_client_error("invoke_endpoint", "AccessDeniedException", "no")
        with pytest.raises(ClientError, match="AccessDenied"):
            Endpoint("fraud-staging", stub.client).wake("{}", pause_seconds=0)


# ---- asynchronous


class Bucket:
    """The part of S3 an asynchronous endpoint is asked through; `answers` are written one look after the other."""

    def __init__(self, *answers: tuple[str, str] | None) -> None:
        self.files: dict[str, bytes] = {}
        self._answers = iter(answers)

    def put_object(self, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803 - AWS's names
        self.files[Key] = Body

    def list_objects_v2(self, Prefix: str, **_: Any) -> dict[str, int]:  # noqa: N803
        if (written := next(self._answers, None)) is not None:
            self.files[written[0]] = written[1].encode()
        return {"KeyCount": int(Prefix in self.files)}

    def get_object(self, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.files[Key])}


class Queue:
    """Takes requests in."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []

    def invoke_endpoint_async(self, **asked: str) -> dict[str, str]:
        self.taken.append(asked)
        return {
            "OutputLocation": "s3://bucket/async/e/output/1.out",
            "FailureLocation": "s3://bucket/async/e/failure/1",
        }


def asynchronous(*answers: tuple[str, str] | None, patience: float = 60.0) -> AsyncEndpoint:
    return AsyncEndpoint(
        "e",
        Queue(),
        s3=Bucket(*answers),
        answers_in="s3://bucket/async/e/output",
        patience_seconds=patience,
        pause_seconds=0.0,
    )


def test_an_asynchronous_endpoint_is_asked_by_a_file_beside_its_answers() -> None:
    endpoint = asynchronous(None, None, ("async/e/output/1.out", '{"predictions": [1]}'))
    answer = endpoint.ask("a,b", "text/csv")
    [asked] = endpoint.runtime.taken
    request = asked["InputLocation"].removeprefix("s3://bucket/")
    assert request.startswith("async/e/input/")
    assert request.endswith(".csv")
    assert endpoint.s3.files[request] == b"a,b"
    assert asked["ContentType"] == "text/csv"
    assert (answer.status, answer.body, endpoint.statuses) == (200, '{"predictions": [1]}', [200])


@pytest.mark.parametrize(
    "more", ["", ". See https://eu-west-1.console.aws.amazon.com/cloudwatch for more information."]
)
def test_what_the_model_refused_is_unwrapped_from_the_file_of_a_failure(more: str) -> None:
    failure = f'Received client error (415) from primary with message "{{"error": "say \\"json\\""}}"{more}'
    endpoint = asynchronous(None, ("async/e/failure/1", failure))
    answer = endpoint.ask("{}")
    assert (answer.status, answer.body) == (415, '{"error": "say \\"json\\""}')
    assert endpoint.statuses == [415]


def test_a_failure_that_is_not_the_models_is_told_in_its_own_words() -> None:
    endpoint = asynchronous(None, ("async/e/failure/1", "Could not download the input: AccessDenied"))
    with pytest.raises(RefusedError, match="failed to answer a request: Could not download the input: AccessDenied"):
        endpoint.ask("{}")


def test_an_asynchronous_endpoint_that_sleeps_is_waited_for() -> None:
    endpoint = asynchronous(*[None] * 200, ("async/e/output/1.out", "{}"), patience=0.0)
    endpoint.wake("{}", pause_seconds=0.0)
    assert endpoint.statuses == []
    assert len(endpoint.runtime.taken) == 1, "one request wakes it"
    with pytest.raises(RefusedError, match="has not answered a request within 0 seconds"):
        endpoint.ask("{}")


def test_an_answer_is_looked_for_soon_and_then_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    endpoint = asynchronous(*[None] * 20, ("async/e/output/1.out", "{}"))
    endpoint.wake("{}", pause_seconds=5.0)
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1, "most answers are there at once"
    assert pauses[-1] == 5.0, "while it starts, nobody is asked without end"


# ---- in service or not


def test_an_endpoint_in_service_tells_which_package_it_serves(registry: Registry) -> None:
    arn = registry.register()
    registry.serve(arn, "fraud-staging")
    assert check_in_service(registry.sagemaker, "fraud-staging", "auto").model_package_arn == arn
    assert check_in_service(registry.sagemaker, "fraud-staging", arn).model_package_arn == arn


def test_an_endpoint_that_serves_another_package_than_the_one_to_test_is_refused(registry: Registry) -> None:
    served, expected = registry.register(), registry.register()
    registry.serve(served, "fraud-staging")
    with pytest.raises(RefusedError, match=f"{GROUP}/1,\nbut .*{GROUP}/2 was to be tested"):
        check_in_service(registry.sagemaker, "fraud-staging", expected)


def test_an_endpoint_that_is_not_in_service_is_refused_with_its_status_and_reason() -> None:
    described: dict[str, Any] = {
        "EndpointName": "fraud-staging",
        "EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/fraud-staging",
        "EndpointConfigName": "gone",
        "EndpointStatus": "Failed",
        "FailureReason": "The primary container did not pass the ping health check.",
        "CreationTime": "2026-01-01T00:00:00Z",
        "LastModifiedTime": "2026-01-01T00:00:00Z",
    }
    with Stubber(client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", described, {"EndpointName": "fraud-staging"})
        stub.add_client_error(
            "describe_endpoint_config", "ValidationException", 'Could not find endpoint configuration "gone".'
        )
        with pytest.raises(RefusedError) as refusal:
            check_in_service(stub.client, "fraud-staging", "auto")
    assert "is Failed (The primary container did not pass the ping health check.), not InService" in str(refusal.value)
    assert "/aws/sagemaker/Endpoints/fraud-staging" in str(refusal.value)


@pytest.mark.parametrize("status", CHANGING)
def test_an_endpoint_that_is_being_scaled_or_maintained_is_waited_for(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    arn = registry.register()
    registry.serve(arn, "fraud-staging")
    registry.shift(arn, "fraud-staging", status)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            registry.serve(arn, "fraud-staging")

    monkeypatch.setattr("time.sleep", wait)
    assert check_in_service(registry.sagemaker, "fraud-staging", arn).status == "InService"
    assert waited == [5.0] * 3
    assert capsys.readouterr().out == f"fraud-staging is {status}: waiting until it is InService\n"


def test_an_endpoint_that_never_ends_changing_is_refused(registry: Registry) -> None:
    arn = registry.register()
    registry.serve(arn, "fraud-staging")
    registry.shift(arn, "fraud-staging", "Updating")
    with pytest.raises(RefusedError, match="fraud-staging is Updating, not InService"):
        check_in_service(registry.sagemaker, "fraud-staging", "auto", pause_seconds=0.0)


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (95, 10), (90, 9), (0, 1), (100, 10)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_the_summary_is_one_line_a_person_can_decide_by() -> None:
    figures = Figures(
        12,
        10,
        golden_passed=12,
        bad_passed=10,
        milliseconds=[10.4, 11.6, 80.2],
        package_arn="arn:aws:sagemaker:eu-west-1:1:model-package/fraud/3",
    )
    assert figures.variables() == {
        "GOLDEN_RECORDS_PASSED": "12 of 12",
        "LATENCY_P50_MS": "12",
        "LATENCY_P95_MS": "80",
        "LATENCY_P99_MS": "80",
        "STAGING_SUMMARY": (
            "12 of 12 golden records right, 10 of 10 bad records refused clearly, "
            "latency p50 12 ms, p95 80 ms, p99 80 ms of 3 requests, "
            "held-out records not compared, not compared with production, serving fraud/3"
        ),
    }
