"""Alarms on endpoint metrics, at the cloud's clock.

The base evaluates an alarm when a metric is put, over real seconds and without looking at dimensions: a period of
60 seconds would outlast a whole rehearsal, and one endpoint's errors would trip another's alarm. So alarms of the
namespace AWS/SageMaker are evaluated here: over the points that endpoints measured themselves, exactly the alarm's
dimensions, with its period divided by the clock's speed. A changed state is set in the base (SetAlarmState), where
everybody sees it and from where its actions fire. All other alarms are the base's.

A state that somebody sets by hand stays until this evaluation comes to another result than it had before; on AWS it
would last until the next evaluation.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import logging
import math
import operator
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.endpoint_metrics import NAMESPACE, EndpointMetrics
from rehearsal.cloud.service import Credentials, Document
from rehearsal.cloud.service_calls import SAGEMAKER_ENDPOINT_ALARMS

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

EVALUATION_SECONDS = 0.5
"""Real seconds between evaluations, and the shortest period a sped-up alarm can have."""
PERCENTILE = re.compile(r"^p(\d{1,2}(?:\.\d+)?|100)$")
BY_THE_BASE = re.compile(r"^Threshold Crossed: \S+ \S+ (Greater|Less)")
"""How the base words a state of its own evaluation; ours is worded as CloudWatch's."""
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


def statistic(values: Sequence[float], name: str) -> float:
    """One of CloudWatch's statistics of the values of a period (percentiles interpolate linearly)."""
    simple: dict[str, Callable[[Sequence[float]], float]] = {
        "Sum": math.fsum,
        "Average": lambda numbers: math.fsum(numbers) / len(numbers),
        "Minimum": min,
        "Maximum": max,
        "SampleCount": len,
    }
    if name in simple:
        return float(simple[name](values))
    found = PERCENTILE.match(name)
    if found is None:
        raise NotImplementedHere(f"The statistic {name} of an alarm on {NAMESPACE} metrics")
    ordered = sorted(values)
    place = (len(ordered) - 1) * float(found[1]) / 100
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def evaluate(alarm: Document, periods: Sequence[Sequence[float]]) -> tuple[str | None, str]:
    """The state of an alarm and CloudWatch's reason, from the values of its last periods, newest first.

    None for "stay as you are" (TreatMissingData `ignore` without enough data).
    """
    compare, words = COMPARISONS[alarm["ComparisonOperator"]]
    name = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    threshold = float(alarm["Threshold"])
    missing = alarm.get("TreatMissingData") or "missing"
    needed = int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"])
    values = [statistic(period, name) for period in periods if period]
    breaching = [value for value in values if compare(value, threshold)]
    absent = len(periods) - len(values)
    if len(breaching) + (absent if missing == "breaching" else 0) >= needed:
        shown = ", ".join(str(round(value, 3)) for value in breaching) or "no datapoints were received"
        many = "datapoint" if len(breaching) == 1 else "datapoints"
        verb = "was" if len(breaching) == 1 else "were"
        return (
            "ALARM",
            f"Threshold Crossed: {len(breaching)} {many} [{shown}] {verb} {words} the threshold ({threshold}).",
        )
    if values or missing in ("notBreaching", "breaching"):
        shown = ", ".join(str(round(value, 3)) for value in values) or "no datapoints were received"
        return (
            "OK",
            f"Threshold Crossed: {len(values)} datapoints [{shown}] were not {words} the threshold ({threshold}).",
        )
    if missing == "ignore":
        return None, ""
    return "INSUFFICIENT_DATA", f"Insufficient Data: {len(periods)} datapoints were unknown."


class EndpointAlarms:
    """Evaluates alarms on endpoint metrics, and tells deployments whether one of theirs is in ALARM."""

    def __init__(self, cloud: Cloud, metrics: EndpointMetrics) -> None:
        self._cloud = cloud
        self._metrics = metrics
        self._results: dict[str, str] = {}
        self._evaluated: dict[str, float] = {}
        """When each alarm was evaluated last, as `time.time()`."""
        self._evaluating = threading.Lock()
        self._started = False

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """CloudWatch itself evaluates alarms; no role of the account is asked."""
        return self._cloud.client("cloudwatch", self._cloud.identity.root)

    def start(self) -> None:
        """Evaluate from now on, until the cloud stops. Once; called with the first endpoint."""
        with self._evaluating:
            if self._started:
                return
            self._started = True
        self._cloud.background("alarms on endpoints", self._evaluate_often)

    def _evaluate_often(self) -> None:
        while not self._cloud.stopping.wait(EVALUATION_SECONDS):
            try:
                self.evaluate_now()
            except (ClientError, BotoCoreError, AwsError) as problem:
                if not self._cloud.stopping.is_set():
                    log.warning("alarms were not evaluated: %s", problem)

    def evaluate_now(self) -> None:
        """Put the metrics that wait and bring every alarm on endpoint metrics up to date."""
        self._metrics.put()
        with self._evaluating:
            for answer in self._client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"]):
                for alarm in answer["MetricAlarms"]:
                    if alarm.get("Namespace") == NAMESPACE and _evaluable(alarm) is None:
                        self._bring_up_to_date(alarm)

    def _bring_up_to_date(self, alarm: Document) -> None:
        name = alarm["AlarmName"]
        state, reason = evaluate(alarm, self._periods(alarm))
        if state is None:
            return
        changed = self._results.get(name) != state
        self._results[name] = state
        overridden = bool(BY_THE_BASE.match(alarm.get("StateReason", "")))
        if (changed or overridden) and state != alarm["StateValue"]:
            self._client.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)

    def _periods(self, alarm: Document) -> list[list[float]]:
        """The values of the alarm's last periods, newest first. The newest one reaches back to the evaluation before:
        a short period on a busy machine would else lose what was measured between two evaluations."""
        length = max(self._cloud.clock.real_seconds(float(alarm["Period"])), EVALUATION_SECONDS)
        count = int(alarm["EvaluationPeriods"])
        now = time.time()
        late = max(0.0, now - self._evaluated.get(alarm["AlarmName"], now) - length)
        self._evaluated[alarm["AlarmName"]] = now
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}
        periods: list[list[float]] = [[] for _ in range(count)]
        for point in self._metrics.points(alarm["MetricName"], dimensions, now - late - length * count):
            age = max(0.0, now - late - point.time)
            periods[min(int(age / length), count - 1)].append(point.value)
        return periods

    # ---- for deployments

    def check(self, names: Sequence[str], role: Credentials) -> None:
        """Whether a deployment can watch these alarms as the execution role. Raises AwsError saying what is wrong."""
        found = self._described(names, role)
        for name in names:
            if name not in found:
                raise AwsError("ValidationException", f"Could not find the auto-rollback alarm {name} in CloudWatch.")
            problem = _evaluable(found[name]) if found[name].get("Namespace") == NAMESPACE else None
            if problem:
                raise NotImplementedHere(f"{problem} of the auto-rollback alarm {name}")

    def tripped(self, names: Sequence[str], role: Credentials) -> list[str]:
        """Those of the alarms that are in ALARM now, as the execution role sees them."""
        self.evaluate_now()
        tripped = []
        for name, alarm in self._described(names, role).items():
            state = alarm["StateValue"]
            if BY_THE_BASE.match(alarm.get("StateReason", "")) and alarm.get("Namespace") == NAMESPACE:
                state = self._results.get(name, state)
            if state == "ALARM":
                tripped.append(name)
        return tripped

    def _described(self, names: Sequence[str], role: Credentials) -> dict[str, Document]:
        """The alarms as they are now. Authorised for the role alarm by alarm, as AWS does; the base knows `*` only."""
        for name in names:
            arn = f"arn:aws:cloudwatch:{self._cloud.region}:{self._cloud.account}:alarm:{name}"
            try:
                self._cloud.identity.require_service_calls(role, SAGEMAKER_ENDPOINT_ALARMS, arn)
            except AccessDenied as problem:
                raise AwsError(
                    "ValidationException",
                    "The execution role of the model does not have permission to perform cloudwatch:DescribeAlarms on "
                    f"the auto-rollback alarms: {problem.message}",
                ) from problem
        answer = self._client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        return {alarm["AlarmName"]: alarm for alarm in alarms}


def _evaluable(alarm: Document) -> str | None:
    """What of an alarm on endpoint metrics cannot be evaluated here, or None."""
    if alarm.get("Metrics"):
        return "metric math"
    if alarm.get("ComparisonOperator") not in COMPARISONS:
        return f"the comparison {alarm.get('ComparisonOperator')}"
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "")
    if name not in ("Sum", "Average", "Minimum", "Maximum", "SampleCount") and not PERCENTILE.match(name):
        return f"the statistic {name}"
    return None
