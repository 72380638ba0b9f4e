"""What a DeploymentConfig means for a fleet of so many instances: the steps in which traffic moves, and back.

A step turns traffic on for a number of new instances and off for as many old ones. Percentages are rounded up to whole
instances, but never above half of the fleet: which way AWS rounds is undocumented, that half is the most is not.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-rolling.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RollingUpdatePolicy.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

PERCENT = {
    "CanarySize": (1, 50),
    "LinearStepSize": (10, 50),
    "MaximumBatchSize": (5, 50),
    "RollbackMaximumBatchSize": (5, 100),
}
"""The shares of a fleet that each size may be."""
SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
WAIT = "WaitIntervalInSeconds"
TERMINATION_WAIT = "TerminationWaitInSeconds"
ROLLING = "ROLLING"
"""How this module calls a RollingUpdatePolicy, beside the types of a TrafficRoutingConfiguration."""


@dataclass(frozen=True)
class Step:
    """Traffic for `instances` of the new fleet, then a wait in AWS seconds during which alarms are watched."""

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
    back: int
    """How many old instances a rollback brings back at a time."""


def plan(config: Document | None, instances: int, *, variants: int = 1) -> Plan:
    """The steps a DeploymentConfig means for a new fleet of `instances`. Raises AwsError for what AWS refuses.

    Without a config traffic moves all at once and nothing is watched.
    """
    config = config or {}
    alarms = tuple(alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    if "RollingUpdatePolicy" in config:
        if "BlueGreenUpdatePolicy" in config:
            raise AwsError(
                "ValidationException", "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified."
            )
        return _rolling(config["RollingUpdatePolicy"], instances, alarms, variants)
    return _blue_green(config.get("BlueGreenUpdatePolicy", {}), instances, alarms)


def _rolling(policy: Document, instances: int, alarms: tuple[str, ...], variants: int) -> Plan:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html"""
    if variants > 1:
        raise AwsError(
            "ValidationException", "Rolling deployments are not supported for multi-variant inference endpoints."
        )
    batch = _instances(policy["MaximumBatchSize"], instances, "MaximumBatchSize")
    back = instances
    if "RollbackMaximumBatchSize" in policy:
        back = _instances(policy["RollbackMaximumBatchSize"], instances, "RollbackMaximumBatchSize")
    wait = float(policy[WAIT])
    steps = tuple(Step(end, wait, WAIT) for end in [*range(batch, instances, batch), instances])
    _check_time(policy, steps)
    return Plan(ROLLING, steps, alarms, back)


def _blue_green(policy: Document, instances: int, alarms: tuple[str, ...]) -> Plan:
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", WAIT: 0})
    wait = float(routing[WAIT])
    last = Step(instances, float(policy.get(TERMINATION_WAIT, 0)), TERMINATION_WAIT)
    kind: str = routing["Type"]
    for other, member in SIZES.items():
        if other != kind and member in routing:
            raise AwsError("ValidationException", f"{member} can only be specified for traffic routing type {other}.")
    steps = [last]
    if kind in SIZES:
        size = routing.get(SIZES[kind])
        if size is None:
            raise AwsError("ValidationException", f"{SIZES[kind]} must be specified for traffic routing type {kind}.")
        batch = _instances(size, instances, SIZES[kind])
        ends = [batch] if kind == "CANARY" else list(range(batch, instances, batch))
        steps = [*(Step(end, wait, WAIT) for end in ends), last]
    _check_time(policy, steps)
    return Plan(kind, tuple(steps), alarms, instances)


def _check_time(policy: Document, steps: tuple[Step, ...] | list[Step]) -> None:
    if sum(step.wait for step in steps) > float(policy.get("MaximumExecutionTimeoutInSeconds", math.inf)):
        raise AwsError(
            "ValidationException",
            "MaximumExecutionTimeoutInSeconds must be larger than the total wait time of the deployment.",
        )


def _instances(size: Document, instances: int, member: str) -> int:
    """How many instances a CapacitySize is; https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CapacitySize.html"""
    value = int(size["Value"])
    low, high = PERCENT[member]
    most = instances * high // 100
    if size["Type"] == "CAPACITY_PERCENT":
        if not low <= value <= high:
            raise AwsError("ValidationException", f"{member} must be between {low} and {high} percent, not {value}.")
        value = min(math.ceil(instances * value / 100), max(most, 1))
    if value > most:
        raise AwsError(
            "ValidationException",
            f"{member} must be less than or equal to {high}% of the variant's total instance count: {value} of "
            f"{instances} instance(s) is more. A fleet must have at least 2 instances for its traffic to be shifted in "
            "steps.",
        )
    return value
