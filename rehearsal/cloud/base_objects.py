"""What S3 says of objects: that they are encrypted, of missing ones only to who may list the bucket, and of long keys.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack answers
404 for a missing object whoever asks. S3 tells only those who may list the bucket; everybody else is denied, whatever
they may read, which is how a forgotten `s3:ListBucket` is first met.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html

Private names of ministack 1.5.33 used here: `iam_evaluator.enforce`; `iam_actions.access_denied_response`; of `s3`
`_buckets`, `_bucket_default_sse_headers`, `_error`, `_put_object`, `_copy_object` and `_create_multipart_upload`.
"""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import s3

READING = "s3:GetObject"
LISTING = "s3:ListBucket"
ARN = "arn:aws:s3:::"
LONGEST_KEY = 1024
"""Bytes of UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
WRITERS = ("_put_object", "_copy_object", "_create_multipart_upload")

_denied_listing: contextvars.ContextVar[str] = contextvars.ContextVar("denied_listing", default="")
"""The bucket that whoever asks for a missing object may not list; empty for every other denial."""


def install() -> None:
    """Answer as S3 does. Call it once, after `base_identity` and before the base serves."""
    _deny_missing_objects()
    _refuse_long_keys()
    default_encryption = s3._bucket_default_sse_headers
    s3._bucket_default_sse_headers = lambda bucket: (
        default_encryption(bucket) or {"x-amz-server-side-encryption": "AES256"}
    )


def _refuse_long_keys() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (KeyTooLongError)"""
    for writer in WRITERS:
        write = getattr(s3, writer)

        def write_short(bucket: str, key: str, *rest: Any, _write: Any = write) -> Any:  # noqa: ANN401 - ministack's
            if len(key.encode("utf-8", "surrogateescape")) > LONGEST_KEY:
                return s3._error("KeyTooLongError", "Your key is too long", 400, f"/{bucket}/{key}")
            return _write(bucket, key, *rest)

        setattr(s3, writer, write_short)


def _deny_missing_objects() -> None:
    enforce, deny = iam_evaluator.enforce, iam_actions.access_denied_response

    def enforce_listing(
        access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*", **named: object
    ) -> Any:  # noqa: ANN401 - ministack's answer
        _denied_listing.set("")
        result = enforce(access_key_id, iam_action, service, region, resource_arn=resource_arn, **named)
        if result is not None or iam_action != READING or not _is_missing(resource_arn):
            return result
        bucket = resource_arn.partition("/")[0]
        result = enforce(access_key_id, LISTING, service, region, resource_arn=bucket, **named)
        if result is not None:
            _denied_listing.set(bucket)
        return result

    def deny_listing(service: str, action: str, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - ministack's answer
        bucket = _denied_listing.get()
        if bucket and action == READING:
            return deny(service, LISTING, *rest, **{**named, "resource_arn": bucket})
        return deny(service, action, *rest, **named)

    iam_evaluator.enforce = enforce_listing
    iam_actions.access_denied_response = deny_listing


def _is_missing(arn: str) -> bool:
    bucket, _, key = arn.removeprefix(ARN).partition("/")
    found = s3._buckets.get(bucket)
    return found is not None and key not in found["objects"]
