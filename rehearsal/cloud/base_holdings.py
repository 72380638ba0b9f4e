"""What cannot be deleted for what it holds, or for who holds it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack's stacks
delete a bucket with all that is in it, and a role or policy whoever else attached to it; its APIs do not. So a stack
asks as the APIs are asked, once it has taken back what the template gave.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails

Private names of ministack 1.5.33 used here: `provisioners._RESOURCE_HANDLERS` and `_iam_policy_reconcile_entities`;
`s3._delete_bucket`; of `iam` `_roles`, `_delete_policy` and `_delete_role`, `detach_managed_policy`.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from ministack.services import iam, s3
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

NEVER_MIND = {"NoSuchBucket", "NoSuchEntity"}
"""Gone already: what the stack wanted."""


def install() -> None:
    """Let buckets, roles and managed policies refuse. Call it once, before the base serves."""
    for type_name, delete in (
        ("AWS::S3::Bucket", _delete_bucket),
        ("AWS::IAM::Role", _delete_role),
        ("AWS::IAM::ManagedPolicy", _delete_managed_policy),
    ):
        handlers = provisioners._RESOURCE_HANDLERS[type_name]
        provisioners._RESOURCE_HANDLERS[type_name] = {**handlers, "delete": delete}


def _delete_bucket(name: str, _props: Properties) -> None:
    _check(s3._delete_bucket(name), " You must delete all versions in the bucket.")


def _delete_role(name: str, props: Properties) -> None:
    role = iam._roles.get(name)
    if role is None:
        return
    for arn in set(props.get("ManagedPolicyArns") or []) & set(role.get("AttachedPolicies") or []):
        iam.detach_managed_policy(role, arn)
    own = {policy["PolicyName"] for policy in props.get("Policies") or []}
    inline = role.get("InlinePolicies") or {}
    for policy in own & set(inline):
        del inline[policy]
    _check(iam._delete_role({"RoleName": [name]}))


def _delete_managed_policy(arn: str, props: Properties) -> None:
    provisioners._iam_policy_reconcile_entities(arn, props, {})
    _check(iam._delete_policy({"PolicyArn": [arn]}))


def _check(answer: tuple[int, Any, bytes], more: str = "") -> None:
    """Raise ValueError with the reason, as stack events show it, when a service refused."""
    status, _, body = answer
    if status < 400:
        return
    answered = ElementTree.fromstring(body)  # noqa: S314 - ministack wrote it
    told = {element.tag.rpartition("}")[2]: element.text or "" for element in answered.iter()}
    if told["Code"] in NEVER_MIND:
        return
    raise ValueError(
        f'Resource handler returned message: "{told["Message"]}{more}" (Status Code: {status}, HandlerErrorCode: '
        "GeneralServiceException)"
    )
