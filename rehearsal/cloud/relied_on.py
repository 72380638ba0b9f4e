"""What of the base is played: the services and resource types that the rehearsal relies on, each with its reason.

The base emulator has about a hundred services. Most keep records and do nothing: a Glue job without a script
"succeeds", a state machine or a schedule runs with a role that nobody was asked to pass. What is not listed here is
refused by name, an API call by the front door, a resource by its stack. Whatever is added needs its cases in
`tests/rehearsal/base`.

Services go by the name that requests are signed for:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ReliedOn:
    """A service of the base: what for, the `X-Amz-Target` prefix of its JSON protocol, the only requests that are
    played of it (empty for all that the base has) and those that are not, as operations' names or `<method> <path>`."""

    reason: str
    target: str = ""
    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()


SERVICES: Mapping[str, ReliedOn] = {
    "cloudformation": ReliedOn("stacks: of projects, of endpoints, of the account"),
    "events": ReliedOn("rules start the pipelines, and bring news to topics and queues", "AWSEvents"),
    "iam": ReliedOn("roles, policies, boundaries: who may what is what a rehearsal is for"),
    "kms": ReliedOn(
        "the keys of buckets, topics, volumes; their policies are asked, grants the base would keep and never ask",
        "TrentService",
        but=frozenset({"CreateGrant"}),
    ),
    "logs": ReliedOn("what builds, jobs, functions and endpoints print", "Logs_20140328"),
    "monitoring": ReliedOn("alarms, that take deployments back; metrics", "GraniteServiceVersion20100801"),
    "s3": ReliedOn("data, seeds, artifacts, models"),
    "scheduler": ReliedOn(
        "the inventory asks whether a schedule is left; none can be made", only=frozenset({"GET /schedules"})
    ),
    "sns": ReliedOn("who is told of failures and questions"),
    "sqs": ReliedOn("queues that events and messages are sent to", "AmazonSQS"),
    "ssm": ReliedOn("parameters that templates read and write", "AmazonSSM"),
    "sts": ReliedOn("sessions of roles"),
    "tagging": ReliedOn(
        "what carries a project's tag, before the account's setup is taken down",
        "ResourceGroupsTaggingAPI_20170126",
        frozenset({"GetResources"}),
    ),
}

RESOURCE_TYPES: Mapping[str, str] = {
    "AWS::CloudWatch::Alarm": "takes deployments back",
    "AWS::Events::Rule": "starts pipelines, brings news",
    "AWS::IAM::ManagedPolicy": "boundaries, and policies of people",
    "AWS::IAM::Policy": "policies of a project's roles",
    "AWS::IAM::Role": "who acts",
    "AWS::KMS::Alias": "names a key",
    "AWS::KMS::Key": "encrypts buckets and topics",
    "AWS::Logs::LogGroup": "how long logs are kept",
    "AWS::S3::Bucket": "data, artifacts, models",
    "AWS::S3::BucketPolicy": "refuses plain HTTP",
    "AWS::SNS::Subscription": "who is told",
    "AWS::SNS::Topic": "who is told",
    "AWS::SNS::TopicPolicy": "lets EventBridge publish",
    "AWS::SQS::Queue": "a target of rules and topics",
    "AWS::SQS::QueuePolicy": "lets EventBridge and SNS send",
    "AWS::SSM::Parameter": "what templates hand on",
}
"""Types that stand in the base -> what for. The types of our own rooms are their providers'."""


def is_played(service: str, target: str, asked: str) -> bool:
    """Whether the base may answer a request signed for `service` ("" for an unsigned one), with `target` as its
    `X-Amz-Target`. `asked` is an operation's name or `<method> <path>`.

    The base goes by the target first, whatever the request was signed for: both must name the same service. It refuses
    unsigned requests itself.
    """
    if not service and not target:
        return True
    relied = SERVICES.get(service)
    if relied is None:
        return False
    prefix, _, operation = target.rpartition(".")
    if prefix and prefix != relied.target:
        return False
    request = operation or asked
    return request not in relied.but and (not relied.only or request in relied.only)
