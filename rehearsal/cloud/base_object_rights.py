"""What a request on objects needs besides its own right, and who is refused which key of a deletion of many.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack asks one
right for an object that is written, and denies the whole of DeleteObjects for one key. S3

- asks `s3:PutObjectTagging` of who writes an object with tags, and `s3:PutObjectAcl` of who writes one with an ACL;
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
- copies an object with its tags, unless the request replaces them: `s3:GetObjectTagging` of the source,
  `s3:PutObjectTagging` of the copy;
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html#object-tagging-managing
- answers DeleteObjects key by key: what is denied stands as an Error in the answer, whose status is 200. Every key asks
  `s3:DeleteObject`, or `s3:DeleteObjectVersion` where a version is named.
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html

Private names of ministack 1.5.33 used here: of `iam_actions` `s3_additional_checks`, `extract_resource_arn`,
`_s3_action`, `_s3_source_object`, `_s3_batch_delete_targets`, `_query_param` and `identity_denial_message`;
`iam_evaluator.enforce`; of `s3` `object_tags_for_condition`, `_delete_objects` and `S3_NS`.
"""

from __future__ import annotations

import contextvars
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_actions, iam_evaluator
from ministack.services import s3

ARN = "arn:aws:s3:::"
TAGS, DIRECTIVE = "x-amz-tagging", "x-amz-tagging-directive"
ACL = ("x-amz-acl", "x-amz-grant-")

Document = dict[str, Any]
Check = tuple[str, str]
Target = tuple[str, str]
"""An object's ARN and the version that is meant; empty for the current one."""


class Targets(str):
    """The first object of DeleteObjects as the resource of a check, with all of them."""

    __slots__ = ("all",)
    all: list[Target]


_denied: contextvars.ContextVar[dict[Target, str] | None] = contextvars.ContextVar("denied_keys", default=None)
"""The keys of the request under way that may not be deleted, and what S3 says of each."""


def install() -> None:
    """Ask as S3 does. Call it once, after `base_objects` and before `base_keys`."""
    _ask_for_tags_and_acls()
    _decide_each_key()


# ---- what is written with an object


def _ask_for_tags_and_acls() -> None:
    checks = iam_actions.s3_additional_checks

    def checks_with_rights(method: str, path: str, headers: Document, body: bytes, query: Document) -> list[Check]:
        return [*checks(method, path, headers, body, query), *_rights(method, path, headers, query)]

    iam_actions.s3_additional_checks = checks_with_rights


def _rights(method: str, path: str, headers: Document, query: Document) -> Iterator[Check]:
    bucket, _, name = path.lstrip("/").partition("/")
    writing = name and iam_actions._s3_action(method, path, query) == "PutObject"
    if not writing or iam_actions._query_param(query, "uploadId"):
        return
    place = f"{ARN}{bucket}/{name}"
    if any(header.startswith(ACL) and value for header, value in headers.items()):
        yield "s3:PutObjectAcl", place
    source = iam_actions._s3_source_object(headers)
    if source is None or headers.get(DIRECTIVE, "").upper() == "REPLACE":
        if headers.get(TAGS):
            yield "s3:PutObjectTagging", place
        return
    from_bucket, _, from_name = source[0].removeprefix(ARN).partition("/")
    version = {"versionId": [source[1]]} if source[1] else {}
    if s3.object_tags_for_condition(from_bucket, from_name, version):
        yield ("s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging"), source[0]
        yield "s3:PutObjectTagging", place


# ---- many keys at once


def _decide_each_key() -> None:
    find, enforce, delete = iam_actions.extract_resource_arn, iam_evaluator.enforce, s3._delete_objects

    def find_targets(
        service: str, method: str, path: str, headers: Document, body: bytes, query: Document, *rest: str
    ) -> str:
        _denied.set(None)
        found: str = find(service, method, path, headers, body, query, *rest)
        bucket, _, name = path.strip("/").partition("/")
        if service != "s3" or method != "POST" or name or "delete" not in query:
            return found
        targets = Targets(found)
        targets.all = iam_actions._s3_batch_delete_targets(bucket, body)
        return targets if targets.all else found

    def enforce_each(
        access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **named: object
    ) -> Any:  # noqa: ANN401 - ministack's answer
        if not isinstance(resource_arn, Targets):
            return enforce(access_key_id, action, service, region, resource_arn=resource_arn, **named)
        denied: dict[Target, str] = {}
        for target in dict.fromkeys(resource_arn.all):
            asked = "s3:DeleteObjectVersion" if target[1] else "s3:DeleteObject"
            result = enforce(access_key_id, asked, service, region, resource_arn=target[0], **named)
            if isinstance(result, iam_evaluator.AuthError):
                return result
            if result is not None:
                explicit = result.decision == "Deny"
                words = iam_actions.identity_denial_message(asked, result.principal_arn, target[0], explicit)
                denied[target] = words
        _denied.set(denied)
        return None

    def checks_but_for_keys(method: str, path: str, headers: Document, body: bytes, query: Document) -> list[Check]:
        found = checks(method, path, headers, body, query)
        many = method == "POST" and "delete" in query
        return [each for each in found if not (many and each[0].startswith("s3:DeleteObject"))]

    def delete_allowed(bucket: str, body: bytes, *rest: Any) -> Any:  # noqa: ANN401 - ministack's answer
        denied = _denied.get()
        if not denied:
            return delete(bucket, body, *rest)
        status, headers, answer = delete(bucket, _without(body, bucket, denied), *rest)
        if status != 200:
            return status, headers, answer
        errors = "".join(_error(bucket, target, words) for target, words in denied.items())
        text = answer.decode()
        if text.rstrip().endswith("/>"):  # nothing is left to be deleted
            text = text.rstrip()[:-2].rstrip() + "></DeleteResult>"
        return status, headers, text.replace("</DeleteResult>", f"{errors}</DeleteResult>").encode()

    checks = iam_actions.s3_additional_checks
    iam_actions.extract_resource_arn = find_targets
    iam_actions.s3_additional_checks = checks_but_for_keys
    iam_evaluator.enforce = enforce_each
    s3._delete_objects = delete_allowed


def _without(body: bytes, bucket: str, denied: dict[Target, str]) -> bytes:
    """The request without the keys that are denied."""
    root = Xml.fromstring(body)  # noqa: S314 - the base has read it already
    for each in list(root):
        if each.tag.rpartition("}")[2] == "Object":
            members = {member.tag.rpartition("}")[2]: member.text or "" for member in each}
            if (f"{ARN}{bucket}/{members.get('Key', '')}", members.get("VersionId", "")) in denied:
                root.remove(each)
    return Xml.tostring(root)


def _error(bucket: str, target: Target, words: str) -> str:
    version = f"<VersionId>{escape(target[1])}</VersionId>" if target[1] else ""
    key = escape(target[0].removeprefix(f"{ARN}{bucket}/"))
    return f"<Error><Key>{key}</Key>{version}<Code>AccessDenied</Code><Message>{escape(words)}</Message></Error>"
