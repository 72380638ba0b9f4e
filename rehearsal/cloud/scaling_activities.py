"""What Application Auto Scaling does by itself: an asynchronous endpoint's instances follow the length of its queue.

Only those do. Load on this machine says nothing about load on AWS, but a queue is as long here as it would be there.
Everything passes at the clock's speed, cooldowns too.
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.endpoint_metrics import NAMESPACE
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.scaling_policies import IN_SECONDS, stepped, tracked
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Real seconds between two looks."""
COOLDOWN = 300.0
"""AWS seconds, where a policy does not say."""


@dataclass
class Scaling:
    """One variant's policies, and when its count changed last, on the monotonic clock."""

    began: float = field(default_factory=time.monotonic)
    changed: float = -math.inf
    activities: list[Document] = field(default_factory=list)


class ScalingActivities:
    """Looks at the policies of one variant's target, and changes its count."""

    def __init__(self, cloud: Cloud, endpoints: Endpoints) -> None:
        self._cloud = cloud
        self._endpoints = endpoints
        self._cloudwatch: Any = None

    @property
    def clock(self) -> Clock:
        return self._cloud.clock

    def look(self, target: Document, policies: Sequence[Document], scaling: Scaling) -> None:
        """Change the count where the policies ask for it."""
        _, endpoint_name, _, variant_name = str(target["ResourceId"]).split("/")
        try:
            endpoint = self._endpoints.endpoint(endpoint_name)
        except AwsError:
            return
        variant = endpoint.variant(variant_name)
        if endpoint.status != "InService" or endpoint.backlog is None or variant is None:
            return
        now = variant.instances
        asked = [(self._asked(policy, now, scaling), policy) for policy in policies]
        least, most = int(target["MinCapacity"]), int(target["MaxCapacity"])
        # The policy that asks for most wins; one that asks for nothing does not hold the others back from zero.
        changes = [(count, policy) for count, policy in asked if count != now]
        if not changes:
            return
        count, policy = max(changes, key=lambda change: change[0])
        wanted = min(max(count, least), most)
        if wanted == now or not self._cooled(policy, scaling, out=wanted > now):
            return
        change = {"VariantName": variant_name, "DesiredInstanceCount": wanted}
        request = {"EndpointName": endpoint.name, "DesiredWeightsAndCapacities": [change]}
        try:
            root = self._cloud.identity.root  # AWS acts as its service-linked role
            self._cloud.call(root, "sagemaker", "UpdateEndpointWeightsAndCapacities", request)
        except AwsError as problem:
            log.warning("%s was not scaled: %s", endpoint.name, problem)
            return
        scaling.changed = time.monotonic()
        scaling.activities.insert(0, _activity(target, policy, now, wanted, self.clock))

    def _asked(self, policy: Document, instances: int, scaling: Scaling) -> int:
        if policy["PolicyType"] == "StepScaling":
            return self._stepped(policy, instances)
        metric = policy["TargetTrackingScalingPolicyConfiguration"].get("CustomizedMetricSpecification")
        if metric is None or metric.get("Namespace") != NAMESPACE:
            return instances
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
        now = time.time()
        since = now - self.clock.real_seconds(IN_SECONDS)
        points = self._endpoints.metrics.points(metric["MetricName"], dimensions, since)
        values = [((now - point.time) * self.clock.speed, point.value) for point in points]
        began = max(scaling.began, scaling.changed)
        return tracked(policy, instances, values, (time.monotonic() - began) * self.clock.speed)

    def _stepped(self, policy: Document, instances: int) -> int:
        if self._cloudwatch is None:
            self._cloudwatch = self._cloud.client("cloudwatch", self._cloud.identity.root)
        counts = []
        for answer in self._cloudwatch.get_paginator("describe_alarms").paginate(StateValue="ALARM"):
            for alarm in answer["MetricAlarms"]:
                if policy["PolicyARN"] in alarm.get("AlarmActions", []):
                    counts.append(stepped(policy, instances, self._beyond(alarm)))
        return max(counts, default=instances)

    def _beyond(self, alarm: Document) -> float:
        """How far the newest value of an alarm's metric is from its threshold."""
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        since = time.time() - self.clock.real_seconds(float(alarm["Period"]) * int(alarm["EvaluationPeriods"])) - 1
        points = self._endpoints.metrics.points(alarm["MetricName"], dimensions, since)
        return points[0].value - float(alarm["Threshold"]) if points else 0.0

    def _cooled(self, policy: Document, scaling: Scaling, *, out: bool) -> bool:
        if policy["PolicyType"] == "StepScaling":
            cooldown = float(policy["StepScalingPolicyConfiguration"].get("Cooldown", COOLDOWN))
        else:
            config = policy["TargetTrackingScalingPolicyConfiguration"]
            cooldown = float(config.get("ScaleOutCooldown" if out else "ScaleInCooldown", COOLDOWN))
        return time.monotonic() - scaling.changed >= self.clock.real_seconds(cooldown)


def _activity(target: Document, policy: Document, before: int, after: int, clock: Clock) -> Document:
    return {
        "ActivityId": str(uuid4()),
        "ServiceNamespace": target["ServiceNamespace"],
        "ResourceId": target["ResourceId"],
        "ScalableDimension": target["ScalableDimension"],
        "Description": f"Setting desired instance count to {after}.",
        "Cause": f"policy {policy['PolicyName']} asked for another count than {before}",
        "StartTime": clock.now(),
        "StatusCode": "Successful",
    }
