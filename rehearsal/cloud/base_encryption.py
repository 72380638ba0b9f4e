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

Two layers of encryption with keys of KMS (`aws:kms:dsse`) are not played, for objects and for buckets.

Private names of ministack 1.5.33 used here: of `s3` `_SSE_STORED_HEADERS`, `_resolve_sse_write_headers`, `_buckets`,
`_put_bucket_encryption`, `_bucket_encryption`, `_object_versions`, `_multipart_uploads` and `_error`; of `iam_actions`
`s3_additional_checks`, `_s3_action`, `_s3_source_object` and `_query_param`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions
from ministack.services import s3

from rehearsal.cloud.base_keys import READING, WRITING, Key, Refusal, is_of_aws, key_arn, key_of_aws, key_to_ask

SSE = "x-amz-server-side-encryption"
KEY = f"{SSE}-aws-kms-key-id"
BUCKET_KEY = f"{SSE}-bucket-key-enabled"
CONTEXT = f"{SSE}-context"
TWICE = "aws:kms:dsse"
READS = ("GetObject", "GetObjectVersion")
ARN = "arn:aws:s3:::"
SERVICE = "s3"

Document = dict[str, Any]
Check = tuple[str, str]


@dataclass(frozen=True)
class Encryption:
    """How an object is encrypted: the key's ARN, and whether with an S3 Bucket Key."""

    key: str
    bucket_key: bool


def install() -> None:
    """Answer as S3 does. Call it once, after `base_keys` and before the base serves."""
    _keep_key_and_bucket_key()
    _refuse_to_encrypt_twice()
    checks = iam_actions.s3_additional_checks

    def checks_with_keys(method: str, path: str, headers: Document, body: bytes, query: Document) -> list[Check]:
        return [*checks(method, path, headers, body, query), *_asked_of_kms(method, path, headers, query)]

    iam_actions.s3_additional_checks = checks_with_keys


# ---- what is kept with an object


def _keep_key_and_bucket_key() -> None:
    resolve = s3._resolve_sse_write_headers
    s3._SSE_STORED_HEADERS = (*s3._SSE_STORED_HEADERS, BUCKET_KEY)

    def resolve_ours(headers: Document, bucket: str) -> Any:  # noqa: ANN401 - ministack's
        if headers.get(SSE) == TWICE:
            return None, _not_played()
        if headers.get(SSE) == "aws:kms" and not headers.get(KEY):
            headers = {**headers, KEY: key_of_aws(SERVICE)}
        found, error = resolve(headers, bucket)
        if error is not None or found.get(SSE) != "aws:kms":
            return found, error
        key = key_arn(found.get(KEY) or key_of_aws(SERVICE), SERVICE)
        with_bucket_key = headers.get(BUCKET_KEY, "").lower() or _bucket_key_of(bucket)
        return {**found, KEY: key, **({BUCKET_KEY: "true"} if with_bucket_key == "true" else {})}, None

    s3._resolve_sse_write_headers = resolve_ours


def _refuse_to_encrypt_twice() -> None:
    put = s3._put_bucket_encryption

    def put_once(bucket: str, body: bytes) -> Any:  # noqa: ANN401 - ministack's answer
        return _not_played() if TWICE.encode() in body else put(bucket, body)

    s3._put_bucket_encryption = put_once


def _not_played() -> Any:  # noqa: ANN401 - ministack's answer
    return s3._error("NotImplemented", f"{TWICE} (two layers of encryption with keys of KMS)", 501)


def _bucket_key_of(bucket: str) -> str:
    """Whether new objects of a bucket use an S3 Bucket Key, as its encryption says it: `true` or anything else."""
    _, found, rest = (s3._bucket_encryption.get(bucket) or "").partition("<BucketKeyEnabled>")
    return str(rest.partition("<")[0].strip().lower()) if found else ""


# ---- who is asked


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
        version = iam_actions._query_param(query, "versionId")
        return [*_asked(READING, _of_object(bucket, name, version), place)]
    source = iam_actions._s3_source_object(headers)
    asked: list[Check] = []
    if source is not None:
        from_bucket, _, from_name = source[0].removeprefix(ARN).partition("/")
        asked += _asked(READING, _of_object(from_bucket, from_name, source[1]), source[0])
    upload = iam_actions._query_param(query, "uploadId")
    if upload:
        headers_kept = (s3._multipart_uploads.get(upload) or {}).get("preserved_headers", {})
        return [*asked, *_asked(READING, _encryption(headers_kept), place)]
    found, error = s3._resolve_sse_write_headers(headers, bucket)
    if error is not None:
        return asked  # S3 says itself what is wrong with the request
    writing = _asked(WRITING, _encryption(found), place)
    if writing and headers.get(CONTEXT):
        writing[0][1].refusal = Refusal("NotImplemented", f"an encryption context of your own ({CONTEXT})", 501)
    return [*asked, *writing]


def _asked(action: str, encryption: Encryption | None, place: str) -> list[tuple[str, Key]]:
    if encryption is None or is_of_aws(encryption.key, SERVICE):
        return []
    place = place.partition("/")[0] if encryption.bucket_key else place
    return [(action, key_to_ask(encryption.key, SERVICE, {"aws:s3:arn": place}))]


def _of_object(bucket: str, name: str, version: str) -> Encryption | None:
    found = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(name)
    if version and (found or {}).get("version_id") != version:
        kept = [each for each in s3._object_versions.get((bucket, name), []) if each["version_id"] == version]
        found = kept[0] if kept else found
    return _encryption((found or {}).get("preserved_headers", {}))


def _encryption(headers: Document) -> Encryption | None:
    if headers.get(SSE) != "aws:kms":
        return None
    return Encryption(headers.get(KEY) or key_of_aws(SERVICE), headers.get(BUCKET_KEY) == "true")
