"""Patterns, transformers and targets of EventBridge rules.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import Stacks, resource
from tests.waiting import until

EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Object Created",
    "source": "my.app",
    "account": "123456789012",
    "time": "2026-11-01T12:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:s3:::bucket"],
    "detail": {
        "state": "FAILED",
        "size": 42,
        "flag": True,
        "none": None,
        "empty": "",
        "names": ["a", "b"],
        "file": "data/report.CSV",
        "ip": "10.1.2.3",
        "nested": {"name": "n"},
    },
}

PATTERNS: dict[str, tuple[Any, bool]] = {
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    "one of the values": ({"detail": {"state": ["SUCCEEDED", "FAILED"]}}, True),
    "none of the values": ({"detail": {"state": ["SUCCEEDED"]}}, False),
    "values mind case": ({"detail": {"state": ["failed"]}}, False),
    "all of the keys": ({"source": ["my.app"], "detail": {"state": ["SUCCEEDED"]}}, False),
    "a key that is not there": ({"detail": {"other": ["x"]}}, False),
    "a nested key": ({"detail": {"nested": {"name": ["n"]}}}, True),
    "one of a list": ({"detail": {"names": ["b", "c"]}}, True),
    "none of a list": ({"detail": {"names": ["c"]}}, False),
    "a resource": ({"resources": ["arn:aws:s3:::bucket"]}, True),
    "a number": ({"detail": {"size": [42]}}, True),
    "a number is not its text": ({"detail": {"size": ["42"]}}, False),
    "a truth": ({"detail": {"flag": [True]}}, True),
    "a truth is not its text": ({"detail": {"flag": ["true"]}}, False),
    "nothing": ({"detail": {"none": [None]}}, True),
    "nothing is not empty": ({"detail": {"empty": [None]}}, False),
    "empty": ({"detail": {"empty": [""]}}, True),
    "prefix": ({"source": [{"prefix": "my."}]}, True),
    "prefix of another": ({"source": [{"prefix": "aws."}]}, False),
    "prefix in any case": ({"detail": {"file": [{"prefix": {"equals-ignore-case": "DATA/"}}]}}, True),
    "suffix": ({"detail": {"file": [{"suffix": ".CSV"}]}}, True),
    "suffix minds case": ({"detail": {"file": [{"suffix": ".csv"}]}}, False),
    "equals in any case": ({"detail": {"state": [{"equals-ignore-case": "failed"}]}}, True),
    "wildcard": ({"detail": {"file": [{"wildcard": "data/*.CSV"}]}}, True),
    "wildcard of another": ({"detail": {"file": [{"wildcard": "other/*"}]}}, False),
    "anything but": ({"detail": {"state": [{"anything-but": ["SUCCEEDED"]}]}}, True),
    "anything but it": ({"detail": {"state": [{"anything-but": ["FAILED", "STOPPED"]}]}}, False),
    "anything but one text": ({"detail": {"state": [{"anything-but": "FAILED"}]}}, False),
    "anything but a number": ({"detail": {"size": [{"anything-but": [41]}]}}, True),
    "anything but a prefix": ({"detail": {"state": [{"anything-but": {"prefix": "F"}}]}}, False),
    "anything but where nothing is": ({"detail": {"other": [{"anything-but": ["x"]}]}}, False),
    "exists": ({"detail": {"state": [{"exists": True}]}}, True),
    "exists not": ({"detail": {"other": [{"exists": False}]}}, True),
    "exists not, but does": ({"detail": {"state": [{"exists": False}]}}, False),
    "value or absent": ({"detail": {"other": ["x", {"exists": False}]}}, True),
    "numeric range": ({"detail": {"size": [{"numeric": [">", 0, "<=", 42]}]}}, True),
    "numeric beyond": ({"detail": {"size": [{"numeric": [">", 42]}]}}, False),
    "numeric equal": ({"detail": {"size": [{"numeric": ["=", 42.0]}]}}, True),
    "numeric of a text": ({"detail": {"state": [{"numeric": [">", 0]}]}}, False),
    "address": ({"detail": {"ip": [{"cidr": "10.0.0.0/8"}]}}, True),
    "address elsewhere": ({"detail": {"ip": [{"cidr": "192.168.0.0/16"}]}}, False),
    "one or the other": ({"detail": {"$or": [{"state": ["X"]}, {"size": [{"numeric": [">", 40]}]}]}}, True),
    "neither": ({"detail": {"$or": [{"state": ["X"]}, {"size": [1]}]}}, False),
    "one or the other, and a third": (
        {"source": ["x"], "detail": {"$or": [{"state": ["FAILED"]}, {"size": [1]}]}}, False),
}  # fmt: skip


@pytest.fixture(scope="module")
def events(ask: Callable[[str], Any]) -> Any:
    return ask("events")


@pytest.mark.parametrize("case", PATTERNS)
def test_a_pattern_matches_as_documented(events: Any, case: str) -> None:
    pattern, matches = PATTERNS[case]
    answer = events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(EVENT))
    assert answer["Result"] is matches


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": "my.app"},
        {"source": [{"begins-with": "my"}]},
        {"detail": {"size": [{"numeric": ["about", 3]}]}},
        {"detail": {"other": [{"exists": "maybe"}]}},
        {"source": []},
        {},
        "{not json",
    ],
    ids=str,
)
def test_a_pattern_that_means_nothing_is_refused(events: Any, pattern: Any) -> None:
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    with pytest.raises(events.exceptions.InvalidEventPatternException):
        events.put_rule(Name="means-nothing", EventPattern=text)


# ---- deliveries


@pytest.fixture(scope="module")
def mailbox(cloud: Cloud) -> Callable[[str], tuple[str, Callable[[], list[str]]]]:
    """`mailbox("name")`: the ARN of a queue that lets EventBridge in, and a function that answers what arrived."""
    sqs = cloud.client("sqs", cloud.identity.root)

    def make(name: str) -> tuple[str, Callable[[], list[str]]]:
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{cloud.account}:{name}"
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
                     "Resource": arn}  # fmt: skip
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})

        def arrived() -> list[str]:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for each in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            return [each["Body"] for each in found]

        return arn, arrived

    return make


def put(events: Any, source: str, **detail: Any) -> None:
    entry = {"Source": source, "DetailType": "Thing Happened", "Detail": json.dumps(detail), "Resources": ["arn:r"]}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def follow(events: Any, rule: str, arn: str, *, state: str = "ENABLED", **target: Any) -> None:
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}), State=state)
    answer = events.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn, **target}])
    assert answer["FailedEntryCount"] == 0


def test_an_event_arrives_with_everything_that_aws_adds(cloud: Cloud, events: Any, mailbox: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""
    arn, arrived = mailbox("whole-event")
    follow(events, "whole-event", arn)
    put(events, "whole-event", size=1)
    event = json.loads(until(arrived)[0])
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
    assert (event["account"], event["region"], event["version"]) == (cloud.account, "us-east-1", "0")
    assert (event["detail-type"], event["detail"], event["resources"]) == ("Thing Happened", {"size": 1}, ["arn:r"])


TRANSFORMED: dict[str, tuple[dict[str, str], str, str]] = {
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    "a text": ({"name": "$.detail.name"}, '"<name> is ready"', '"churn is ready"'),
    "an object": ({"name": "$.detail.name"}, '{"who": <name>, "n": 1}', '{"who": "churn", "n": 1}'),
    "a value within quotes": ({"name": "$.detail.name"}, '{"who": "is <name>"}', '{"who": "is churn"}'),
    "a number": ({"size": "$.detail.size"}, '{"size": <size>}', '{"size": 3}'),
    "an object of the event": (
        {"all": "$.detail"}, '{"all": <all>}', '{"all": {"name": "churn", "size": 3, "l": ["x", "y"]}}'),
    "a path that is not there": ({"none": "$.detail.none"}, '{"none": "<none>"}', '{"none": ""}'),
    "the rule": ({}, '{"rule": "<aws.events.rule-name>"}', '{"rule": "transformed-6"}'),
}  # fmt: skip


@pytest.mark.parametrize("case", TRANSFORMED)
def test_an_event_is_transformed(events: Any, mailbox: Any, case: str) -> None:
    paths, template, expected = TRANSFORMED[case]
    name = f"transformed-{list(TRANSFORMED).index(case)}"
    arn, arrived = mailbox(name)
    follow(events, name, arn, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    put(events, name, name="churn", size=3, l=["x", "y"])
    assert json.loads(until(arrived)[0]) == json.loads(expected)


def test_a_target_may_get_a_constant_or_a_part_of_the_event(events: Any, mailbox: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html"""
    for name, options, expected in (
        ("constant", {"Input": '{"a": 1}'}, {"a": 1}),
        ("part", {"InputPath": "$.detail"}, {"size": 1}),
    ):
        arn, arrived = mailbox(name)
        follow(events, name, arn, **options)
        put(events, name, size=1)
        assert json.loads(until(arrived)[0]) == expected


def test_a_disabled_rule_delivers_nothing_until_it_is_enabled(events: Any, mailbox: Any) -> None:
    arn, arrived = mailbox("switched")
    follow(events, "switched", arn, state="DISABLED")
    put(events, "switched", number=1)
    events.enable_rule(Name="switched")
    put(events, "switched", number=2)
    assert [json.loads(each)["detail"]["number"] for each in until(arrived)] == [2]
    assert arrived() == []


def test_every_matching_rule_gets_the_event_once(events: Any, mailbox: Any) -> None:
    arn, arrived = mailbox("twice-followed")
    for rule in ("first", "second"):
        events.put_rule(Name=f"{rule}-of-two", EventPattern=json.dumps({"source": ["two-rules"]}))
        events.put_targets(Rule=f"{rule}-of-two", Targets=[{"Id": "t", "Arn": arn}])
    put(events, "two-rules")
    found: list[str] = []
    until(lambda: len(found.extend(arrived()) or found) == 2)
    assert arrived() == []


def test_nobody_but_aws_speaks_for_aws(events: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""
    entry = {"Source": "aws.sagemaker", "DetailType": "x", "Detail": "{}"}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


@pytest.mark.parametrize("entry", [{"Detail": "not json"}, {"Detail": "[1]"}, {"DetailType": ""}], ids=str)
def test_a_malformed_event_is_refused(events: Any, entry: dict[str, str]) -> None:
    answer = events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}", **entry}])
    assert answer["FailedEntryCount"] == 1


def test_a_rule_is_deleted_only_without_targets(events: Any, mailbox: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html"""
    arn, _ = mailbox("kept-by-target")
    follow(events, "kept-by-target", arn)
    with pytest.raises(ClientError) as refused:
        events.delete_rule(Name="kept-by-target")
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    events.remove_targets(Rule="kept-by-target", Ids=["t"])
    events.delete_rule(Name="kept-by-target")
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name="kept-by-target")


def test_a_rule_of_a_stack_delivers_until_the_stack_takes_it_back(events: Any, stacks: Stacks, mailbox: Any) -> None:
    arn, arrived = mailbox("of-a-stack")

    def rule(**properties: Any) -> dict[str, Any]:
        pattern = {"source": ["of-a-stack"]}
        targets = [{"Id": "t", "Arn": arn}]
        return {"Resources": {"R": resource("AWS::Events::Rule", EventPattern=pattern, Targets=targets, **properties)}}

    assert stacks.create("with-rule", rule()) == "CREATE_COMPLETE"
    put(events, "of-a-stack", number=1)
    assert json.loads(until(arrived)[0])["detail"] == {"number": 1}
    assert stacks.update("with-rule", rule(State="DISABLED")) == "UPDATE_COMPLETE"
    put(events, "of-a-stack", number=2)
    assert stacks.update("with-rule", rule(State="ENABLED")) == "UPDATE_COMPLETE"
    put(events, "of-a-stack", number=3)
    assert [json.loads(each)["detail"]["number"] for each in until(arrived)] == [3]
    assert stacks.delete("with-rule") == "DELETE_COMPLETE"
    with pytest.raises(ClientError):
        events.describe_rule(Name="with-rule-R")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:letters"}}, "DeadLetterConfig"),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.detail.list[0]"}, "InputTemplate": "<a>"}},
            r"the path \$.detail.list\[0\]",
        ),
    ],
)
def test_what_nobody_plays_of_a_target_is_refused_by_name(
    events: Any, stacks: Stacks, mailbox: Any, options: dict[str, Any], what: str
) -> None:
    name = f"unplayed-{next(iter(options)).lower()}"
    arn, _ = mailbox(name)
    target = {"Id": "t", "Arn": arn, **options}
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["s"]}))
    with pytest.raises(ClientError, match=what):
        events.put_targets(Rule=name, Targets=[target])
    rule = resource("AWS::Events::Rule", EventPattern={"source": ["s"]}, Targets=[target])
    assert stacks.create(name, {"Resources": {"R": rule}}) == "ROLLBACK_COMPLETE"
    assert re.search(what, stacks.reason(name))


@pytest.mark.parametrize(
    ("arn", "options", "what"),
    [
        ("arn:aws:lambda:us-east-1:123456789012:function:f", {"InputPath": "$.detail"}, "InputPath"),
        (
            "arn:aws:codepipeline:us-east-1:123456789012:p",
            {"InputPath": "$.detail", "RoleArn": "arn:aws:iam::123456789012:role/r"},
            "InputPath",
        ),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", {}, "target of service kinesis"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/other", {}, "target of service events"),
    ],
)
def test_a_target_that_no_event_would_reach_is_refused_before_it_stands(
    events: Any, stacks: Stacks, arn: str, options: dict[str, Any], what: str
) -> None:
    name = f"unreached-{arn.split(':')[2]}"
    target = {"Id": "t", "Arn": arn, **options}
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["s"]}))
    with pytest.raises(ClientError, match=what):
        events.put_targets(Rule=name, Targets=[target])
    assert events.list_targets_by_rule(Rule=name)["Targets"] == []
    rule = resource("AWS::Events::Rule", EventPattern={"source": ["s"]}, Targets=[target])
    assert stacks.create(name, {"Resources": {"R": rule}}) == "ROLLBACK_COMPLETE"
    assert re.search(what, stacks.reason(name))


def test_a_program_hands_a_role_to_a_target_only_if_it_may_pass_it(cloud: Cloud, events: Any, mailbox: Any) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html"""
    iam = cloud.client("iam", cloud.identity.root)
    arn, _ = mailbox("role-handed")
    events.put_rule(Name="role-handed", EventPattern=json.dumps({"source": ["s"]}))

    def role(name: str, *statements: dict[str, Any]) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return str(made["Role"]["Arn"])

    def document(*statements: dict[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    handed = role("handed", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})
    may_put = {"Effect": "Allow", "Action": "events:PutTargets", "Resource": "*"}
    to_events = {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}
    may_pass = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": handed, "Condition": to_events}
    target = {"Id": "t", "Arn": arn, "RoleArn": handed}
    weak = cloud.client("events", cloud.identity.session_of(role("may-not-pass", may_put), "test"))
    with pytest.raises(ClientError, match="iam:PassRole"):
        weak.put_targets(Rule="role-handed", Targets=[target])
    strong = cloud.client("events", cloud.identity.session_of(role("may-pass", may_put, may_pass), "test"))
    assert strong.put_targets(Rule="role-handed", Targets=[target])["FailedEntryCount"] == 0


@pytest.mark.parametrize("rate", ["0 minutes", "1 minutes", "5 minute", "-1 days", "05 hours", "2 weeks"])
def test_a_rate_that_is_none_is_refused(events: Any, rate: str) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Parameter ScheduleExpression is not valid\."):
        events.put_rule(Name="often", ScheduleExpression=f"rate({rate})")


@pytest.mark.parametrize("rate", ["1 minute", "10 minutes", "1 hour", "7 days"])
def test_a_rate_has_a_number_and_the_unit_that_goes_with_it(events: Any, rate: str) -> None:
    events.put_rule(Name="often", ScheduleExpression=f"rate({rate})", State="DISABLED")

    assert events.describe_rule(Name="often")["ScheduleExpression"] == f"rate({rate})"
    events.delete_rule(Name="often")


def test_a_rule_has_five_targets_at_most(events: Any, mailbox: Any) -> None:
    events.put_rule(Name="crowded", EventPattern=json.dumps({"source": ["my.crowd"]}))
    arn, _ = mailbox("crowded")
    targets = [{"Id": str(number), "Arn": arn} for number in range(6)]
    events.put_targets(Rule="crowded", Targets=targets[:5])
    events.put_targets(Rule="crowded", Targets=targets[:1])  # one of them again

    with pytest.raises(ClientError, match="LimitExceededException"):
        events.put_targets(Rule="crowded", Targets=targets[5:])

    events.remove_targets(Rule="crowded", Ids=[each["Id"] for each in targets])
    events.delete_rule(Name="crowded")
