"""Topics encrypted with a KMS key: SNS asks the key for whoever publishes.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack keeps the
key's name with a topic and asks nobody. On AWS a publisher needs `kms:GenerateDataKey` and `kms:Decrypt` on the key: a
role by its own policies and the key's, EventBridge by the key's policy, which has to name it.
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#sns-what-permissions-for-sse
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
AWS's own key `aws/sns` lets the account's principals in who come through SNS, but no service such as EventBridge.

Private names of ministack 1.5.33 used here: `sns._topics`; of the policy evaluator `enforce`, `_resource_policy` and
`evaluate_resource_policy`.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import sns

from rehearsal.cloud.base_keys import READING, WRITING, is_of_aws, key_arn, key_to_ask

PUBLISHING = "sns:Publish"
SERVICE = "sns"


def install() -> None:
    """Ask as SNS does. Call it once, after `base_keys` and before the base serves."""
    enforce = iam_evaluator.enforce

    def enforce_key(
        access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **named: object
    ) -> Any:  # noqa: ANN401 - ministack's answer
        result = enforce(access_key_id, action, service, region, resource_arn=resource_arn, **named)
        key = key_of(resource_arn) if result is None and action == PUBLISHING else ""
        if not key or is_of_aws(key, SERVICE):
            return result
        asked = key_to_ask(key, SERVICE, {"aws:sns:topicArn": resource_arn})
        for kms_action in (WRITING, READING):
            denied = enforce(access_key_id, kms_action, service, region, resource_arn=asked)
            if denied is not None:
                return denied
        return None

    iam_evaluator.enforce = enforce_key


def key_of(topic_arn: str) -> str:
    """The ARN of a topic's key, or how a key that is not there was named; empty for a topic without one."""
    topic = sns._topics.get(topic_arn)
    named = str(topic["attributes"].get("KmsMasterKeyId") or "") if topic else ""
    return key_arn(named, SERVICE) if named else ""


def lets_service_in(topic_arn: str, service: str) -> bool:
    """Whether a topic's key, if it has one, lets an AWS service publish (`events.amazonaws.com`)."""
    key = key_of(topic_arn)
    if not key:
        return True
    policy = iam_evaluator._resource_policy("kms", key)
    return policy is not None and all(_allows(policy[0], key, action, service) for action in (WRITING, READING))


def _allows(policy: Any, key: str, action: str, service: str) -> bool:  # noqa: ANN401 - a document, written out or not
    request = iam_evaluator.EvalContext(
        principal_arn=service,  # no principal of the account: a statement for its root user does not speak of services
        principal_type="Service",
        principal_account=get_account_id(),
        action=action,
        resource_arn=key,
        region=get_region(),
        secure_transport=True,
        service_context={"kms:viaservice": f"sns.{get_region()}.amazonaws.com"},
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, request, service).decision == "Allow")
