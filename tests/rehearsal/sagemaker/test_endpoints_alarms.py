"""Alarms on endpoint metrics, evaluated at the cloud's clock."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.alarms import evaluate, statistic
from rehearsal.cloud.sagemaker.deployment_plan import plan
from rehearsal.cloud.sagemaker.endpoint_metrics import Point


def alarm(**more: Any) -> dict[str, Any]:
    return {
        "AlarmName": "errors",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 2.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        **more,
    }


@pytest.mark.parametrize(
    ("definition", "periods", "state"),
    [
        (alarm(), [[1.0, 1.0]], "ALARM"),
        (alarm(), [[1.0, 0.0]], "OK"),
        (alarm(), [[]], "INSUFFICIENT_DATA"),
        (alarm(TreatMissingData="notBreaching"), [[]], "OK"),
        (alarm(TreatMissingData="breaching"), [[]], "ALARM"),
        (alarm(TreatMissingData="ignore"), [[]], None),
        (alarm(EvaluationPeriods=3), [[5.0], [5.0], [0.0]], "OK"),
        (alarm(EvaluationPeriods=3, DatapointsToAlarm=2), [[5.0], [5.0], [0.0]], "ALARM"),
        (alarm(Statistic="Average", ComparisonOperator="LessThanThreshold"), [[1.0, 2.0]], "ALARM"),
        (alarm(Statistic=None, ExtendedStatistic="p95", Threshold=90.0), [[float(n) for n in range(101)]], "ALARM"),
    ],
)
def test_an_alarm_is_evaluated_as_cloudwatch_would(
    definition: dict[str, Any], periods: list[list[float]], state: str | None
) -> None:
    assert evaluate(definition, periods)[0] == state


def test_the_reason_of_an_alarm_is_in_cloudwatchs_words() -> None:
    assert evaluate(alarm(), [[3.0]])[1] == (
        "Threshold Crossed: 1 datapoint [3.0] was greater than or equal to the threshold (2.0)."
    )


def test_percentiles_interpolate() -> None:
    assert statistic([1.0, 2.0, 3.0, 4.0], "p50") == 2.5


def test_a_statistic_nobody_plays_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedHere, match="tm95"):
        statistic([1.0], "tm95")


def test_a_metric_is_found_by_all_of_its_dimensions_only() -> None:
    point = Point(0.0, "claims", "AllTraffic", "first", "Invocations", 1.0)
    assert point.matches("Invocations", {"EndpointName": "claims", "VariantName": "AllTraffic"})
    assert not point.matches("Invocations", {"EndpointName": "claims"})
    assert not point.matches("Invocations", {"EndpointName": "other", "VariantName": "AllTraffic"})


def test_a_fleet_has_metrics_of_its_own_told_apart_by_its_configuration() -> None:
    point = Point(0.0, "claims", "AllTraffic", "second", "Invocations", 1.0)
    variant = {"EndpointName": "claims", "VariantName": "AllTraffic"}
    assert point.matches("Invocations", {**variant, "EndpointConfigName": "second"})
    assert not point.matches("Invocations", {**variant, "EndpointConfigName": "first"})
    assert not point.matches("Invocations", {"EndpointName": "claims", "EndpointConfigName": "second"})


# ---- what a deployment config means


def config(routing: dict[str, Any], **policy: Any) -> dict[str, Any]:
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **policy}}


def test_a_canary_is_rounded_up_to_whole_instances() -> None:
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 300, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}
    steps = plan(config(routing, TerminationWaitInSeconds=120), instances=2).steps
    assert [(step.instances, step.wait, step.why) for step in steps] == [
        (1, 300.0, "WaitIntervalInSeconds"),
        (2, 120.0, "TerminationWaitInSeconds"),
    ]


def test_linear_steps_end_with_the_whole_fleet() -> None:
    size = {"Type": "CAPACITY_PERCENT", "Value": 25}
    routing = {"Type": "LINEAR", "WaitIntervalInSeconds": 60, "LinearStepSize": size}
    assert [step.instances for step in plan(config(routing), instances=6).steps] == [2, 4, 6]


def test_waits_longer_than_the_execution_may_take_are_refused() -> None:
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 3600, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}
    with pytest.raises(AwsError, match="MaximumExecutionTimeoutInSeconds"):
        plan(config(routing, MaximumExecutionTimeoutInSeconds=600), instances=2)


# ---- rolling deployments


def rolling(batch: int, back: int | None = None, kind: str = "CAPACITY_PERCENT", wait: int = 60) -> dict[str, Any]:
    policy: dict[str, Any] = {"MaximumBatchSize": {"Type": kind, "Value": batch}, "WaitIntervalInSeconds": wait}
    if back is not None:
        policy["RollbackMaximumBatchSize"] = {"Type": kind, "Value": back}
    return {"RollingUpdatePolicy": policy}


def test_a_rolling_deployment_bakes_every_batch_the_last_one_too() -> None:
    found = plan(rolling(25), instances=4)
    assert [(step.instances, step.wait) for step in found.steps] == [(1, 60), (2, 60), (3, 60), (4, 60)]
    assert found.back == 4, "without a size of its own a rollback brings everything back at once"


def test_a_rollback_of_a_rolling_deployment_goes_in_batches_of_its_own() -> None:
    assert plan(rolling(50, back=25), instances=4).back == 1
    assert plan(rolling(50, back=100), instances=4).back == 4


@pytest.mark.parametrize("instances", [2, 3, 4, 5])
def test_half_of_any_fleet_is_a_size_even_where_instances_cannot_be_halved(instances: int) -> None:
    assert plan(rolling(50), instances).steps[0].instances == instances // 2


@pytest.mark.parametrize(
    ("given", "how", "message"),
    [
        (rolling(4), {}, "MaximumBatchSize must be between 5 and 50 percent, not 4"),
        (rolling(51), {}, "MaximumBatchSize must be between 5 and 50 percent, not 51"),
        (rolling(50), {"instances": 1}, "at least 2 instances"),
        (rolling(3, kind="INSTANCE_COUNT"), {"instances": 4}, "3 of 4 instance"),
        (rolling(50), {"variants": 2}, "multi-variant"),
        ({**rolling(50), **config({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})}, {}, "Only one of"),
    ],
)
def test_a_rolling_deployment_that_aws_refuses_is_refused(
    given: dict[str, Any], how: dict[str, Any], message: str
) -> None:
    with pytest.raises(AwsError, match=message):
        plan(given, **{"instances": 4, **how})
