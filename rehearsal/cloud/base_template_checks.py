"""What the services refuse of a stack's resources, as they refuse it of a call.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. On AWS a resource's
handler calls the service's API. ministack's stacks write into its stores past its API for the types named here: so
they are looked at before that, by what looks at the calls. On an update only what changed is looked at, as a handler
calls for no more.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html

Private names of ministack 1.5.33 used here: `iam._policy_exists`; `eventbridge._event_pattern_error`,
`_validate_schedule_expression` and `_validate_target_arn`; `sns._topics`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge, iam, sns

from rehearsal.cloud import base_encryption, base_event_requests, base_request_checks
from rehearsal.cloud.base_policy_grammar import (
    bucket_problem,
    identity_problem,
    key_problem,
    topic_problem,
    trust_problem,
)

Properties = dict[str, Any]
Check = Callable[[Properties], str | None]


class NotFoundError(ValueError):
    """What a resource names is not there."""


def check(resource_type: str, properties: Properties, previous: Properties | None = None) -> None:
    """Raise ValueError, in the words of a stack event, for what the service refuses of the resource."""
    for names, look in CHECKS.get(resource_type, []):
        if previous is not None and all(properties.get(name) == previous.get(name) for name in names):
            continue
        code = "InvalidRequest"
        try:
            problem = look(properties)
        except NotFoundError as missing:
            problem, code = str(missing), "NotFound"
        if problem:
            raise ValueError(f'Resource handler returned message: "{problem}" (HandlerErrorCode: {code})')


# ---- IAM


def _trust(properties: Properties) -> str | None:
    return trust_problem(properties.get("AssumeRolePolicyDocument"))


def _inline_policies(properties: Properties) -> str | None:
    problems = (identity_problem(policy.get("PolicyDocument")) for policy in properties.get("Policies") or [])
    return next(filter(None, problems), None)


def _policy(properties: Properties) -> str | None:
    return identity_problem(properties.get("PolicyDocument"))


def _attached(properties: Properties) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html"""
    for arn in properties.get("ManagedPolicyArns") or []:
        if not iam._policy_exists(arn):
            raise NotFoundError(f"Policy {arn} does not exist or is not attachable.")


def _boundary(properties: Properties) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html"""
    arn = properties.get("PermissionsBoundary")
    if arn and not iam._policy_exists(arn):
        raise NotFoundError(f"Scope ARN: {arn} does not exist or is not attachable.")


# ---- EventBridge


def _pattern(properties: Properties) -> str | None:
    pattern = properties.get("EventPattern")
    if pattern is None:
        return None
    problem = eventbridge._event_pattern_error(pattern if isinstance(pattern, str) else json.dumps(pattern))
    return f"Event pattern is not valid. Reason: {problem}" if problem else None


def _schedule(properties: Properties) -> str | None:
    expression = properties.get("ScheduleExpression")
    if not expression or eventbridge._validate_schedule_expression(expression):
        return None
    return "Parameter ScheduleExpression is not valid."


def _targets(properties: Properties) -> str | None:
    for target in properties.get("Targets") or []:
        refused = eventbridge._validate_target_arn(target)
        if refused:
            body = json.loads(refused[2])
            return str(body.get("message") or body.get("Message"))
        problem = base_event_requests.target_problem(target)
        if problem:
            return problem
    return None


# ---- the others


def _bucket_policy(properties: Properties) -> str | None:
    return bucket_problem(str(properties.get("Bucket")), properties.get("PolicyDocument"))


def _bucket_encryption(properties: Properties) -> str | None:
    """What a call is refused by name; here it would only be forgotten."""
    twice = base_encryption.TWICE in json.dumps(properties.get("BucketEncryption") or {})
    return f"{base_encryption.TWICE} is not implemented by the rehearsal's cloud." if twice else None


def _topic_policy(properties: Properties) -> str | None:
    return topic_problem(properties.get("PolicyDocument"))


def _key_policy(properties: Properties) -> str | None:
    policy = properties.get("KeyPolicy")
    bypassed = bool(properties.get("BypassPolicyLockoutSafetyCheck"))
    return key_problem(policy, may_lock_out=bypassed) if policy else None


def _subscription(properties: Properties) -> str | None:
    if properties.get("TopicArn") not in sns._topics:
        raise NotFoundError("Topic does not exist")
    return base_request_checks.subscription_problem(
        str(properties.get("Protocol") or ""), str(properties.get("Endpoint") or "")
    )


def _log_group(properties: Properties) -> str | None:
    return base_request_checks.log_key_problem(str(properties.get("KmsKeyId") or ""))


CHECKS: dict[str, list[tuple[tuple[str, ...], Check]]] = {
    "AWS::IAM::Role": [
        (("AssumeRolePolicyDocument",), _trust),
        (("PermissionsBoundary",), _boundary),
        (("ManagedPolicyArns",), _attached),
        (("Policies",), _inline_policies),
    ],
    "AWS::IAM::ManagedPolicy": [(("PolicyDocument",), _policy)],
    "AWS::IAM::Policy": [(("PolicyDocument",), _policy)],
    "AWS::S3::Bucket": [(("BucketEncryption",), _bucket_encryption)],
    "AWS::S3::BucketPolicy": [(("Bucket", "PolicyDocument"), _bucket_policy)],
    "AWS::SNS::TopicPolicy": [(("Topics", "PolicyDocument"), _topic_policy)],
    "AWS::SNS::Subscription": [(("TopicArn", "Protocol", "Endpoint"), _subscription)],
    "AWS::KMS::Key": [(("KeyPolicy",), _key_policy)],
    "AWS::Events::Rule": [
        (("EventPattern",), _pattern),
        (("ScheduleExpression",), _schedule),
        (("Targets",), _targets),
    ],
    "AWS::Logs::LogGroup": [(("KmsKeyId",), _log_group)],
}
"""For each type, the properties that a service looks at together, and what it says against them."""
