"""CloudTrail is read page by page, at its pace, until the last known call has come or nobody waits any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from smoke_aws.calls import Actions, event_of
from smoke_aws.trail import LATEST_SECONDS, LOOK_SECONDS, SECONDS_A_PAGE, Reader, Trail
from tests.smoke_aws.records import of_a_service, page, record

BEGIN, END = datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)


class Readings:
    """A reader of stubbed CloudTrails, and the pauses it made."""

    def __init__(self, *regions: list[dict[str, Any]]) -> None:
        self.pauses: list[float] = []
        self.said: list[str] = []
        clients = []
        for answers in regions:
            client = boto3.client("cloudtrail", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
            stub = Stubber(client)
            for answer in answers:
                stub.add_response("lookup_events", answer)
            stub.activate()
            clients.append(client)
        self.reader = Reader(clients, self.said.append, self.pauses.append)


def test_pages_are_read_to_the_last_and_no_faster_than_allowed() -> None:
    first, second = record("s3.amazonaws.com", "GetBucketAcl", "a"), record("iam.amazonaws.com", "GetRole", "b")
    readings = Readings([page(first, token="next"), page(second, first)])  # noqa: S106

    events = readings.reader.read(BEGIN, END)

    assert [event.id for event in events] == [first["eventID"], second["eventID"]], "each once, in order of time"
    assert readings.pauses == [SECONDS_A_PAGE]


def test_events_of_iam_are_looked_for_in_the_region_that_has_them() -> None:
    here, there = record("s3.amazonaws.com", "GetBucketAcl", "a"), record("iam.amazonaws.com", "GetRole", "b")

    events = Readings([page(here)], [page(there)]).reader.read(BEGIN, END)

    assert [event.source for event in events] == ["s3.amazonaws.com", "iam.amazonaws.com"]


def test_late_events_are_waited_for_until_the_last_call_is_there_and_nothing_more_comes() -> None:
    early, late = record("s3.amazonaws.com", "GetBucketAcl", "a"), record("s3.amazonaws.com", "GetBucketAcl", "b")
    last = record("sts.amazonaws.com", "GetCallerIdentity", "admin")
    everything = page(early, late, last)
    readings = Readings([page(early), page(early, last), everything, everything])

    trail = readings.reader.read_all(BEGIN, END, last["requestID"])

    assert trail.complete
    assert len(trail.events) == 3
    assert readings.pauses == [LOOK_SECONDS] * 3
    assert "the last is not there" in readings.said[0]
    assert "more may come" in readings.said[1]


def test_after_the_time_that_aws_names_nobody_waits_any_more() -> None:
    early = page(record("s3.amazonaws.com", "GetBucketAcl", "a"))
    readings = Readings([early] * 30)

    trail = readings.reader.read_all(BEGIN, END, "request-that-never-came")

    assert not trail.complete
    assert sum(readings.pauses) == LATEST_SECONDS


def test_what_was_read_can_be_kept() -> None:
    trail = Trail([event_of(record("s3.amazonaws.com", "GetBucketAcl", "a", error="AccessDenied"))], complete=True)

    assert Trail.of(trail.document()) == trail


@pytest.mark.parametrize(
    ("source", "name", "action"),
    [
        ("sagemaker.amazonaws.com", "CreateEndpoint", "sagemaker:CreateEndpoint"),
        ("monitoring.amazonaws.com", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("autoscaling.amazonaws.com", "RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
        ("lambda.amazonaws.com", "CreateFunction20150331", "lambda:CreateFunction"),
        ("lambda.amazonaws.com", "GetFunction20150331v2", "lambda:GetFunction"),
        ("lambda.amazonaws.com", "AddPermission20150331v2", "lambda:AddPermission"),
        ("s3.amazonaws.com", "PutBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("s3.amazonaws.com", "PutBucketPolicy", "s3:PutBucketPolicy"),
        ("states.amazonaws.com", "StartExecution", "states:StartExecution"),
    ],
)
def test_an_event_is_the_action_that_it_was_authorised_as(source: str, name: str, action: str) -> None:
    assert Actions().of(event_of(record(source, name, "a"))) == action


def test_a_call_belongs_to_the_role_behind_the_session_whoever_made_it() -> None:
    by_service = record(
        "iam.amazonaws.com", "CreateRole", "Launch", session="servicecatalog", invoked_by="cloudformation.amazonaws.com"
    )
    bare = record("iam.amazonaws.com", "CreateRole", "Launch")
    del bare["userIdentity"]["sessionContext"]

    assert event_of(by_service).role == "Launch"
    assert event_of(by_service).invoked_by == "cloudformation.amazonaws.com"
    assert event_of(bare).role == "Launch"
    assert event_of(of_a_service("sts.amazonaws.com", "AssumeRole", "codebuild.amazonaws.com")).role == ""


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"])
def test_services_say_in_several_ways_that_a_call_was_denied(code: str) -> None:
    assert event_of(record("s3.amazonaws.com", "PutBucketAcl", "a", error=code)).denied


def test_an_error_is_no_denial() -> None:
    assert not event_of(record("sagemaker.amazonaws.com", "DescribeModel", "a", error="ValidationException")).denied
