"""Topics encrypted with a KMS key: who publishes needs the key, too.

https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#sns-what-permissions-for-sse
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import person_with
from tests.waiting import until

ACCOUNT = "123456789012"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
BOTH = ["kms:GenerateDataKey*", "kms:Decrypt"]
THROUGH_SNS = {"StringEquals": {"kms:ViaService": "sns.us-east-1.amazonaws.com"}}
Document = dict[str, Any]
_numbers = itertools.count()


def allow(action: str | list[str], **more: Any) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


@dataclass
class Scene:
    """A topic, its key, and a queue that hears what is published."""

    cloud: Cloud
    ask: Callable[[str], Any]
    topic: str
    key: str
    queue: str

    def person(self, *statements: Document) -> Any:
        """A client of SNS for a new role that may publish, and this."""
        return self.cloud.client("sns", person_with(self.cloud, allow("sns:Publish"), *statements))

    def refused(self, who: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as problem:
            who.publish(TopicArn=self.topic, Message="m")
        error = problem.value.response["Error"]
        assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return error["Code"], error["Message"]

    def heard(self) -> list[str]:
        found = self.ask("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(each["Body"])["Message"] for each in found]


@pytest.fixture
def scene(cloud: Cloud, ask: Callable[[str], Any]) -> Scene:
    name = f"encrypted-{next(_numbers)}"
    key = ask("kms").create_key()["KeyMetadata"]["Arn"]
    topic = ask("sns").create_topic(Name=name, Attributes={"KmsMasterKeyId": key})["TopicArn"]
    publisher = {**allow("sqs:SendMessage"), "Principal": {"Service": "sns.amazonaws.com"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [publisher]})
    queue = ask("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    ask("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
    return Scene(cloud, ask, topic, key, queue)


def test_who_may_publish_may_not_do_so_without_the_key(scene: Scene) -> None:
    for given, lacking in ([], "kms:GenerateDataKey"), (["kms:GenerateDataKey"], "kms:Decrypt"):
        code, message = scene.refused(scene.person(*(allow(each) for each in given)))
        assert code == "KMSAccessDenied"
        assert f"is not authorized to perform: {lacking} on resource: {scene.key}" in message
    scene.person(allow(BOTH)).publish(TopicArn=scene.topic, Message="m")


def test_the_key_knows_that_it_is_asked_through_sns_and_for_which_topic(scene: Scene) -> None:
    topic = {"kms:EncryptionContext:aws:sns:topicArn": scene.topic}
    exact = {"StringEquals": {**THROUGH_SNS["StringEquals"], **topic}}
    scene.person(allow(BOTH, Condition=exact)).publish(TopicArn=scene.topic, Message="m")
    elsewhere = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    assert scene.refused(scene.person(allow(BOTH, Condition=elsewhere)))[0] == "KMSAccessDenied"


def test_a_key_that_is_gone_or_disabled_is_named(scene: Scene) -> None:
    scene.ask("kms").disable_key(KeyId=scene.key)
    assert scene.refused(scene.person(allow(BOTH))) == ("KMSDisabled", f"{scene.key} is disabled.")
    gone = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/gone"
    scene.ask("sns").set_topic_attributes(TopicArn=scene.topic, AttributeName="KmsMasterKeyId", AttributeValue=gone)
    assert scene.refused(scene.person(allow(BOTH))) == ("KMSNotFound", f"Key '{gone}' does not exist")


def test_the_key_that_aws_keeps_for_sns_lets_the_account_in(scene: Scene) -> None:
    scene.ask("sns").set_topic_attributes(
        TopicArn=scene.topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
    )
    scene.person().publish(TopicArn=scene.topic, Message="m")


def test_a_rule_publishes_only_where_the_key_names_eventbridge(scene: Scene) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services"""
    publisher = {"Service": "events.amazonaws.com"}
    policy = {"Statement": [{**allow("sns:Publish"), "Principal": publisher, "Resource": scene.topic}]}
    scene.ask("sns").set_topic_attributes(
        TopicArn=scene.topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
    )
    events, source = scene.ask("events"), scene.topic.rpartition(":")[2]
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": "t", "Arn": scene.topic, "InputPath": "$.detail-type"}])

    def happen(what: str) -> None:
        events.put_events(Entries=[{"Source": source, "DetailType": what, "Detail": "{}"}])

    happen("too early")
    account = {**allow("kms:*"), "Principal": ROOT}
    lets_in = {"Version": "2012-10-17", "Statement": [account, {**allow(BOTH), "Principal": publisher}]}
    scene.ask("kms").put_key_policy(KeyId=scene.key, PolicyName="default", Policy=json.dumps(lets_in))
    happen("in time")
    assert until(scene.heard) == ['"in time"']
