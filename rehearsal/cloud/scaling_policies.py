"""Scaling policies: which there are, and the count each asks for.

Target tracking keeps two alarms of its own, which take three minutes above the target to scale out and fifteen below
nine tenths of it to scale in; step scaling acts when an alarm of the account names it as its action.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document

PREDEFINED_METRICS = ("SageMakerVariantInvocationsPerInstance",)
OUT_SECONDS = 180.0
IN_SECONDS = 900.0
IN_PART = 0.9


def check_policy(request: Document) -> None:
    """Refuse a PutScalingPolicy that AWS refuses, or that is not played. Raises AwsError."""
    kind = request.get("PolicyType", "StepScaling")
    if kind == "StepScaling":
        steps = request.get("StepScalingPolicyConfiguration")
        if steps is None or not steps.get("StepAdjustments"):
            raise AwsError("ValidationException", "A StepScalingPolicyConfiguration with StepAdjustments is required.")
        if steps.get("AdjustmentType") not in ("ChangeInCapacity", "ExactCapacity"):
            raise NotImplementedHere(f"Step scaling with AdjustmentType {steps.get('AdjustmentType')}")
        return
    if kind != "TargetTrackingScaling":
        raise NotImplementedHere(f"Scaling policies of type {kind}")
    tracking = request.get("TargetTrackingScalingPolicyConfiguration")
    if tracking is None:
        raise AwsError("ValidationException", "A TargetTrackingScalingPolicyConfiguration is required.")
    metric = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if metric is None and "CustomizedMetricSpecification" not in tracking:
        raise AwsError(
            "ValidationException",
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.",
        )
    if metric is not None and metric not in PREDEFINED_METRICS:
        raise AwsError("ValidationException", f"Unsupported predefined metric type for sagemaker variants: {metric}")


def tracked(policy: Document, instances: int, values: Sequence[tuple[float, float]], age: float) -> int:
    """The count a target tracking policy asks for, from (age, value) pairs of its metric: ages in AWS seconds.

    With no instance there is no value per instance, and it asks for nothing.
    """
    target = float(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])
    high = [value for old, value in values if old <= OUT_SECONDS]
    low = [value for old, value in values if old <= IN_SECONDS]
    if instances == 0 or not high:
        return instances
    wanted = math.ceil(instances * (math.fsum(high) / len(high)) / target)
    if age >= OUT_SECONDS and all(value > target for value in high):
        return max(wanted, instances)
    if age >= IN_SECONDS and all(value < target * IN_PART for value in low):
        return min(wanted, instances)
    return instances


def stepped(policy: Document, instances: int, beyond: float) -> int:
    """The count a step scaling policy asks for when its alarm's metric is so far beyond the threshold."""
    config = policy["StepScalingPolicyConfiguration"]
    for step in config["StepAdjustments"]:
        low = float(step.get("MetricIntervalLowerBound", -math.inf))
        high = float(step.get("MetricIntervalUpperBound", math.inf))
        if low <= beyond < high:
            by = int(step["ScalingAdjustment"])
            return by if config["AdjustmentType"] == "ExactCapacity" else max(instances + by, 0)
    return instances
