"""Who may do what with logs: calls are asked about the stream, or the group, that they name.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import person_with

HERE = "arn:aws:logs:us-east-1:123456789012"
GROUP, STREAM = "/rights", "one/two"
BARE, WITH_STAR = f"{HERE}:log-group:{GROUP}", f"{HERE}:log-group:{GROUP}:*"
THE_STREAM = f"{BARE}:log-stream:{STREAM}"

OF_THE_STREAM: dict[str, dict[str, Any]] = {
    "put_log_events": {"logEvents": [{"timestamp": int(time.time() * 1000), "message": "m"}]},
    "get_log_events": {},
}
OF_THE_GROUP: dict[str, dict[str, Any]] = {
    "describe_log_streams": {},
    "filter_log_events": {},
    "put_retention_policy": {"retentionInDays": 7},
}


@pytest.fixture(scope="module")
def person(cloud: Cloud, ask: Callable[[str], Any]) -> Callable[..., Any]:
    """`person(action, resource)`: a client of Logs for a new role that may do just this; the group is there."""
    logs = ask("logs")
    logs.create_log_group(logGroupName=GROUP, tags={"team": "a"})
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)

    def make(action: str, resource: str, **condition: Any) -> Any:
        given = {"Effect": "Allow", "Action": action, "Resource": resource}
        return cloud.client("logs", person_with(cloud, given | ({"Condition": condition} if condition else {})))

    return make


def denied(call: Callable[[], Any]) -> str:
    """The resource that a denial names."""
    with pytest.raises(ClientError) as problem:
        call()
    error = problem.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    resource: str = error["Message"].partition(" on resource: ")[2].partition(" ")[0]
    return resource


@pytest.mark.parametrize("call", OF_THE_STREAM)
def test_a_call_on_a_stream_needs_the_stream(person: Callable[..., Any], call: str) -> None:
    def do(who: Any) -> Any:
        return getattr(who, call)(logGroupName=GROUP, logStreamName=STREAM, **OF_THE_STREAM[call])

    for enough in (THE_STREAM, WITH_STAR, f"{BARE}:log-stream:one/*"):
        do(person("logs:*", enough))
    for too_little in (BARE, f"{BARE}:log-stream:", f"{BARE}:log-stream:other"):
        assert denied(lambda narrow=too_little: do(person("logs:*", narrow))) == THE_STREAM


def test_a_stream_is_made_by_who_may_have_its_name(person: Callable[..., Any]) -> None:
    names = {"logGroupName": GROUP, "logStreamName": "new"}
    narrow = person("logs:CreateLogStream", BARE)
    assert denied(lambda: narrow.create_log_stream(**names)) == f"{BARE}:log-stream:new"
    person("logs:CreateLogStream", WITH_STAR).create_log_stream(**names)
    person("logs:DeleteLogStream", f"{BARE}:log-stream:new").delete_log_stream(**names)


@pytest.mark.parametrize("call", OF_THE_GROUP)
def test_a_call_on_a_group_needs_the_group_with_a_star_behind_it(person: Callable[..., Any], call: str) -> None:
    def do(who: Any) -> Any:
        return getattr(who, call)(logGroupName=GROUP, **OF_THE_GROUP[call])

    do(person("logs:*", WITH_STAR))
    do(person("logs:*", f"{HERE}:log-group:/rig*"))
    assert denied(lambda: do(person("logs:*", BARE))) == f"{BARE}:log-stream:"


def test_a_group_is_made_by_who_may_have_its_name(person: Callable[..., Any]) -> None:
    new = f"{HERE}:log-group:/new"
    assert denied(lambda: person("logs:*", new).create_log_group(logGroupName="/new")) == f"{new}:log-stream:"
    person("logs:*", f"{new}:*").create_log_group(logGroupName="/new")


def test_groups_are_listed_by_who_may_see_any(person: Callable[..., Any]) -> None:
    assert person("logs:DescribeLogGroups", f"{HERE}:log-group:*").describe_log_groups()["logGroups"]
    narrow = person("logs:DescribeLogGroups", WITH_STAR)
    assert denied(narrow.describe_log_groups) == f"{HERE}:log-group::log-stream:"


def test_a_group_is_tagged_by_its_bare_arn(person: Callable[..., Any]) -> None:
    person("logs:TagResource", BARE).tag_resource(resourceArn=BARE, tags={"a": "b"})
    assert denied(lambda: person("logs:TagResource", f"{BARE}:x").tag_resource(resourceArn=BARE, tags={})) == BARE


def test_a_group_named_by_its_arn_is_the_same_group(person: Callable[..., Any]) -> None:
    for identifier in (BARE, GROUP):
        person("logs:FilterLogEvents", WITH_STAR).filter_log_events(logGroupIdentifier=identifier)
        narrow = person("logs:FilterLogEvents", f"{HERE}:log-group:/other:*")
        assert denied(lambda of=identifier, who=narrow: who.filter_log_events(logGroupIdentifier=of)).startswith(BARE)


def test_tags_of_the_group_count_for_its_streams(person: Callable[..., Any]) -> None:
    def write(team: str) -> Any:
        who = person("logs:PutLogEvents", "*", StringEquals={"aws:ResourceTag/team": team})
        return who.put_log_events(logGroupName=GROUP, logStreamName=STREAM, **OF_THE_STREAM["put_log_events"])

    write("a")
    assert denied(lambda: write("b")) == THE_STREAM
