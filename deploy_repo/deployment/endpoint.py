"""Asking an endpoint as a caller would, and hearing what the model itself answered."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from deployment import served
from deployment.errors import RefusedError
from deployment.served import Served
from deployment.settings import AUTO

JSON = "application/json"
CSV = "text/csv"
WAKING_REQUESTS = 12
CHANGING = ("Updating", "SystemUpdating", "RollingBack")
"""Being updated, scaled or maintained, or on its way back from that: an endpoint answers all the while, and is in
service again after minutes.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html#API_DescribeEndpoint_ResponseSyntax
"""
LOOKS = 180


@dataclass(frozen=True)
class Answer:
    """The model's answer: HTTP status, body, and the time the caller waited."""

    status: int
    body: str
    milliseconds: float

    def predictions(self) -> list[dict[str, Any]]:
        """The list under "predictions"; raises AssertionError, quoting the answer, where there is none."""
        assert self.status == 200, f"answered {self.status}: {self.body}"
        answer = json.loads(self.body)
        assert isinstance(answer, dict), self.body
        assert isinstance(answer.get("predictions"), list), self.body
        predictions: list[dict[str, Any]] = answer["predictions"]
        return predictions


@dataclass
class Endpoint:
    """An endpoint in service. Remembers every status the model answered with."""

    name: str
    runtime: Any
    statuses: list[int] = field(default_factory=list)

    def ask(self, body: str, content_type: str = JSON) -> Answer:
        """Send one request.

        SageMaker wraps a model's own refusal into ModelError (HTTP 424) that carries the model's status and text;
        both are unwrapped here. Everything else that goes wrong (throttling, no permission) is raised as it is.
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
        """
        start = time.perf_counter()
        try:
            response = self.runtime.invoke_endpoint(
                EndpointName=self.name, ContentType=content_type, Accept=JSON, Body=body.encode()
            )
            status, text = 200, response["Body"].read().decode()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ModelError":
                raise
            status, text = error.response["OriginalStatusCode"], error.response["OriginalMessage"]
        milliseconds = (time.perf_counter() - start) * 1000
        self.statuses.append(status)
        return Answer(status, text, milliseconds)

    def ask_about(self, *records: dict[str, Any]) -> Answer:
        """Send raw claims as JSON."""
        return self.ask(json.dumps({"records": records}))

    def wake(self, body: str, pause_seconds: float = 5.0) -> None:
        """Ask until the model answers, and forget it: a serverless container starts when it is asked.

        While it starts, SageMaker answers ModelNotReadyException, or fails the request that took too long. Whatever
        goes on for longer than a dozen requests the tests themselves will show.
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors
        """
        for _ in range(WAKING_REQUESTS):
            try:
                if self.ask(body).status < 500:
                    break
            except ClientError as error:
                if error.response["Error"]["Code"] != "ModelNotReadyException":
                    raise
            time.sleep(pause_seconds)
        self.statuses.clear()


def check_in_service(
    sagemaker: Any, endpoint_name: str, expected_package_arn: str, pause_seconds: float = 5.0
) -> Served:
    """What the endpoint serves, a package for certain; raise RefusedError, saying what to do, unless it is ready.

    `expected_package_arn` is the package it must serve, or `auto` for whichever it serves. One that is being scaled or
    maintained is waited for, `LOOKS` times the pause: a quarter of an hour.
    """
    found = served.describe(sagemaker, endpoint_name)
    for look in range(LOOKS):
        if found is None or found.status not in CHANGING:
            break
        if not look:
            print(f"{endpoint_name} is {found.status}: waiting until it is InService", flush=True)
        time.sleep(pause_seconds)
        found = served.describe(sagemaker, endpoint_name)
    if found is None:
        raise RefusedError(
            f"There is no endpoint {endpoint_name}.\n"
            "Look at the DeployStaging action of the deploy pipeline; from your own machine, at AWS_DEFAULT_REGION too."
        )
    if found.status != "InService":
        reason = f" ({found.failure_reason})" if found.failure_reason else ""
        raise RefusedError(
            f"The endpoint {endpoint_name} is {found.status}{reason}, not InService.\n"
            "Wait until its deployment has ended. If that fails, the container's logs say why: "
            f"/aws/sagemaker/Endpoints/{endpoint_name} in CloudWatch."
        )
    if found.model_package_arn is None:
        raise RefusedError(f"The endpoint {endpoint_name} does not serve a model package; deploy it with the pipeline.")
    if expected_package_arn not in (AUTO, found.model_package_arn):
        raise RefusedError(
            f"The endpoint {endpoint_name} serves {found.model_package_arn},\n"
            f"but {expected_package_arn} was to be tested.\n"
            "Another deployment came between: start the pipeline again."
        )
    return found
