"""SNS, SQS, SSM, CloudWatch and CloudWatch Logs: the little that is used of each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.waiting import until


def code(problem: Any) -> str:
    return str(problem.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def subscribed(cloud: Cloud) -> Callable[..., tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """`subscribed("name", **attributes)`: a topic's ARN, and a function that answers what its queue got."""
    sns, sqs = (cloud.client(name, cloud.identity.root) for name in ("sns", "sqs"))

    def make(name: str, *, let_in: bool = True, **attributes: str) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
        topic, url = sns.create_topic(Name=name)["TopicArn"], sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{cloud.account}:{name}"
        if let_in:
            statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                         "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}  # fmt: skip
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)

        def arrived() -> list[dict[str, Any]]:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(each["Body"]) for each in found]

        return topic, arrived

    return make


def test_a_message_arrives_in_its_envelope(ask: Any, subscribed: Any) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html"""
    topic, arrived = subscribed("enveloped")
    message_id = ask("sns").publish(TopicArn=topic, Message="text", Subject="about")["MessageId"]
    (message,) = until(arrived)
    assert {name: message[name] for name in ("Type", "MessageId", "TopicArn", "Message", "Subject")} == {
        "Type": "Notification", "MessageId": message_id, "TopicArn": topic, "Message": "text", "Subject": "about"
    }  # fmt: skip


def test_a_message_may_come_as_it_is(ask: Any, subscribed: Any) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html"""
    topic, arrived = subscribed("as-it-is", RawMessageDelivery="true")
    ask("sns").publish(TopicArn=topic, Message='{"a": 1}')
    assert until(arrived) == [{"a": 1}]


def test_a_subscription_filters(ask: Any, subscribed: Any) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html"""
    topic, arrived = subscribed("filters", FilterPolicy='{"kind": ["wanted"]}')
    for kind in ("other", "wanted"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        ask("sns").publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)
    assert [each["Message"] for each in until(arrived)] == ["wanted"]


def test_a_queue_that_does_not_let_the_topic_in_gets_nothing(ask: Any, subscribed: Any) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"""
    closed, nothing = subscribed("closed", let_in=False)
    opened, arrived = subscribed("opened")
    for topic in (closed, opened):
        ask("sns").publish(TopicArn=topic, Message="text")
    assert until(arrived)
    assert nothing() == []


def test_a_message_that_is_not_deleted_comes_again(ask: Any) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
    sqs = ask("sqs")
    url = sqs.create_queue(QueueName="comes-again")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="once")
    (first,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    (second,) = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_queue_that_is_not_there_is_named_in_an_error(ask: Any) -> None:
    with pytest.raises(ClientError) as missing:
        ask("sqs").get_queue_url(QueueName="nobodys")
    assert code(missing) == "AWS.SimpleQueueService.NonExistentQueue"


# ---- SSM


def test_a_parameter_is_written_once_unless_told_to_overwrite(ask: Any) -> None:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"""
    ssm = ask("ssm")
    assert ssm.put_parameter(Name="/once", Type="String", Value="1")["Version"] == 1
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/once", Type="String", Value="2")
    assert ssm.put_parameter(Name="/once", Type="String", Value="2", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/once:1")["Parameter"]["Value"] == "1"
    ssm.delete_parameter(Name="/once")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/once")


def test_a_secret_parameter_is_told_only_decrypted(ask: Any) -> None:
    ssm = ask("ssm")
    ssm.put_parameter(Name="/secret", Type="SecureString", Value="word")
    assert ssm.get_parameter(Name="/secret")["Parameter"]["Value"] != "word"
    assert ssm.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]["Value"] == "word"


def test_parameters_are_found_by_their_path(ask: Any) -> None:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html"""
    ssm = ask("ssm")
    for name in ("/tree/a", "/tree/b/c", "/treetop"):
        ssm.put_parameter(Name=name, Type="String", Value="x")
    flat = ssm.get_parameters_by_path(Path="/tree")["Parameters"]
    deep = ssm.get_parameters_by_path(Path="/tree", Recursive=True)["Parameters"]
    assert [each["Name"] for each in flat] == ["/tree/a"]
    assert [each["Name"] for each in deep] == ["/tree/a", "/tree/b/c"]


# ---- logs and alarms


def test_lines_of_a_log_are_read_in_order_filtered_and_page_by_page(ask: Any) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html"""
    logs, now = ask("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="/lines")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/lines")
    logs.create_log_stream(logGroupName="/lines", logStreamName="s")
    lines = [{"timestamp": now + number, "message": f"line {number}"} for number in range(5)]
    logs.put_log_events(logGroupName="/lines", logStreamName="s", logEvents=lines)
    where = {"logGroupName": "/lines", "logStreamName": "s", "startFromHead": True}
    first = logs.get_log_events(**where, limit=3)
    rest = logs.get_log_events(**where, nextToken=first["nextForwardToken"])
    assert [each["message"] for each in first["events"] + rest["events"]] == [each["message"] for each in lines]
    end = logs.get_log_events(**where, nextToken=rest["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], rest["nextForwardToken"])
    found = logs.filter_log_events(logGroupName="/lines", filterPattern='"line 3"')["events"]
    assert [each["message"] for each in found] == ["line 3"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/nobodys", logStreamName="s")


def test_an_alarm_keeps_the_state_it_is_set_to_and_says_why(ask: Any) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html"""
    cloudwatch = ask("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="set", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    (before,) = cloudwatch.describe_alarms(AlarmNames=["set"])["MetricAlarms"]
    assert before["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="set", StateValue="ALARM", StateReason="told so")
    (after,) = cloudwatch.describe_alarms(AlarmNames=["set"], StateValue="ALARM")["MetricAlarms"]
    assert after["StateReason"] == "told so"


# ---- what nobody plays


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("iam", "set_default_policy_version", {"PolicyArn": "arn:aws:iam::123456789012:policy/p", "VersionId": "v1"}),
        ("cloudformation", "set_stack_policy", {"StackName": "s", "StackPolicyBody": "{}"}),
    ],
)
def test_an_operation_that_nobody_plays_is_refused_by_name(
    ask: Any, service: str, operation: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="not implemented by the rehearsal's cloud") as refused:
        getattr(ask(service), operation)(**arguments)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
