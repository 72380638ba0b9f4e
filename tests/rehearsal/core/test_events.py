"""EventBridge delivers only where the target's own policy lets it in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.conftest import StartCloud
from tests.waiting import until

RULE = "arn:aws:events:us-east-1:123456789012:rule/all"


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


def letting_in(service: str, action: str, arn: str, condition: dict[str, Any] | None) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": arn}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    )


def queue(
    cloud: Cloud, name: str, service: str, condition: dict[str, Any] | None
) -> tuple[str, Callable[[], list[str]]]:
    """A queue that lets a service in, and a function that answers the bodies that arrive."""
    sqs = cloud.client("sqs", cloud.identity.root)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{cloud.account}:{name}"
    policy = letting_in(service, "sqs:SendMessage", arn, condition)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn, lambda: [each["Body"] for each in sqs.receive_message(QueueUrl=url).get("Messages", [])]


def follow(cloud: Cloud, rule: str, arn: str) -> None:
    events = cloud.client("events", cloud.identity.root)
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    assert events.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn}])["FailedEntryCount"] == 0
    cloud.events.emit(rule, "Something", {})


def refused(cloud: Cloud, arn: str) -> bool:
    return any(not each.allowed and each.resource == arn for each in cloud.identity.decisions())


def from_rule(name: str) -> dict[str, Any]:
    return {"ArnEquals": {"aws:SourceArn": RULE.replace("all", name)}}


def test_a_queue_may_ask_for_the_rule(cloud: Cloud) -> None:
    arn, arrived = queue(cloud, "asks", "events.amazonaws.com", from_rule("for-queue"))
    follow(cloud, "for-queue", arn)
    assert "Something" in until(arrived)[0]
    follow(cloud, "other-rule", arn)
    assert until(lambda: refused(cloud, arn))


@pytest.mark.parametrize("asks", [True, False])
def test_a_topic_whose_policy_has_a_condition_hears_nothing(cloud: Cloud, asks: bool) -> None:
    sns = cloud.client("sns", cloud.identity.root)
    name = f"topic-{'asks' if asks else 'open'}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    policy = letting_in("events.amazonaws.com", "sns:Publish", topic, from_rule(name) if asks else None)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    arn, arrived = queue(cloud, f"behind-{name}", "sns.amazonaws.com", None)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    follow(cloud, name, topic)
    if asks:
        assert until(lambda: refused(cloud, topic))
    else:
        assert "Something" in until(arrived)[0]
