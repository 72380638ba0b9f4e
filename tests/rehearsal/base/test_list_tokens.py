"""A list of the base leads on by the token it gave out, and by no other.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Ask = Callable[[str], Any]
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
LISTS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "objects": ("s3", "list_objects_v2", {"Bucket": "listed"}, "ContinuationToken", "InvalidArgument"),
    "roles": ("iam", "list_roles", {"PathPrefix": "/listed/"}, "Marker", "ValidationError"),
    "groups of logs": (
        "logs",
        "describe_log_groups",
        {"logGroupNamePrefix": "listed"},
        "nextToken",
        "InvalidParameterException",
    ),
    "streams of logs": (
        "logs",
        "describe_log_streams",
        {"logGroupName": "listed-0"},
        "nextToken",
        "InvalidParameterException",
    ),
    "events of logs": (
        "logs",
        "filter_log_events",
        {"logGroupName": "listed-0"},
        "nextToken",
        "InvalidParameterException",
    ),
    "topics": ("sns", "list_topics", {}, "NextToken", "InvalidParameter"),
    "queues": ("sqs", "list_queues", {"QueueNamePrefix": "listed"}, "NextToken", "InvalidParameterValue"),
    "parameters": (
        "ssm",
        "describe_parameters",
        {"ParameterFilters": [{"Key": "Name", "Option": "BeginsWith", "Values": ["listed"]}]},
        "NextToken",
        "InvalidNextToken",
    ),
    "rules": ("events", "list_rules", {"NamePrefix": "listed"}, "NextToken", "ValidationException"),
    "keys": ("kms", "list_keys", {}, "Marker", "InvalidMarkerException"),
    "tagged": (
        "resourcegroupstaggingapi",
        "get_resources",
        {"TagFilters": [{"Key": "listed"}]},
        "PaginationToken",
        "InvalidParameterException",
    ),
    "stacks": ("cloudformation", "list_stacks", {}, "NextToken", "ValidationError"),
}
PAGED = {
    "objects": {"MaxKeys": 1},
    "roles": {"MaxItems": 1},
    "groups of logs": {"limit": 1},
    "queues": {"MaxResults": 1},
    "parameters": {"MaxResults": 1},
    "rules": {"Limit": 1},
    "tagged": {"ResourcesPerPage": 1},
}
"""How some of them are asked for pages of one."""


@pytest.fixture(scope="module")
def full(ask: Ask) -> Ask:
    """With two of everything that is listed in pages."""
    ask("s3").create_bucket(Bucket="listed")
    for number in range(2):
        name = f"listed-{number}"
        ask("s3").put_object(Bucket="listed", Key=name)
        ask("iam").create_role(RoleName=name, Path="/listed/", AssumeRolePolicyDocument=json.dumps(TRUST))
        ask("logs").create_log_group(logGroupName=name)
        ask("sqs").create_queue(QueueName=name, tags={"listed": "yes"})
        ask("ssm").put_parameter(Name=name, Value="1", Type="String")
        ask("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    return ask


@pytest.mark.parametrize("what", LISTS)
def test_a_token_that_a_list_never_gave_out_is_refused(full: Ask, what: str) -> None:
    service, operation, about, member, code = LISTS[what]
    with pytest.raises(ClientError) as refused:
        getattr(full(service), operation)(**about, **{member: "nobody-gave-this-out"})
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)


@pytest.mark.parametrize("what", PAGED)
def test_the_token_that_it_gave_leads_on(full: Ask, what: str) -> None:
    service, operation, about, _, _ = LISTS[what]
    paginator = full(service).get_paginator(operation)
    whole, cut = (
        [each for page in paginator.paginate(**about, **size) for each in _items(page)] for size in ({}, PAGED[what])
    )
    assert len(cut) >= 2
    assert cut == whole


def _items(page: dict[str, Any]) -> list[str]:
    """What a page lists."""
    [found] = [value for name, value in page.items() if isinstance(value, list) and name != "ResponseMetadata"]
    return [json.dumps(each, default=str, sort_keys=True) for each in found]
