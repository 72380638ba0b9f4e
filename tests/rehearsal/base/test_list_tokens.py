"""A list of the base leads on by the token it gave out, and by no other.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

Ask = Callable[[str], Any]
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ALLOWING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
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
    "rules of a target": (
        "events",
        "list_rule_names_by_target",
        {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:listed-0"},
        "NextToken",
        "ValidationException",
    ),
    "buckets": ("s3", "list_buckets", {"Prefix": "listed"}, "ContinuationToken", "InvalidArgument"),
    "policies of a role": ("iam", "list_role_policies", {"RoleName": "listed-0"}, "Marker", "ValidationError"),
    "tags of a role": ("iam", "list_role_tags", {"RoleName": "listed-0"}, "Marker", "ValidationError"),
    "keys": ("kms", "list_keys", {}, "Marker", "InvalidMarkerException"),
    "aliases": ("kms", "list_aliases", {}, "Marker", "InvalidMarkerException"),
    "tags of a key": ("kms", "list_resource_tags", {"KeyId": "alias/listed-0"}, "Marker", "InvalidMarkerException"),
    "targets": ("events", "list_targets_by_rule", {"Rule": "listed-0"}, "NextToken", "ValidationException"),
    "metrics": ("cloudwatch", "list_metrics", {"Namespace": "listed"}, "NextToken", "InvalidParameterValue"),
    "dashboards": ("cloudwatch", "list_dashboards", {}, "NextToken", "InvalidParameterValue"),
    "data of metrics": (
        "cloudwatch",
        "get_metric_data",
        {"MetricDataQueries": [], "StartTime": 0, "EndTime": 60},
        "NextToken",
        "InvalidNextToken",
    ),
    "tagged": (
        "resourcegroupstaggingapi",
        "get_resources",
        {"TagFilters": [{"Key": "listed"}]},
        "PaginationToken",
        "InvalidParameterException",
    ),
    "history of alarms": ("cloudwatch", "describe_alarm_history", {}, "NextToken", "InvalidNextToken"),
    "stacks": ("cloudformation", "list_stacks", {}, "NextToken", "ValidationError"),
}
PAGED = {
    "objects": {"MaxKeys": 1},
    "roles": {"MaxItems": 1},
    "groups of logs": {"limit": 1},
    "queues": {"MaxResults": 1},
    "parameters": {"MaxResults": 1},
    "rules": {"Limit": 1},
    "rules of a target": {"Limit": 1},
    "tagged": {"ResourcesPerPage": 1},
    "buckets": {"MaxBuckets": 1},
    "policies of a role": {"MaxItems": 1},
    "tags of a role": {"MaxItems": 1},
    "keys": {"Limit": 1},
    "aliases": {"Limit": 1},
    "tags of a key": {"Limit": 1},
    "targets": {"Limit": 1},
}
"""How some of them are asked for pages of one."""


QUERIES = ("s3", "iam", "sns", "cloudformation")
"""Services whose requests are texts throughout."""


@pytest.fixture(scope="module")
def full(ask: Ask) -> Ask:
    """With two of everything that is listed in pages."""
    ask("s3").create_bucket(Bucket="listed")
    for number in range(2):
        name = f"listed-{number}"
        ask("s3").put_object(Bucket="listed", Key=name)
        ask("s3").create_bucket(Bucket=name)
        ask("iam").create_role(RoleName=name, Path="/listed/", AssumeRolePolicyDocument=json.dumps(TRUST))
        ask("logs").create_log_group(logGroupName=name)
        ask("sqs").create_queue(QueueName=name, tags={"listed": "yes"})
        ask("ssm").put_parameter(Name=name, Value="1", Type="String")
        ask("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        ask("iam").put_role_policy(RoleName="listed-0", PolicyName=name, PolicyDocument=json.dumps(ALLOWING))
        tags = [{"TagKey": each, "TagValue": "t"} for each in ("a", "b")]
        key = ask("kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
        ask("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    ask("iam").tag_role(RoleName="listed-0", Tags=[{"Key": each, "Value": "t"} for each in ("a", "b")])
    queues = [{"Id": f"q{number}", "Arn": f"arn:aws:sqs:us-east-1:123456789012:listed-{number}"} for number in range(2)]
    ask("events").put_targets(Rule="listed-0", Targets=queues)
    ask("events").put_targets(Rule="listed-1", Targets=queues[:1])
    return ask


@pytest.mark.parametrize("what", LISTS)
def test_a_token_that_a_list_never_gave_out_is_refused(full: Ask, what: str) -> None:
    service, operation, about, member, code = LISTS[what]
    with pytest.raises(ClientError) as refused:
        getattr(full(service), operation)(**about, **{member: "nobody-gave-this-out"})
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)


@pytest.mark.parametrize("what", [each for each in LISTS if LISTS[each][0] not in QUERIES])
def test_a_token_that_is_no_text_cannot_be_read(full: Ask, what: str) -> None:
    service, operation, about, member, _ = LISTS[what]
    careless = _careless(full(service))
    for token in (["a"], [], {"a": "b"}, 0):
        with pytest.raises(ClientError, match="can not be converted to a String") as refused:
            getattr(careless, operation)(**about, **{member: token})
        answer = refused.value.response
        found = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
        assert found == ("SerializationException", 400), token


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("rules", "ValidationException"),
        ("targets", "ValidationException"),
        ("keys", "ValidationException"),
        ("groups of logs", "InvalidParameterException"),
    ],
)
def test_an_empty_token_is_refused_where_aws_takes_none(full: Ask, what: str, code: str) -> None:
    service, operation, about, member, _ = LISTS[what]
    with pytest.raises(ClientError, match="length greater than or equal to 1") as refused:
        getattr(_careless(full(service)), operation)(**about, **{member: ""})
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("what", PAGED)
def test_the_token_that_it_gave_leads_on(full: Ask, what: str) -> None:
    service, operation, about, _, _ = LISTS[what]
    paginator = full(service).get_paginator(operation)
    whole, cut = ([_items(page) for page in paginator.paginate(**about, **size)] for size in ({}, PAGED[what]))
    assert len(cut) >= 2
    assert all(len(page) <= 1 for page in cut)
    assert [each for page in cut for each in page] == [each for page in whole for each in page]


@pytest.mark.parametrize("what", ["policies of a role", "keys", "targets", "rules"])
def test_a_token_of_another_list_is_refused(full: Ask, what: str) -> None:
    other = {"policies of a role": "roles", "keys": "aliases", "targets": "rules", "rules": "targets"}[what]
    service, operation, about, member, code = LISTS[other]
    answer = getattr(full(service), operation)(**about, **PAGED[other])
    token = answer.get("NextToken") or answer.get("NextMarker") or answer["Marker"]
    with pytest.raises(ClientError) as refused:
        getattr(full(service), LISTS[what][1])(**LISTS[what][2], **{member: token})
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("what", "size", "code"),
    [
        ("roles", 1001, "ValidationError"),
        ("aliases", 101, "ValidationException"),
        ("rules", 101, "ValidationException"),
        ("rules of a target", 101, "ValidationException"),
        ("groups of logs", 51, "InvalidParameterException"),
        ("parameters", 51, "ValidationException"),
        ("tags of a key", 51, "ValidationException"),
        ("buckets", 10_001, "InvalidArgument"),
        ("objects", 2**31, "InvalidArgument"),
    ],
)
def test_a_page_has_no_other_size_than_aws_allows(full: Ask, what: str, size: int, code: str) -> None:
    service, operation, about, _, _ = LISTS[what]
    with pytest.raises(ClientError) as refused:
        getattr(full(service), operation)(**about, **dict.fromkeys(PAGED[what], size))
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("what", "unread", "out_of_range"),
    [
        ("roles", "MalformedInput", "ValidationError"),
        ("keys", "SerializationException", "ValidationException"),
        ("targets", "SerializationException", "ValidationException"),
        ("rules", "SerializationException", "ValidationException"),
        ("groups of logs", "SerializationException", "InvalidParameterException"),
        ("parameters", "SerializationException", "ValidationException"),
        ("tagged", "SerializationException", "InvalidParameterException"),
    ],
)
def test_a_size_that_is_no_number_or_nothing_is_refused(full: Ask, what: str, unread: str, out_of_range: str) -> None:
    service, operation, about, _, _ = LISTS[what]
    careless = _careless(full(service))
    for size, code in (("abc", unread), ("1.5", unread), (0, out_of_range), (-1, out_of_range)):
        with pytest.raises(ClientError) as refused:
            getattr(careless, operation)(**about, **dict.fromkeys(PAGED[what], size))
        answer = refused.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400), size


def test_rules_are_listed_by_100_and_none_that_comes_between_two_pages_hides_another(full: Ask) -> None:
    events = full("events")
    names = [f"many-{number:03}" for number in range(101)]
    for name in names:
        events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    first = events.list_rules(NamePrefix="many-")
    events.put_rule(Name="many-000-new", ScheduleExpression="rate(1 day)")
    second = events.list_rules(NamePrefix="many-", NextToken=first["NextToken"], Limit=50)
    assert [each["Name"] for each in first["Rules"]] == names[:100]
    assert [each["Name"] for each in second["Rules"]] == names[100:]
    assert "NextToken" not in second
    with pytest.raises(ClientError, match="ValidationException"):
        events.list_rules(NamePrefix="listed", NextToken=first["NextToken"])


def test_metrics_are_listed_by_500(full: Ask) -> None:
    cloudwatch = full("cloudwatch")
    values = [{"MetricName": f"m{number}", "Value": 1} for number in range(501)]
    cloudwatch.put_metric_data(Namespace="listed", MetricData=values)
    pages = [each["Metrics"] for each in cloudwatch.get_paginator("list_metrics").paginate(Namespace="listed")]
    assert [len(each) for each in pages] == [500, 1]
    assert {each["MetricName"] for page in pages for each in page} == {each["MetricName"] for each in values}


def test_metrics_are_listed_in_the_older_protocol_too(full: Ask) -> None:
    cloudwatch = full("cloudwatch")
    dimensions = [{"Name": "d", "Value": "a & b"}]
    data = {"MetricName": "m", "Dimensions": dimensions, "Value": 1}
    cloudwatch.put_metric_data(Namespace="older", MetricData=[data, {"MetricName": "other", "Value": 1}])
    form = {"Action": "ListMetrics", "Version": "2010-08-01", "Namespace": "older"}
    form |= {"Dimensions.member.1.Name": "d", "Dimensions.member.1.Value": "a & b"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", cloudwatch.meta.endpoint_url, kind, urlencode(form))
    SigV4Auth(cloudwatch._request_signer._credentials, "monitoring", "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 200
    assert re.findall("<MetricName>(.*?)<", answer.text) == ["m"]
    assert "<Value>a &amp; b</Value>" in answer.text


def test_data_of_metrics_in_pages_is_refused_by_name(full: Ask) -> None:
    with pytest.raises(ClientError, match="MaxDatapoints is not implemented"):
        full("cloudwatch").get_metric_data(MetricDataQueries=[], StartTime=0, EndTime=60, MaxDatapoints=100)


def _careless(client: Any) -> Any:
    """The same client, sending whatever it is told to."""
    keys = client._request_signer._credentials.get_frozen_credentials()
    meta = client.meta
    return _careless_client(tuple(keys), meta.service_model.service_name, meta.region_name, meta.endpoint_url)


@functools.cache
def _careless_client(keys: tuple[str, str, str | None], service: str, region: str, url: str) -> Any:
    careless = Config(parameter_validation=False, retries={"max_attempts": 1, "mode": "legacy"}, proxies={})
    return _session(keys).client(service, region, endpoint_url=url, config=careless)


@functools.cache
def _session(keys: tuple[str, str, str | None]) -> boto3.Session:
    return boto3.Session(*keys)


def _items(page: dict[str, Any]) -> list[str]:
    """What a page lists."""
    [found] = [value for name, value in page.items() if isinstance(value, list) and name != "ResponseMetadata"]
    return [json.dumps(each, default=str, sort_keys=True) for each in found]
