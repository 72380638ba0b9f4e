"""Objects encrypted with a KMS key: S3 asks KMS in the name of whoever writes or reads them.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack keeps the
name of a key with an object and asks nobody. On AWS the key has its word, by the policies of the caller and its own:

- writing (PutObject, CopyObject, CreateMultipartUpload) needs `kms:GenerateDataKey`, reading (GetObject, the source of
  a copy) `kms:Decrypt`, and so do the parts and the completion of a multipart upload;
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
- looking at an object without reading it (HeadObject) needs it only for the checksum;
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
- S3 is named in `kms:ViaService`, and the object in the encryption context, or the bucket where an S3 Bucket Key is
  used; https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html#bucket-key-policies
  https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
- AWS's own key `aws/s3` lets everybody in the account who comes through S3, so nobody is asked about it;
  https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk

Private names of ministack 1.5.33 used here: of `s3` `_SSE_STORED_HEADERS`, `_resolve_sse_write_headers`,
`_error`, `_buckets`, `_bucket_encryption`, `_object_versions` and `_multipart_uploads`;
`kms._resolve_key` and `_aliases`; of `iam_actions` `s3_additional_checks`, `access_denied_response`, `_s3_action`,
`_s3_source_object` and `_query_param`; of `iam_evaluator` `enforce` and `combine_resource_policy`.
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, s3

SSE = "x-amz-server-side-encryption"
KEY = f"{SSE}-aws-kms-key-id"
BUCKET_KEY = f"{SSE}-bucket-key-enabled"
CONTEXT = f"{SSE}-context"
WRITING, READING = "kms:GenerateDataKey", "kms:Decrypt"
READS = ("GetObject", "GetObjectVersion")
ARN = "arn:aws:s3:::"
UNUSABLE = {"Disabled": ("KMS.DisabledException", "is disabled"),
            "PendingDeletion": ("KMS.KMSInvalidStateException", "is pending deletion"),
            "PendingImport": ("KMS.KMSInvalidStateException", "is pending import")}  # fmt: skip

Document = dict[str, Any]
Check = tuple[str, str]


class Key(str):
    """A KMS key's ARN as the resource of a check, with what else S3 tells KMS."""

    __slots__ = ("context",)
    context: Document


@dataclass(frozen=True)
class Refusal:
    """What S3 answers without asking for a permission."""

    code: str
    message: str
    status: int = 400


@dataclass(frozen=True)
class Encryption:
    """How an object is encrypted: the key's ARN, and whether with an S3 Bucket Key."""

    key: str
    bucket_key: bool


_refusal: contextvars.ContextVar[Refusal | None] = contextvars.ContextVar("refusal", default=None)
_denied_key: contextvars.ContextVar[str] = contextvars.ContextVar("denied_key", default="")
_blamed: contextvars.ContextVar[str] = contextvars.ContextVar("blamed", default="identity-based")
"""Which kind of policy allows nothing: where the caller's own policies do, it is the key's."""


def install() -> None:
    """Answer as S3 does. Call it once, after `base_objects` and before the base serves."""
    _keep_key_and_bucket_key()
    _ask_for_the_key()


# ---- what is kept with an object


def _keep_key_and_bucket_key() -> None:
    resolve = s3._resolve_sse_write_headers
    s3._SSE_STORED_HEADERS = (*s3._SSE_STORED_HEADERS, BUCKET_KEY)

    def resolve_ours(headers: Document, bucket: str) -> Any:  # noqa: ANN401 - ministack's
        if headers.get(SSE) == "aws:kms" and not headers.get(KEY):
            headers = {**headers, KEY: _key_of_aws()}
        found, error = resolve(headers, bucket)
        if error is not None or found.get(SSE) != "aws:kms":
            return found, error
        key = _arn_of(found.get(KEY) or _key_of_aws())
        with_bucket_key = headers.get(BUCKET_KEY, "").lower() or _bucket_key_of(bucket)
        return {**found, KEY: key, **({BUCKET_KEY: "true"} if with_bucket_key == "true" else {})}, None

    s3._resolve_sse_write_headers = resolve_ours


def _bucket_key_of(bucket: str) -> str:
    """Whether new objects of a bucket use an S3 Bucket Key, as its encryption says it: `true` or anything else."""
    _, found, rest = (s3._bucket_encryption.get(bucket) or "").partition("<BucketKeyEnabled>")
    return str(rest.partition("<")[0].strip().lower()) if found else ""


def _key_of_aws() -> str:
    return f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/s3"


def _is_of_aws(key: str) -> bool:
    return key.rpartition(":")[2] == "alias/aws/s3"


def _arn_of(key: str) -> str:
    """A key by whatever name it was given; one that is not there stays as it was named."""
    found = kms._resolve_key(key)
    if found is not None:
        return str(found["Arn"])
    return _key_of_aws() if _is_of_aws(key) else key


# ---- who is asked


def _ask_for_the_key() -> None:
    checks, enforce = iam_actions.s3_additional_checks, iam_evaluator.enforce
    deny, combine = iam_actions.access_denied_response, iam_evaluator.combine_resource_policy

    def checks_with_keys(method: str, path: str, headers: Document, body: bytes, query: Document) -> list[Check]:
        _refusal.set(None)
        return [*checks(method, path, headers, body, query), *_asked_of_kms(method, path, headers, query)]

    def enforce_key(access_key_id: str, action: str, service: str, region: str, **named: Any) -> Any:  # noqa: ANN401
        key = named.get("resource_arn")
        _denied_key.set("")
        if not isinstance(key, Key):
            return enforce(access_key_id, action, service, region, **named)
        if _refusal.get() is not None:
            return iam_evaluator.EvalResult("Deny")
        result = enforce(access_key_id, action, "kms", region, resource_arn=str(key), service_context=key.context)
        if result is not None:
            _denied_key.set(key)
        return result

    def deny_key(service: str, action: str, principal: str, request_id: str, **named: Any) -> Any:  # noqa: ANN401
        refusal, key = _refusal.get(), _denied_key.get()
        if refusal is not None:
            return s3._error(refusal.code, refusal.message, refusal.status)
        if key:
            why = (
                "with an explicit deny in a policy"
                if named.get("explicit_deny")
                else f"because no {_blamed.get()} policy allows the {action} action"
            )
            message = f"User: {principal} is not authorized to perform: {action} on resource: {key} {why}"
            named = {**named, "resource_arn": key, "message": message}
        return deny(service, action, principal, request_id, **named)

    def combine_and_blame(identity: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - ministack's
        _blamed.set("resource-based" if identity.decision == "Allow" else "identity-based")
        return combine(identity, *given, **named)

    iam_actions.s3_additional_checks = checks_with_keys
    iam_actions.access_denied_response = deny_key
    iam_evaluator.enforce = enforce_key
    iam_evaluator.combine_resource_policy = combine_and_blame


def _asked_of_kms(method: str, path: str, headers: Document, query: Document) -> list[Check]:
    """What a request on an object asks of KMS, in order."""
    bucket, _, name = path.lstrip("/").partition("/")
    action = iam_actions._s3_action(method, path, query)
    if not name or action not in ("PutObject", *READS):
        return []
    place = f"{ARN}{bucket}/{name}"
    if action in READS:
        if method == "HEAD" and headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
            return []
        return _asked(READING, _of_object(bucket, name, iam_actions._query_param(query, "versionId")), place)
    source = iam_actions._s3_source_object(headers)
    asked = []
    if source is not None:
        from_bucket, _, from_name = source[0].removeprefix(ARN).partition("/")
        asked += _asked(READING, _of_object(from_bucket, from_name, source[1]), source[0])
    upload = iam_actions._query_param(query, "uploadId")
    if upload:
        headers_kept = (s3._multipart_uploads.get(upload) or {}).get("preserved_headers", {})
        return asked + _asked(READING, _encryption(headers_kept), place)
    found, error = s3._resolve_sse_write_headers(headers, bucket)
    if error is not None:
        return asked  # S3 says itself what is wrong with the request
    if headers.get(CONTEXT) and _encryption(found) is not None:
        _refusal.set(Refusal("NotImplemented", f"an encryption context of your own ({CONTEXT})", 501))
    return asked + _asked(WRITING, _encryption(found), place)


def _asked(action: str, encryption: Encryption | None, place: str) -> list[Check]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html"""
    if encryption is None or _is_of_aws(encryption.key):
        return []
    key, record = Key(encryption.key), kms._resolve_key(encryption.key)
    if record is None:
        _refuse("KMS.NotFoundException", f"Key '{encryption.key}' does not exist")
        key.context = {}
        return [(action, key)]
    if record["KeyState"] in UNUSABLE:
        code, why = UNUSABLE[record["KeyState"]]
        _refuse(code, f"{encryption.key} {why}.")
    key.context = {
        "kms:ViaService": f"s3.{get_region()}.amazonaws.com",
        "kms:CallerAccount": get_account_id(),
        "kms:EncryptionContext:aws:s3:arn": place.partition("/")[0] if encryption.bucket_key else place,
        "kms:EncryptionContextKeys": ["aws:s3:arn"],
        "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "kms:ResourceAliases": [
            arn.rpartition(":")[2] for arn, key_id in kms._aliases.items() if key_id == record["KeyId"]
        ],
    }
    return [(action, key)]


def _refuse(code: str, message: str) -> None:
    if _refusal.get() is None:
        _refusal.set(Refusal(code, message))


def _of_object(bucket: str, name: str, version: str) -> Encryption | None:
    found = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(name)
    if version and (found or {}).get("version_id") != version:
        kept = [each for each in s3._object_versions.get((bucket, name), []) if each["version_id"] == version]
        found = kept[0] if kept else found
    return _encryption((found or {}).get("preserved_headers", {}))


def _encryption(headers: Document) -> Encryption | None:
    if headers.get(SSE) != "aws:kms":
        return None
    return Encryption(headers.get(KEY) or _key_of_aws(), headers.get(BUCKET_KEY) == "true")
