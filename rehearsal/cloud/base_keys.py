"""KMS keys, asked for what AWS services encrypt and decrypt with them in the name of a caller.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.
`base_encryption.py` (objects) and `base_topic_keys.py` (topics) say who asks what. A `Key` as the resource of a check
is decided as a call of KMS, by the caller's policies and the key's own, and a denial names the key. A key that is not
there, or cannot be used, is an error of the service that asks.
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html

Private names of ministack 1.5.33 used here: `kms._resolve_key` and `_aliases`; `s3._error`; of `iam_actions`
`access_denied_response`; of `iam_evaluator` `enforce`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, s3

WRITING, READING = "kms:GenerateDataKey", "kms:Decrypt"
WORDS = {"Disabled": "is disabled", "PendingDeletion": "is pending deletion", "PendingImport": "is pending import"}
CODES = {
    "s3": {
        "": "KMS.NotFoundException",
        "Disabled": "KMS.DisabledException",
        "PendingDeletion": "KMS.KMSInvalidStateException",
        "PendingImport": "KMS.KMSInvalidStateException",
    },
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
    "sns": {
        "": "KMSNotFound",
        "Disabled": "KMSDisabled",
        "PendingDeletion": "KMSInvalidState",
        "PendingImport": "KMSInvalidState",
    },
}
"""What a service calls a key that is not there, or in a state in which it cannot be used."""
DENIED = {"sns": ("KMSAccessDenied", 400)}
"""Code and status of a denial where a service has its own."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """What a service answers without asking for a permission."""

    code: str
    message: str
    status: int = 400


class Key(str):
    """A KMS key's ARN as the resource of a check, with what else the service tells KMS, or why it need not ask."""

    __slots__ = ("context", "refusal")
    context: Document
    refusal: Refusal | None


_refusal: contextvars.ContextVar[Refusal | None] = contextvars.ContextVar("refusal", default=None)
_denied: contextvars.ContextVar[bool] = contextvars.ContextVar("denied", default=False)
"""Whether it was a call of KMS that was denied."""


def install() -> None:
    """Decide checks of keys as KMS does. Call it once, after `base_objects` and before the base serves."""
    enforce, deny = iam_evaluator.enforce, iam_actions.access_denied_response

    def enforce_key(access_key_id: str, action: str, service: str, region: str, **named: Any) -> Any:  # noqa: ANN401
        key = named.get("resource_arn")
        _refusal.set(None)
        _denied.set(False)
        if not isinstance(key, Key):
            return enforce(access_key_id, action, service, region, **named)
        if key.refusal is not None:
            _refusal.set(key.refusal)
            return iam_evaluator.EvalResult("Deny")
        result = enforce(access_key_id, action, "kms", region, resource_arn=str(key), service_context=key.context)
        _denied.set(result is not None)
        return result

    def deny_key(service: str, action: str, principal: str, request_id: str, **named: Any) -> Any:  # noqa: ANN401
        refusal = _refusal.get()
        if refusal is not None and service == "s3":
            return s3._error(refusal.code, refusal.message, refusal.status)
        if refusal is not None:
            words: Document = {**named, "error_code": refusal.code, "message": refusal.message}
            return (refusal.status, *deny(service, action, principal, request_id, **words)[1:])
        if not _denied.get() or service not in DENIED:
            return deny(service, action, principal, request_id, **named)
        code, status = DENIED[service]
        return (status, *deny(service, action, principal, request_id, **{**named, "error_code": code})[1:])

    iam_evaluator.enforce = enforce_key
    iam_actions.access_denied_response = deny_key


def key_of_aws(service: str) -> str:
    """The ARN under which AWS's own key for a service goes: it lets the account in, through that service."""
    return f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/{service}"


def is_of_aws(key: str, service: str) -> bool:
    """Whether a key is AWS's own for a service, by whatever name."""
    return key.rpartition(":")[2] == f"alias/aws/{service}"


def key_arn(key: str, service: str) -> str:
    """A key by whatever name it was given; one that is not there stays as it was named."""
    found = kms._resolve_key(key)
    if found is not None:
        return str(found["Arn"])
    return key_of_aws(service) if is_of_aws(key, service) else key


def key_to_ask(key: str, service: str, about: Mapping[str, str]) -> Key:
    """A key as the resource of a check; `about` is the encryption context that the service gives KMS."""
    asked, record = Key(key), kms._resolve_key(key)
    asked.context, asked.refusal = {}, None
    if record is None:
        asked.refusal = Refusal(CODES[service][""], f"Key '{key}' does not exist")
        return asked
    if record["KeyState"] in WORDS:
        asked.refusal = Refusal(CODES[service][record["KeyState"]], f"{key} {WORDS[record['KeyState']]}.")
    asked.context = {
        "kms:ViaService": f"{service}.{get_region()}.amazonaws.com",
        "kms:CallerAccount": get_account_id(),
        **{f"kms:EncryptionContext:{name}": value for name, value in about.items()},
        "kms:EncryptionContextKeys": list(about),
        "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "kms:ResourceAliases": [
            arn.rpartition(":")[2] for arn, key_id in kms._aliases.items() if key_id == record["KeyId"]
        ],
    }
    return asked
