"""Updating an endpoint shifts real traffic between two real servers, and an alarm brings it back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.caller import Client
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime])).set()


def canary(
    wait: int = 120, termination: int = 60, percent: int = 50, alarms: list[str] | None = None
) -> dict[str, Any]:
    routing = {
        "Type": "CANARY",
        "WaitIntervalInSeconds": wait,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": percent},
    }
    return deployment(routing, termination, alarms)


def deployment(routing: dict[str, Any], termination: int = 0, alarms: list[str] | None = None) -> dict[str, Any]:
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"BlueGreenUpdatePolicy": policy, **rollback}


def errors_alarm(stage: Stage, endpoint: str, config: str | None = None, **more: Any) -> str:
    """An alarm on the errors of an endpoint or, with `config`, on those of one of its fleets."""
    dimensions = {"EndpointName": endpoint, "VariantName": "AllTraffic"}
    if config is not None:
        dimensions["EndpointConfigName"] = config
    name = f"errors-of-{endpoint}-{uuid4().hex[:4]}"
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        **more,
    )
    return name


def update(stage: Stage, endpoint: str, config: str, **more: Any) -> None:
    stage.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **more)


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    message: str = error.value.response["Error"]["Message"]
    return message


# ---- good deployments


def test_a_canary_serves_part_of_the_traffic_and_then_all_of_it_with_no_failed_request(stage: Stage) -> None:
    old, new = stage.config(stage.model("old")), stage.config(stage.model("new"))
    endpoint = stage.endpoint(old)
    with Client(stage, endpoint) as client:
        until(lambda: client.heard["old"] > 5)
        update(stage, endpoint, new, DeploymentConfig=canary())

        def baking() -> Any:
            described = stage.sagemaker.describe_endpoint(EndpointName=endpoint)
            pending = described.get("PendingDeploymentSummary", {}).get("ProductionVariants", [{}])[0]
            status = pending.get("VariantStatus", [{}])[0]
            return described if status.get("Status") == "Baking" and "canary" in status["StatusMessage"] else None

        shifting = until(baking)
        assert shifting["EndpointStatus"] == "Updating"
        assert shifting["EndpointConfigName"] == old
        assert shifting["PendingDeploymentSummary"]["EndpointConfigName"] == new
        [pending] = shifting["PendingDeploymentSummary"]["ProductionVariants"]
        assert (pending["CurrentInstanceCount"], pending["DesiredInstanceCount"]) == (1, 2)
        before = Counter(client.heard)
        until(lambda: sum(client.heard.values()) > sum(before.values()) + 20)
        during = client.heard - before
        assert during["old"] > 0
        assert during["new"] > 0
        described = stage.until_status(endpoint, "InService")
        heard = sum(client.heard.values())
        until(lambda: sum(client.heard.values()) > heard + 5)
    assert described["EndpointConfigName"] == new
    assert "PendingDeploymentSummary" not in described
    assert set(client.heard) == {"old", "new"}
    assert stage.prediction(endpoint) == "new"


ONE = {"Type": "INSTANCE_COUNT", "Value": 1}


def linear(wait: int = 30, alarms: list[str] | None = None) -> dict[str, Any]:
    return deployment({"Type": "LINEAR", "WaitIntervalInSeconds": wait, "LinearStepSize": ONE}, alarms=alarms)


def rolling(wait: int = 30, alarms: list[str] | None = None, batch: int = 1, back: int | None = None) -> dict[str, Any]:
    size = {"Type": "INSTANCE_COUNT", "Value": batch}
    policy: dict[str, Any] = {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait}
    if back is not None:
        policy["RollbackMaximumBatchSize"] = {"Type": "INSTANCE_COUNT", "Value": back}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"RollingUpdatePolicy": policy, **rollback}


@pytest.fixture
def counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many instances of the old fleet a deployment had, and of the new one in traffic, at each of its stages."""
    seen: list[tuple[int, int]] = []
    emit = stage.cloud.events.emit

    def note(source: str, kind: str, detail: dict[str, Any], resources: Sequence[str] = ()) -> None:
        if "PendingDeploymentSummary" in detail:
            old, new = (each["ProductionVariants"][0] for each in (detail, detail["PendingDeploymentSummary"]))
            seen.append((old["CurrentInstanceCount"], new["CurrentInstanceCount"]))
        emit(source, kind, detail, resources)

    monkeypatch.setattr(stage.cloud.events, "emit", note)
    return seen


def test_linear_steps_turn_instances_on_one_after_the_other(stage: Stage, counts: list[tuple[int, int]]) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old"), instances=4))
    new = stage.config(stage.model("new"), instances=4)
    with Client(stage, endpoint) as client:
        until(lambda: client.heard["old"] > 5)
        update(stage, endpoint, new, DeploymentConfig=linear())
        stage.until_status(endpoint, "InService")
        until(lambda: client.heard["new"] > 5)
    during, ended = counts[:-1], counts[-1]
    assert list(dict.fromkeys(during)) == [(4, 0), (4, 1), (4, 2), (4, 3), (4, 4)], "the old fleet stays whole"
    assert ended == (0, 4)
    assert set(client.heard) == {"old", "new"}
    assert stage.prediction(endpoint) == "new"


def test_a_rolling_deployment_takes_old_instances_away_as_new_ones_stand_their_bake(
    stage: Stage, counts: list[tuple[int, int]]
) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old"), instances=3))
    new = stage.config(stage.model("new"), instances=3)
    with Client(stage, endpoint) as client:
        until(lambda: client.heard["old"] > 5)
        update(stage, endpoint, new, DeploymentConfig=rolling())
        stage.until_status(endpoint, "InService")
        until(lambda: client.heard["new"] > 5)
    assert {(3, 1), (2, 2), (1, 3)} <= set(counts)
    assert set(client.heard) == {"old", "new"}
    [variant] = stage.until_status(endpoint, "InService")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 3
    assert stage.prediction(endpoint) == "new"


def test_without_a_deployment_config_everything_moves_at_once(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old"), instances=1))
    with Client(stage, endpoint) as client:
        update(stage, endpoint, stage.config(stage.model("new"), instances=1))
        stage.until_status(endpoint, "InService")
        until(lambda: client.heard["new"] > 5)
    assert set(client.heard) <= {"old", "new"}


# ---- bad deployments


@pytest.mark.parametrize("of_the_new_fleet_only", [False, True])
def test_an_alarm_during_the_canary_brings_the_old_model_back(stage: Stage, of_the_new_fleet_only: bool) -> None:
    old, bad = stage.config(stage.model("old")), stage.config(stage.model("broken"))
    endpoint = stage.endpoint(old)
    alarm = errors_alarm(stage, endpoint, bad if of_the_new_fleet_only else None)
    with Client(stage, endpoint) as client:
        update(stage, endpoint, bad, DeploymentConfig=canary(wait=600, alarms=[alarm]))
        described = stage.until_status(endpoint, "InService")
        broken = client.heard["ModelError 500"]
        assert broken > 0
        heard = sum(client.heard.values())
        until(lambda: sum(client.heard.values()) > heard + 20)
        assert client.heard["ModelError 500"] - broken <= 1  # one may have been on its way
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    assert stage.prediction(endpoint) == "old"


def test_a_rolling_deployment_can_come_back_in_batches_and_costs_only_the_requests_that_met_it(stage: Stage) -> None:
    old, bad = (stage.config(stage.model(answer), instances=4) for answer in ("old", "broken"))
    endpoint = stage.endpoint(old)
    alarm = errors_alarm(stage, endpoint, bad)
    with Client(stage, endpoint) as client:
        until(lambda: client.heard["old"] > 5)
        update(stage, endpoint, bad, DeploymentConfig=rolling(300, [alarm], batch=2, back=1))
        described = stage.until_status(endpoint, "InService")
        met = client.heard["ModelError 500"]
        heard = client.heard["old"]
        until(lambda: client.heard["old"] > heard + 5)
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 4
    assert set(client.heard) == {"old", "ModelError 500"}
    assert met <= client.heard["ModelError 500"] <= met + 1  # one may have been on its way


def test_errors_of_the_old_fleet_undo_the_deployment_that_mends_them_unless_only_the_new_one_is_watched(
    stage: Stage,
) -> None:
    """What AWS warns of, and the way out it shows: an alarm on the new endpoint configuration's own metrics."""
    bad, good = stage.config(stage.model("broken")), stage.config(stage.model("new"))
    endpoint = stage.endpoint(bad)
    alarms = {config: errors_alarm(stage, endpoint, config) for config in (None, good)}
    with Client(stage, endpoint) as client:
        until(lambda: client.heard["ModelError 500"] > 5)
        update(stage, endpoint, good, DeploymentConfig=canary(wait=90, termination=0, alarms=[alarms[None]]))
        assert stage.until_status(endpoint, "InService")["EndpointConfigName"] == bad
        update(stage, endpoint, good, DeploymentConfig=canary(wait=90, termination=0, alarms=[alarms[good]]))
        assert stage.until_status(endpoint, "InService")["EndpointConfigName"] == good


def test_another_endpoints_errors_roll_nothing_back(stage: Stage) -> None:
    broken = stage.endpoint(stage.config(stage.model("broken")))
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    new = stage.config(stage.model("new"))
    alarm = errors_alarm(stage, endpoint)
    with Client(stage, broken) as client:
        until(lambda: client.heard["ModelError 500"] > 5)
        update(stage, endpoint, new, DeploymentConfig=canary(wait=90, termination=0, alarms=[alarm]))
        described = stage.until_status(endpoint, "InService")
    assert described["EndpointConfigName"] == new


def test_an_alarm_somebody_sets_by_hand_rolls_back_too(stage: Stage) -> None:
    old = stage.config(stage.model("old"))
    endpoint = stage.endpoint(old)
    alarm = errors_alarm(stage, endpoint)
    update(stage, endpoint, stage.config(stage.model("new")), DeploymentConfig=canary(wait=3000, alarms=[alarm]))
    until(lambda: "PendingDeploymentSummary" in stage.sagemaker.describe_endpoint(EndpointName=endpoint))
    cloudwatch = stage.client("cloudwatch")
    until(lambda: cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"] == "OK")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="trying it out")
    assert stage.until_status(endpoint, "InService")["EndpointConfigName"] == old


def test_a_new_fleet_that_does_not_come_up_leaves_the_old_one_serving(stage: Stage) -> None:
    old = stage.config(stage.model("old"))
    endpoint = stage.endpoint(old)
    bad = stage.config(stage.model("new", inference="import nothing_of_this_name"))
    with Client(stage, endpoint) as client:
        update(stage, endpoint, bad, DeploymentConfig=canary())
        described = stage.until_status(endpoint, "InService")
    assert described["EndpointConfigName"] == old
    assert "did not pass the ping health check" in described["FailureReason"]
    assert set(client.heard) == {"old"}


def test_watching_alarms_needs_the_execution_roles_right_to(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    alarm = errors_alarm(stage, endpoint)
    blind = stage.config(stage.model("new", stage.role(without=["alarms"])))
    with pytest.raises(ClientError) as error:
        update(stage, endpoint, blind, DeploymentConfig=canary(alarms=[alarm]))
    assert "cloudwatch:DescribeAlarms" in refusal(error)
    assert stage.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


# ---- what is kept, and what is refused


def test_a_scaled_out_count_survives_a_deployment_that_retains_it(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old"), instances=2))
    stage.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 5}]
    )
    stage.until_status(endpoint, "InService")
    update(stage, endpoint, stage.config(stage.model("new"), instances=2), RetainAllVariantProperties=True)
    [variant] = stage.until_status(endpoint, "InService")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 5
    update(stage, endpoint, stage.config(stage.model("newer"), instances=2))
    [variant] = stage.until_status(endpoint, "InService")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2


def test_data_capture_is_never_retained(stage: Stage) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": "s3://models/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    endpoint = stage.endpoint(stage.config(stage.model("old"), DataCaptureConfig=capture))
    assert stage.until_status(endpoint, "InService")["DataCaptureConfig"]["CurrentSamplingPercentage"] == 50
    more = stage.config(stage.model("new"), DataCaptureConfig={**capture, "InitialSamplingPercentage": 75})
    update(stage, endpoint, more, RetainAllVariantProperties=True)
    assert stage.until_status(endpoint, "InService")["DataCaptureConfig"]["CurrentSamplingPercentage"] == 75
    update(stage, endpoint, stage.config(stage.model("newer")), RetainAllVariantProperties=True)
    assert "DataCaptureConfig" not in stage.until_status(endpoint, "InService")


def test_the_configuration_that_serves_is_none_to_update_with(stage: Stage) -> None:
    config = stage.config(stage.model("old"))
    endpoint = stage.endpoint(config)
    with pytest.raises(ClientError) as refused:
        update(stage, endpoint, config, DeploymentConfig=canary())
    assert refusal(refused) == f'Cannot update endpoint with the currently in use endpoint configuration "{config}".'
    assert stage.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


def test_an_endpoint_in_progress_can_be_neither_updated_nor_deleted(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    new = stage.config(stage.model("new"))
    update(stage, endpoint, new, DeploymentConfig=canary())
    for act in (
        lambda: update(stage, endpoint, new),
        lambda: stage.sagemaker.delete_endpoint(EndpointName=endpoint),
    ):
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            act()
    stage.until_status(endpoint, "InService")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (canary(percent=60), "CanarySize must be between 1 and 50 percent"),
        (deployment({"Type": "CANARY", "WaitIntervalInSeconds": 60}), "CanarySize must be specified"),
        (
            deployment(
                {
                    "Type": "ALL_AT_ONCE",
                    "WaitIntervalInSeconds": 0,
                    "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                }
            ),
            "CanarySize can only be specified for traffic routing type CANARY",
        ),
    ],
)
def test_a_deployment_config_that_makes_no_sense_is_refused(stage: Stage, config: dict[str, Any], message: str) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    with pytest.raises(ClientError) as error:
        update(stage, endpoint, stage.config(stage.model("new")), DeploymentConfig=config)
    assert message in refusal(error)


def test_a_canary_of_a_single_instance_is_refused(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old"), instances=1))
    with pytest.raises(ClientError, match="at least 2 instances"):
        update(stage, endpoint, stage.config(stage.model("new"), instances=1), DeploymentConfig=canary())


def test_updating_needs_the_right_on_the_endpoint_and_on_its_configuration(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    config = stage.config(stage.model("new"))
    prefix = "arn:aws:sagemaker:us-east-1:123456789012"
    person = stage.person(["sagemaker:UpdateEndpoint"], [f"{prefix}:endpoint/{endpoint}"])
    with pytest.raises(ClientError, match=f"UpdateEndpoint on resource: {prefix}:endpoint-config/{config}"):
        stage.cloud.client("sagemaker", person).update_endpoint(EndpointName=endpoint, EndpointConfigName=config)


# ---- events


def without_its_artefact(stage: Stage) -> str:
    """A model whose artefact was deleted since it was made: no container of it starts."""
    model = stage.model("lost")
    url = stage.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["ModelDataUrl"]
    bucket, _, key = url.removeprefix("s3://").partition("/")
    stage.client("s3").delete_object(Bucket=bucket, Key=key)
    return model


def test_every_stage_of_a_deployment_is_an_event(stage: Stage) -> None:
    queue = stage.client("sqs").create_queue(QueueName="deployments")["QueueUrl"]
    arn = stage.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    stage.client("sqs").set_queue_attributes(
        QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})}
    )
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"],
    }
    stage.client("events").put_rule(Name="deployments", EventPattern=json.dumps(pattern))
    stage.client("events").put_targets(Rule="deployments", Targets=[{"Id": "queue", "Arn": arn}])
    endpoint = stage.endpoint(stage.config(stage.model("old")))
    update(stage, endpoint, stage.config(stage.model("new")), DeploymentConfig=canary(wait=30, termination=30))
    stage.until_status(endpoint, "InService")
    update(stage, endpoint, stage.config(without_its_artefact(stage)))
    assert stage.until_status(endpoint, "InService")["FailureReason"]
    told: list[dict[str, Any]] = []
    four = {"Creating", "ActivatingTraffic", "Baking", "Deleting"}

    def all_told() -> bool:
        messages = stage.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            stage.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            told.append(json.loads(message["Body"]))
        states = [event["detail"]["EndpointStatus"] for event in told if "Deployment" not in event["detail-type"]]
        seen = {event["detail"]["EndpointStatus"] for event in told}
        return states.count("IN_SERVICE") == 3 and seen >= {"CREATING", "UPDATING", "ROLLING_BACK"} and stages() >= four

    def stages() -> set[str]:
        details = [event["detail"] for event in told if "Deployment" in event["detail-type"]]
        pending = [detail["PendingDeploymentSummary"]["ProductionVariants"][0] for detail in details]
        return {variant["VariantStatus"][0]["Status"] for variant in pending if "VariantStatus" in variant}

    until(all_told, "an event about every stage")
    assert stages() == four
    assert all(event["detail"]["EndpointName"] == endpoint for event in told)
