"""Deployment guardrails: from the blue fleet to the green one in configured steps, and back when an alarm trips.

A step turns traffic on for a number of green instances and off for as many blue ones; the share of requests that go to
green is green's part of all instances in traffic. So a canary of 10 % of two instances is one instance: half of the
traffic. Waits pass at the clock's speed; requests do not notice any of it.

The execution role of the new model watches the alarms (cloudwatch:DescribeAlarms).
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.faults import ENDPOINT_KILLED
from rehearsal.cloud.sagemaker.alarms import EndpointAlarms
from rehearsal.cloud.sagemaker.endpoint_state import DEPLOYMENT_STATE_CHANGE, Endpoint
from rehearsal.cloud.sagemaker.fleets import Fleet
from rehearsal.cloud.sagemaker.model_server import FleetFailedError
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""Real seconds between two looks at the alarms while baking."""
MOST_CANARY_PERCENT = 50
LINEAR_PERCENT = (10, 50)


class RolledBackError(Exception):
    """The deployment did not go through; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Step:
    """Traffic for `instances` of the green fleet, then a wait in AWS seconds during which alarms are watched."""

    instances: int
    wait: float
    why: str
    """The parameter that sets the wait, as AWS's status messages name it."""


@dataclass(frozen=True)
class Plan:
    """The steps of one deployment; the last one turns all instances on."""

    kind: str
    steps: tuple[Step, ...]
    alarms: tuple[str, ...]


def plan(config: Document | None, instances: int) -> Plan:
    """The steps a DeploymentConfig means for a green fleet of `instances`. Raises AwsError for what AWS refuses.

    Without a config traffic moves all at once and nothing is watched.
    """
    config = config or {}
    if "RollingUpdatePolicy" in config:
        raise NotImplementedHere("RollingUpdatePolicy of a deployment")
    alarms = tuple(alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    policy = config.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})
    wait = float(routing["WaitIntervalInSeconds"])
    last = Step(instances, float(policy.get("TerminationWaitInSeconds", 0)), "TerminationWaitInSeconds")
    kind: str = routing["Type"]
    sizes = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
    for other, member in sizes.items():
        if other != kind and member in routing:
            raise AwsError("ValidationException", f"{member} can only be specified for traffic routing type {other}.")
    steps = [last]
    if kind in sizes:
        size = routing.get(sizes[kind])
        if size is None:
            raise AwsError("ValidationException", f"{sizes[kind]} must be specified for traffic routing type {kind}.")
        batch = _instances(size, instances, sizes[kind])
        ends = [batch] if kind == "CANARY" else list(range(batch, instances, batch))
        steps = [*(Step(end, wait, "WaitIntervalInSeconds") for end in ends), last]
    longest = float(policy.get("MaximumExecutionTimeoutInSeconds", math.inf))
    if sum(step.wait for step in steps) > longest:
        raise AwsError(
            "ValidationException",
            "MaximumExecutionTimeoutInSeconds must be larger than the total wait time of the deployment.",
        )
    return Plan(kind, tuple(steps), alarms)


def _instances(size: Document, instances: int, member: str) -> int:
    """How many instances a CapacitySize is; https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CapacitySize.html"""
    value = int(size["Value"])
    if size["Type"] == "CAPACITY_PERCENT":
        low, high = (1, MOST_CANARY_PERCENT) if member == "CanarySize" else LINEAR_PERCENT
        if not low <= value <= high:
            raise AwsError("ValidationException", f"{member} must be between {low} and {high} percent, not {value}.")
        value = math.ceil(instances * value / 100)
    if value * 2 > instances:
        raise AwsError(
            "ValidationException",
            f"{member} must be less than or equal to 50% of the variant's total instance count: {value} of {instances} "
            "instance(s) is more. A fleet must have at least 2 instances for its traffic to be shifted in steps.",
        )
    return value


class Deployment:
    """One UpdateEndpoint under way."""

    def __init__(self, cloud: Cloud, endpoint: Endpoint, green: Fleet, steps: Plan, alarms: EndpointAlarms) -> None:
        self._cloud = cloud
        self._endpoint = endpoint
        self._green = green
        self._plan = steps
        self._alarms = alarms

    def run(self) -> None:
        """Deploy; afterwards the endpoint is InService with the new configuration or, after a rollback, the old one."""
        endpoint, green = self._endpoint, self._green
        blue = endpoint.fleet
        if blue is None:
            raise RuntimeError(f"{endpoint.name} has no fleet to update")
        endpoint.enter("Updating")
        with endpoint.lock:
            endpoint.pending, endpoint.pending_since = green, datetime.now(UTC)
        try:
            self._bring_up()
            self._shift(blue)
        except (FleetFailedError, RolledBackError) as problem:
            self._go_back(blue, str(problem))
        except AwsError as problem:
            self._go_back(blue, problem.message)
        except Exception as problem:  # whatever breaks, blue goes on serving
            log.exception("the deployment of %s broke", endpoint.name)
            self._go_back(blue, f"Internal failure of the rehearsal's cloud: {problem!r}")
        else:
            self._settle(blue)

    def _bring_up(self) -> None:
        self._endpoint.step(self._green, "Creating", f"Launching {self._green.instances} instance(s).")
        self._green.start()

    def _shift(self, blue: Fleet) -> None:
        for step in self._plan.steps:
            share = step.instances / self._green.instances
            last = step is self._plan.steps[-1]
            capacity = "full" if last else "canary" if self._plan.kind == "CANARY" else "partial"
            on = f"{capacity} capacity of {step.instances} instance(s)"
            with self._endpoint.lock:
                self._turn_on(step.instances)
            self._endpoint.step(self._green, "ActivatingTraffic", f"Activating traffic on {on}.")
            self._endpoint.traffic.shift([(share, self._green), (1 - share, blue)])
            if step.wait > 0:
                message = f"Baking for {step.wait:.0f} seconds ({step.why}) with traffic enabled on {on}."
                self._endpoint.step(self._green, "Baking", message)
                if not last and self._cloud.faults.strikes(ENDPOINT_KILLED, self._endpoint.name):
                    self._green.kill()
                self._bake(step.wait)

    def _turn_on(self, instances: int) -> None:
        left = instances
        for variant in self._green.variants:
            variant.active_instances = min(variant.instances, left)
            left -= variant.active_instances

    def _bake(self, aws_seconds: float) -> None:
        """Wait, watching the alarms. Raises RolledBackError when one is in ALARM."""
        end = time.monotonic() + self._cloud.clock.real_seconds(aws_seconds)
        while True:
            left = end - time.monotonic()
            self._cloud.stopping.wait(max(0.0, min(LOOK_SECONDS, left)))
            if self._cloud.stopping.is_set():
                raise RolledBackError("The cloud was stopped during the deployment.")
            self._look_at_alarms(self._plan.alarms)
            if left <= LOOK_SECONDS:
                return

    def _look_at_alarms(self, names: Sequence[str]) -> None:
        if not names:
            return
        role = self._green.variants[0].server.role
        tripped = self._alarms.tripped(names, role)
        if tripped:
            raise RolledBackError(
                "Deployment rolled back: one or more of the auto-rollback alarms went into ALARM state during the "
                f"baking period: {', '.join(sorted(tripped))}."
            )

    def _settle(self, blue: Fleet) -> None:
        """Green is the endpoint now; blue ends after its last request."""
        endpoint, green = self._endpoint, self._green
        for variant in blue.variants:
            variant.status = {
                "Status": "Deleting",
                "StatusMessage": f"Terminating {variant.instances} instance(s).",
                "StartTime": datetime.now(UTC),
            }
        endpoint.announce(DEPLOYMENT_STATE_CHANGE)
        blue.stop()
        with endpoint.lock:
            for variant in green.variants:
                variant.status = None
            endpoint.fleet, endpoint.config_name = green, green.config.name
            endpoint.pending = endpoint.pending_since = None
        endpoint.enter("InService")

    def _go_back(self, blue: Fleet, reason: str) -> None:
        """All traffic to blue, green ended, the endpoint in service as it was."""
        endpoint, green = self._endpoint, self._green
        endpoint.traffic.shift([(1.0, blue)])
        if self._cloud.stopping.is_set():
            return
        endpoint.enter("RollingBack", reason)
        endpoint.step(green, "Deleting", f"Terminating {green.instances} instance(s).")
        green.stop()
        with endpoint.lock:
            endpoint.pending = endpoint.pending_since = None
        endpoint.enter("InService", reason)
