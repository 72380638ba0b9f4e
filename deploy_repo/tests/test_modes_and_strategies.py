"""What each mode and each strategy makes of the endpoint template."""

from typing import Any

import pytest

from .rendered import GOLDEN, MODES, Rendering, text_of


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_exactly_what_its_golden_file_says(mode: str) -> None:
    """A change that is meant: `python -m tests.rendered`, then read what changed."""
    assert text_of(mode) == (GOLDEN / f"{mode}.json").read_text(encoding="utf-8")


def test_a_project_s_key_and_network_are_the_model_s_the_volumes_and_the_captured_requests() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/ours"
    found = Rendering(KmsKeyArn=key, VpcSubnetIds="subnet-1,subnet-2", VpcSecurityGroupIds="sg-1").resources()
    assert found["Model"]["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert found["EndpointConfig"]["KmsKeyId"] == found["EndpointConfig"]["DataCaptureConfig"]["KmsKeyId"] == key
    without = Rendering().resources()
    assert "VpcConfig" not in without["Model"]
    assert "KmsKeyId" not in without["EndpointConfig"]


def deployment(**parameters: object) -> dict[str, Any]:
    found: dict[str, Any] = Rendering(**parameters).resources()["Endpoint"]["DeploymentConfig"]
    return found


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


@pytest.mark.parametrize(
    ("parameters", "routing"),
    [
        ({"TrafficRouting": "ALL_AT_ONCE"}, {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}),
        (
            {"TrafficRouting": "CANARY", "CanaryPercent": 20, "TrafficWaitSeconds": 240},
            {"Type": "CANARY", "WaitIntervalInSeconds": 240, "CanarySize": percent(20)},
        ),
        (
            {"TrafficRouting": "LINEAR", "LinearStepPercent": 30, "TrafficWaitSeconds": 180},
            {"Type": "LINEAR", "WaitIntervalInSeconds": 180, "LinearStepSize": percent(30)},
        ),
    ],
)
def test_a_blue_green_strategy_is_one_word_and_its_own_sizes(
    parameters: dict[str, object], routing: dict[str, Any]
) -> None:
    found = deployment(TerminationWaitSeconds=120, **parameters)
    assert found["BlueGreenUpdatePolicy"] == {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": 120,
        "MaximumExecutionTimeoutInSeconds": 14400,
    }
    assert "RollingUpdatePolicy" not in found


def test_rolling_is_a_policy_of_its_own() -> None:
    found = deployment(
        TrafficRouting="ROLLING", RollingBatchPercent=40, RollbackBatchPercent=50, TrafficWaitSeconds=200
    )
    assert found["RollingUpdatePolicy"] == {
        "MaximumBatchSize": percent(40),
        "RollbackMaximumBatchSize": percent(50),
        "WaitIntervalInSeconds": 200,
        "MaximumExecutionTimeoutInSeconds": 14400,
    }
    assert "BlueGreenUpdatePolicy" not in found


@pytest.mark.parametrize("routing", ["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"])
def test_every_strategy_is_watched_by_every_alarm(routing: str) -> None:
    found = deployment(TrafficRouting=routing, OwnAlarmMetricName="pay-share", ExistingAlarmName="mine")
    assert [alarm["AlarmName"] for alarm in found["AutoRollbackConfiguration"]["Alarms"]] == [
        "<ServerErrorsAlarm>",
        "<ModelLatencyAlarm>",
        "<OwnAlarm>",
        "mine",
    ]


def test_an_alarm_on_a_metric_of_your_own_watches_what_you_put_for_this_endpoint() -> None:
    alarm = Rendering(
        OwnAlarmMetricName="pay-share",
        OwnAlarmNamespace="Claims",
        OwnAlarmComparison="LessThanThreshold",
        OwnAlarmThreshold=0.4,
    ).resources()["OwnAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "Claims",
        "pay-share",
        "LessThanThreshold",
        0.4,
    )
    assert alarm["Dimensions"] == [{"Name": "EndpointName", "Value": "fraud-prod"}]


def test_without_a_metric_of_your_own_there_is_no_such_alarm() -> None:
    assert "OwnAlarm" not in Rendering().resources()
    assert len(deployment()["AutoRollbackConfiguration"]["Alarms"]) == 2


# ---- autoscaling


@pytest.mark.parametrize(
    ("parameters", "made"),
    [
        ({}, set()),
        ({"EndpointMaxInstanceCount": 2}, {"ScalableTarget", "ScalingPolicy"}),
        ({"AsyncLeastInstanceCount": 0, "EndpointInstanceCount": 1}, set()),
        (
            {"DeploymentMode": "async"},
            {"ScalableTarget", "BacklogPolicy", "WakingPolicy", "RequestsWaitAlarm"},
        ),
        ({"DeploymentMode": "async", "AsyncLeastInstanceCount": 1}, set()),
        ({"DeploymentMode": "serverless", "EndpointMaxInstanceCount": 2}, set()),
    ],
    ids=["fixed", "may grow", "not asynchronous", "asynchronous", "asynchronous and fixed", "serverless"],
)
def test_autoscaling_exists_only_where_the_fleet_may_change(parameters: dict[str, object], made: set[str]) -> None:
    of_scaling = {"ScalableTarget", "ScalingPolicy", "BacklogPolicy", "WakingPolicy", "RequestsWaitAlarm"}
    assert Rendering(**parameters).resources().keys() & of_scaling == made


# ---- async


ASYNC = {"DeploymentMode": "async", "EndpointInstanceCount": 2, "EndpointMaxInstanceCount": 4}


def test_an_asynchronous_endpoint_answers_and_fails_in_files_of_its_own_and_tells_the_project_s_topics() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/ours"
    config = Rendering(**ASYNC, AsyncMaxConcurrentInvocations=9, KmsKeyArn=key).resources()["EndpointConfig"]
    topics = "arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:sagemaker-fraud-p-abc123-async"
    assert config["AsyncInferenceConfig"] == {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 9},
        "OutputConfig": {
            "S3OutputPath": "s3://bucket/async/fraud-prod/output",
            "S3FailurePath": "s3://bucket/async/fraud-prod/failure",
            "KmsKeyId": key,
            "NotificationConfig": {"SuccessTopic": f"{topics}-success", "ErrorTopic": f"{topics}-error"},
        },
    }
    assert "DataCaptureConfig" not in config
    assert "AsyncInferenceConfig" not in Rendering().resources()["EndpointConfig"]


def test_an_asynchronous_endpoint_sleeps_without_requests_and_an_alarm_wakes_it() -> None:
    resources = Rendering(**ASYNC, AsyncBacklogPerInstanceTarget=7).resources()
    assert (resources["ScalableTarget"]["MinCapacity"], resources["ScalableTarget"]["MaxCapacity"]) == (0, 4)
    [variant] = resources["EndpointConfig"]["ProductionVariants"]
    assert variant["InitialInstanceCount"] == 2, "SageMaker makes no endpoint without an instance"
    tracking = resources["BacklogPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 7
    assert tracking["CustomizedMetricSpecification"]["MetricName"] == "ApproximateBacklogSizePerInstance"
    alarm = resources["RequestsWaitAlarm"]
    assert (alarm["MetricName"], alarm["AlarmActions"]) == ("HasBacklogWithoutCapacity", ["<WakingPolicy>"])
    for metric in (alarm, tracking["CustomizedMetricSpecification"]):
        assert metric["Dimensions"] == [{"Name": "EndpointName", "Value": "fraud-prod"}]


@pytest.mark.parametrize("routing", ["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"])
def test_an_asynchronous_endpoint_has_every_strategy_and_the_alarms_of_a_real_time_one(routing: str) -> None:
    asynchronous = deployment(**ASYNC, TrafficRouting=routing)
    assert asynchronous == deployment(TrafficRouting=routing)
    assert len(asynchronous["AutoRollbackConfiguration"]["Alarms"]) == 2


def test_a_deployment_wakes_an_asynchronous_endpoint_because_it_brings_the_configured_count() -> None:
    for parameters in (ASYNC, {**ASYNC, "AsyncLeastInstanceCount": 4}):
        endpoint = Rendering(**parameters).resources()["Endpoint"]
        assert {"VariantPropertyType": "DesiredInstanceCount"} in endpoint["ExcludeRetainedVariantProperties"]


# ---- serverless


SERVERLESS = {"DeploymentMode": "serverless", "EnableNetworkIsolation": "false"}


def test_serverless_has_memory_and_concurrency_instead_of_instances() -> None:
    [variant] = Rendering(**SERVERLESS).resources()["EndpointConfig"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert not {"InstanceType", "InitialInstanceCount"} & variant.keys()


@pytest.mark.parametrize(
    "parameters", [{}, {"EndpointMaxInstanceCount": 9, "OwnAlarmMetricName": "mine", "EnableDataCapture": "true"}]
)
def test_serverless_has_nothing_that_sagemaker_has_for_instances_only(parameters: dict[str, object]) -> None:
    resources = Rendering(**SERVERLESS, **parameters).resources()
    assert resources.keys() == {"Model", "EndpointConfig", "Endpoint"}
    assert "DeploymentConfig" not in resources["Endpoint"]
    assert "DataCaptureConfig" not in resources["EndpointConfig"]
    assert resources["Model"]["EnableNetworkIsolation"] == "false"
    assert Rendering(**SERVERLESS, **parameters).outputs().keys() == {"EndpointName", "EndpointArn", "ModelPackageName"}
