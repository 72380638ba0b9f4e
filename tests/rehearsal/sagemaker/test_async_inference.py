"""Asynchronous endpoints: a real queue, files in S3, notifications, and instances that come and go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from rehearsal.cloud.scaling_policies import stepped, tracked
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until


@dataclass(frozen=True)
class Mailbox:
    """A topic and the queue that hears it."""

    stage: Stage
    topic: str
    queue: str

    def about(self, inference_id: str) -> dict[str, Any]:
        """The message about one request, once it has come."""

        def found() -> dict[str, Any] | None:
            sqs = self.stage.client("sqs")
            for each in sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
                text = json.loads(each["Body"])["Message"]
                message: dict[str, Any] = json.loads(text) if text.startswith("{") else {"test": text}
                if message.get("inferenceId") == inference_id:
                    return message
            return None

        return dict(until(found))


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime, ApplicationAutoScaling], speed=240.0)).set()


def mailbox(stage: Stage) -> Mailbox:
    name = f"results-{uuid4().hex[:8]}"
    topic = stage.client("sns").create_topic(Name=name)["TopicArn"]
    queue = stage.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    attributes = stage.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": attributes["QueueArn"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    stage.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    stage.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return Mailbox(stage, topic, queue)


@pytest.fixture(scope="module")
def successes(stage: Stage) -> Mailbox:
    return mailbox(stage)


@pytest.fixture(scope="module")
def errors(stage: Stage) -> Mailbox:
    return mailbox(stage)


def config(stage: Stage, model: str, topics: dict[str, str] | None = None, instances: int = 1) -> str:
    output: dict[str, Any] = {"S3OutputPath": "s3://models/answers", "S3FailurePath": "s3://models/failures/"}
    if topics:
        output["NotificationConfig"] = topics
    return stage.config(model, instances, AsyncInferenceConfig={"OutputConfig": output})


@pytest.fixture(scope="module")
def endpoint(stage: Stage, successes: Mailbox, errors: Mailbox) -> str:
    topics = {"SuccessTopic": successes.topic, "ErrorTopic": errors.topic}
    return stage.endpoint(config(stage, stage.model("yes"), topics))


def ask(stage: Stage, endpoint: str, body: object = None, **more: Any) -> dict[str, Any]:
    """Put a request into S3 and queue it."""
    key = f"questions/{uuid4().hex}.json"
    content = {"records": [1]} if body is None else body
    stage.client("s3").put_object(Bucket="models", Key=key, Body=json.dumps(content).encode())
    more = {"InputLocation": f"s3://models/{key}", "ContentType": "application/json", **more}
    answer: dict[str, Any] = stage.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=endpoint, **more)
    return answer


def file_at(stage: Stage, location: str) -> str | None:
    bucket, key = location.removeprefix("s3://").split("/", 1)
    try:
        body: bytes = stage.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:
        return None
    return body.decode()


def test_an_answer_is_a_file_and_a_message_says_where(stage: Stage, endpoint: str, successes: Mailbox) -> None:
    queued = ask(stage, endpoint, InferenceId="claim-1")
    assert queued["InferenceId"] == "claim-1"
    assert queued["OutputLocation"].startswith("s3://models/answers/")
    answer = until(lambda: file_at(stage, queued["OutputLocation"]))
    assert json.loads(answer) == {"predictions": ["yes"]}
    message = successes.about("claim-1")
    assert message["invocationStatus"] == "Completed"
    assert message["responseParameters"]["outputLocation"] == queued["OutputLocation"]
    assert (message["eventSource"], message["eventName"]) == ("aws:sagemaker", "InferenceResult")
    assert message["requestParameters"]["endpointName"] == endpoint


def test_a_request_the_model_refuses_leaves_a_failure_file_and_a_message(
    stage: Stage, endpoint: str, errors: Mailbox
) -> None:
    queued = ask(stage, endpoint, {"claims": []})
    failure = until(lambda: file_at(stage, queued["FailureLocation"]))
    assert "client error (400)" in failure
    assert "no records" in failure
    message = errors.about(queued["InferenceId"])
    assert (message["invocationStatus"], message["failureReason"]) == ("Failed", failure)
    assert file_at(stage, queued["OutputLocation"]) is None


def test_a_question_that_is_not_there_fails_by_its_name(stage: Stage, endpoint: str, errors: Mailbox) -> None:
    queued = ask(stage, endpoint, InputLocation="s3://models/questions/nowhere.json")
    message = errors.about(queued["InferenceId"])
    assert "Could not download the input from s3://models/questions/nowhere.json" in message["failureReason"]


def alarm_on_waiting(stage: Stage, endpoint: str, alarm: str, **more: Any) -> None:
    """An alarm that rises when requests wait and no instance is there for them."""
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        **more,
    )


def test_requests_wait_while_there_is_no_instance_and_are_answered_by_the_first_that_comes(stage: Stage) -> None:
    name = stage.endpoint(config(stage, stage.model("late")))

    def scale(count: int) -> None:
        change = {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
        stage.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[change])
        stage.until_status(name, "InService")

    scale(0)
    assert stage.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    alarm_on_waiting(stage, name, f"waiting-{name}")
    queued = [ask(stage, name) for _ in range(3)]

    def alarm() -> str:
        found = stage.client("cloudwatch").describe_alarms(AlarmNames=[f"waiting-{name}"])
        state: str = found["MetricAlarms"][0]["StateValue"]
        return state

    until(lambda: alarm() == "ALARM")
    assert [file_at(stage, each["OutputLocation"]) for each in queued] == [None] * 3
    scale(1)
    answers = [until(lambda each=each: file_at(stage, each["OutputLocation"])) for each in queued]
    assert [json.loads(answer)["predictions"] for answer in answers] == [["late"]] * 3
    until(lambda: alarm() == "OK")


def test_autoscaling_takes_an_idle_endpoint_to_zero_and_the_first_request_brings_it_back(stage: Stage) -> None:
    name = stage.endpoint(config(stage, stage.model("yes")))
    scaling = stage.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    dimensions = [{"Name": "EndpointName", "Value": name}]
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=2)
    backlog = {"MetricName": "ApproximateBacklogSizePerInstance", "Namespace": "AWS/SageMaker", "Statistic": "Average"}
    scaling.put_scaling_policy(
        **target,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5,
            "CustomizedMetricSpecification": {**backlog, "Dimensions": dimensions},
        },
    )
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    from_zero = scaling.put_scaling_policy(
        **target,
        PolicyName="from-zero",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [step],
            "Cooldown": 60,
        },
    )["PolicyARN"]
    alarm_on_waiting(stage, name, f"from-zero-{name}", AlarmActions=[from_zero])

    def count() -> int:
        [variant] = stage.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
        found: int = variant["CurrentInstanceCount"]
        return found

    until(lambda: count() == 0)
    queued = ask(stage, name)
    answer = until(lambda: file_at(stage, queued["OutputLocation"]))
    assert json.loads(answer) == {"predictions": ["yes"]}
    newest_first = scaling.describe_scaling_activities(ServiceNamespace="sagemaker", ResourceId=target["ResourceId"])
    away, back, *_ = reversed(newest_first["ScalingActivities"])  # a slow answer lets the alarm ask for a second one
    assert "backlog" in away["Cause"]
    assert "from-zero" in back["Cause"]


@pytest.mark.parametrize(
    ("instances", "values", "age", "wanted"),
    [
        (1, [(10, 12.0), (100, 11.0)], 200, 3),
        (1, [(10, 12.0), (100, 11.0)], 100, 1),
        (1, [(10, 12.0), (100, 4.0)], 200, 1),
        (2, [(10, 0.0), (800, 0.0)], 1000, 0),
        (2, [(10, 0.0), (800, 5.0)], 1000, 2),
        (2, [(10, 0.0), (800, 0.0)], 500, 2),
        (0, [], 1000, 0),
    ],
    ids=["out", "not yet out", "one value is not above", "in", "one value is not below", "not yet in", "none"],
)
def test_target_tracking_asks_for_as_many_as_bring_the_metric_to_its_target(
    instances: int, values: list[tuple[float, float]], age: float, wanted: int
) -> None:
    policy = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 5.0}}
    assert tracked(policy, instances, values, age) == wanted


@pytest.mark.parametrize(("beyond", "wanted"), [(0.0, 2), (9.0, 2), (10.0, 4), (-1.0, 1)])
def test_a_step_is_chosen_by_how_far_the_metric_is_beyond_the_threshold(beyond: float, wanted: int) -> None:
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
    ]
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps}
    assert stepped({"StepScalingPolicyConfiguration": config}, 1, beyond) == wanted


def test_a_new_version_comes_in_while_requests_are_queued_and_each_gets_one_answer(stage: Stage) -> None:
    name = stage.endpoint(config(stage, stage.model("old"), instances=2))
    new = config(stage, stage.model("new"), instances=2)
    step = {"Type": "INSTANCE_COUNT", "Value": 1}
    routing = {"Type": "LINEAR", "WaitIntervalInSeconds": 240, "LinearStepSize": step}
    queued = [ask(stage, name)]
    until(lambda: file_at(stage, queued[0]["OutputLocation"]))
    stage.sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=new,
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )

    def deployed() -> bool:
        queued.append(ask(stage, name))
        return bool(stage.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")

    until(deployed)
    queued.append(ask(stage, name))
    answers = [until(lambda each=each: file_at(stage, each["OutputLocation"])) for each in queued]
    assert {json.loads(answer)["predictions"][0] for answer in answers} == {"old", "new"}
    assert json.loads(answers[-1])["predictions"] == ["new"]


def test_an_asynchronous_endpoint_takes_no_other_requests_and_no_other_endpoint_takes_these(
    stage: Stage, endpoint: str
) -> None:
    with pytest.raises(ClientError, match="InvokeEndpointAsync only"):
        stage.invoke(endpoint)
    realtime = stage.endpoint(stage.config(stage.model("yes"), instances=1))
    with pytest.raises(ClientError, match="is not for asynchronous inference"):
        ask(stage, realtime)


def test_a_role_that_may_not_publish_is_found_out_when_the_endpoint_is_made(stage: Stage, successes: Mailbox) -> None:
    mute = stage.model("yes", stage.role(without=["notifications"]))
    name = stage.endpoint(config(stage, mute, {"SuccessTopic": successes.topic}), wait="Failed")
    reason = stage.sagemaker.describe_endpoint(EndpointName=name)["FailureReason"]
    assert f"Could not publish to SuccessTopic {successes.topic}" in reason


def test_data_of_asynchronous_endpoints_is_not_captured(stage: Stage) -> None:
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://models/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    output = {"OutputConfig": {"S3OutputPath": "s3://models/answers"}}
    with pytest.raises(ClientError, match="captures no data"):
        stage.config(stage.model("yes"), AsyncInferenceConfig=output, DataCaptureConfig=capture)
    stage.config(stage.model("yes"), AsyncInferenceConfig=output, DataCaptureConfig={**capture, "EnableCapture": False})


def test_asking_needs_a_right_of_its_own(stage: Stage, endpoint: str) -> None:
    person = stage.person(["sagemaker:InvokeEndpoint"])
    with pytest.raises(ClientError, match="sagemaker:InvokeEndpointAsync"):
        stage.cloud.client("sagemaker-runtime", person).invoke_endpoint_async(
            EndpointName=endpoint, InputLocation="s3://models/questions/any.json"
        )
