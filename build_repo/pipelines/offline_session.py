"""An SDK session that builds requests and sends none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest import mock

import boto3
from sagemaker.core.config.config_manager import SageMakerConfig
from sagemaker.core.workflow.pipeline_context import PipelineSession

NO_TELEMETRY = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


class AwsCallError(Exception):
    """Compiling tried to call AWS, so the definition would depend on more than this repository and its settings."""


class OfflineSession(PipelineSession):  # type: ignore[misc]  # the SDK is untyped
    """Refuses every AWS call, so a definition is the same wherever it is compiled."""

    def __init__(self, region: str, bucket: str) -> None:
        # The SDK wants credentials even for requests that are never sent.
        session = boto3.Session(region_name=region, aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
        session.events.register("before-send", refuse)
        super().__init__(session, default_bucket=bucket, sagemaker_config=NO_TELEMETRY)
        self._bucket = bucket

    def default_bucket(self) -> str:
        """The bucket as given; the SDK's own method asks S3 whether it exists."""
        return self._bucket


@contextmanager
def configuration_checked_once() -> Iterator[None]:
    """Check NO_TELEMETRY now, and not again at each of the SDK's fifty look-ups: that is four fifths of compiling."""
    SageMakerConfig.validate_sagemaker_config(NO_TELEMETRY)
    with mock.patch.object(SageMakerConfig, "validate_sagemaker_config"):
        yield


def refuse(request: Any, **_: Any) -> NoReturn:
    raise AwsCallError(f"compiling the pipeline must not call AWS, but it tried {request.method} {request.url}")
