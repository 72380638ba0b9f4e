"""An endpoint: what DescribeEndpoint says of it, and the events its changes are.

Event details spell the status in capitals (`IN_SERVICE`), the API in words (`InService`).
https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html#eventbridge-endpoint
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.sagemaker.fleets import Fleet, Traffic, VariantFleet
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.sagemaker.async_inference import AsyncBacklog

STATE_CHANGE = "SageMaker Endpoint State Change"
DEPLOYMENT_STATE_CHANGE = "SageMaker Endpoint Deployment State Change"
SERVING = {"InService", "Updating", "RollingBack", "SystemUpdating", "UpdateRollbackFailed"}
IN_PROGRESS = {"Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"}


class Endpoint:
    """One endpoint. `fleet` serves; `pending` is the fleet a deployment is bringing up or shifting traffic to."""

    def __init__(self, cloud: Cloud, name: str, arn: str, config_name: str, tags: Mapping[str, str]) -> None:
        self._cloud = cloud
        self._tags = tags
        self.name = name
        self.arn = arn
        self.created = self.modified = datetime.now(UTC)
        self.config_name = config_name
        self.status = "Creating"
        self.failure_reason: str | None = None
        self.fleet: Fleet | None = None
        self.pending: Fleet | None = None
        self.pending_since: datetime | None = None
        self.deployment_config: Document | None = None
        self.traffic = Traffic()
        self.backlog: AsyncBacklog | None = None
        """The queue of an endpoint for asynchronous inference, once it has been in service."""
        self.lock = threading.RLock()

    @property
    def serving(self) -> bool:
        return self.status in SERVING and self.fleet is not None

    def enter(self, status: str, reason: str | None = None) -> None:
        """Take a new status and announce it. `reason` replaces the FailureReason; None leaves none."""
        with self.lock:
            self.status = status
            self.failure_reason = reason[:1024] if reason else None
            self.modified = datetime.now(UTC)
        self.announce(STATE_CHANGE)

    def step(self, fleet: Fleet, status: str, message: str) -> None:
        """A deployment's secondary status, on every variant of a fleet."""
        with self.lock:
            for variant in fleet.variants:
                variant.status = {"Status": status, "StatusMessage": message, "StartTime": datetime.now(UTC)}
            self.modified = datetime.now(UTC)
        self.announce(DEPLOYMENT_STATE_CHANGE)

    def announce(self, detail_type: str) -> None:
        """Emit one of the two events about the endpoint as it is now."""
        with self.lock:
            detail: Document = {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.config_name,
                "ProductionVariants": self._variants(self.fleet),
                "EndpointStatus": re.sub(r"(?<!^)(?=[A-Z])", "_", self.status).upper(),
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "Tags": dict(self._tags),
            }
            if self.failure_reason:
                detail["FailureReason"] = self.failure_reason
            if detail_type == DEPLOYMENT_STATE_CHANGE and self.pending is not None:
                detail["PendingDeploymentSummary"] = self._pending_summary(self.pending)
        self._cloud.events.emit("aws.sagemaker", detail_type, _in_milliseconds(detail), [self.arn])

    def describe(self) -> Document:
        """DescribeEndpoint's answer."""
        with self.lock:
            answer: Document = {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.config_name,
                "EndpointStatus": self.status,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
            }
            if self.failure_reason:
                answer["FailureReason"] = self.failure_reason
            if self.deployment_config:
                answer["LastDeploymentConfig"] = self.deployment_config
            if self.fleet is not None:
                answer["ProductionVariants"] = self._variants(self.fleet)
                if self.fleet.shadow is not None:
                    answer["ShadowProductionVariants"] = [self.fleet.shadow.variant.report()]
                if self.fleet.capture is not None:
                    answer["DataCaptureConfig"] = self.fleet.capture.report()
                if self.fleet.config.async_inference:
                    answer["AsyncInferenceConfig"] = self.fleet.config.async_inference
            if self.pending is not None and self.fleet is not None:
                answer["PendingDeploymentSummary"] = self._pending_summary(self.pending)
            return answer

    def summary(self) -> Document:
        """What ListEndpoints says of it."""
        with self.lock:
            return {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "EndpointStatus": self.status,
            }

    def variant(self, name: str) -> VariantFleet | None:
        """A serving variant or a shadow by name."""
        with self.lock:
            variants = [*self.fleet.variants, *self.fleet.shadows] if self.fleet else []
            return next((variant for variant in variants if variant.name == name), None)

    @staticmethod
    def _variants(fleet: Fleet | None) -> list[Document]:
        return [variant.report() for variant in fleet.variants] if fleet else []

    def _pending_summary(self, pending: Fleet) -> Document:
        production, shadows = (
            [
                {**variant.report(), **({"InstanceType": variant.instance_type} if variant.instance_type else {})}
                for variant in variants
            ]
            for variants in (pending.variants, pending.shadows)
        )
        return {
            "EndpointConfigName": pending.config.name,
            "ProductionVariants": production,
            **({"ShadowProductionVariants": shadows} if shadows else {}),
            "StartTime": self.pending_since or self.modified,
        }


def _in_milliseconds(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Event details carry times as milliseconds since the epoch."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _in_milliseconds(member) for key, member in value.items()}
    return [_in_milliseconds(member) for member in value] if isinstance(value, list) else value
