"""Tags of SageMaker's resources, and the condition keys that tags give to authorisation.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.pages import paged
from rehearsal.cloud.service import Call, Credentials, Document, Service, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

MOST_TAGS = 50
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""

Context = dict[str, str | list[str]]


def tag_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """`[{"Key": k, "Value": v}]` as `{k: v}`. Raises AwsError for a key that is given twice, or is AWS's own.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices
    ("each tag key must be unique", "don't use the aws: prefix"); the words of the refusal are ours.
    """
    found: dict[str, str] = {}
    for tag in tags or ():
        key = tag["Key"]
        if key in found:
            raise AwsError("ValidationException", f"Duplicate tag keys found: {key}. Each tag key must be unique.")
        if key.lower().startswith("aws:"):
            raise AwsError("ValidationException", f"Tag key {key} begins with aws:, which is reserved for AWS.")
        found[key] = tag["Value"]
    return found


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """`{k: v}` as `[{"Key": k, "Value": v}]`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def request_tags(tags: Mapping[str, str]) -> Context:
    """The condition keys of tags that a request brings."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": list(tags)}


def creating(operation: str, arn: str, request: Document, context: Context | None = None) -> list[Call]:
    """What creating a taggable resource needs: the action itself, and AddTags when tags come with it.

    AWS checks AddTags inside the create call, so it shows in no trail of its own.
    """
    tags = tag_map(request.get("Tags"))
    calls = [Call(f"sagemaker:{operation}", arn, {**request_tags(tags), **(context or {})})]
    if tags:
        calls.append(Call("sagemaker:AddTags", arn, {**request_tags(tags), "sagemaker:TaggingAction": operation}))
    return calls


def passing(role_arn: str) -> Call:
    """Handing a role to SageMaker.

    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-pass-role
    """
    return Call("iam:PassRole", role_arn, {"iam:PassedToService": "sagemaker.amazonaws.com"})


class Tags(Service):
    """Every taggable resource has an entry in `tags` from its creation to its deletion, empty or not."""

    validation_error = "ValidationException"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.tags: dict[str, dict[str, str]] = {}
        self._tags_lock = threading.Lock()

    def resource_tags(self, arn: str) -> Context:
        """The condition keys of the tags that a resource has, under both names that SageMaker gives them.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html#amazonsagemaker-policy-keys
        """
        tags = self.tags.get(arn, {})
        return {f"{kind}:ResourceTag/{key}": value for kind in ("aws", "sagemaker") for key, value in tags.items()}

    def _tagged(self, arn: str) -> dict[str, str]:
        if arn not in self.tags:
            raise AwsError("ValidationException", f"The resource {arn} does not exist or cannot be tagged.")
        return self.tags[arn]

    @operation(
        "AddTags",
        needs=lambda self, request: [
            Call(
                "sagemaker:AddTags",
                request["ResourceArn"],
                {**request_tags(tag_map(request["Tags"])), **self.resource_tags(request["ResourceArn"])},
            )
        ],
    )
    def add_tags(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""
        with self._tags_lock:
            tags = self._tagged(request["ResourceArn"])
            joined = {**tags, **tag_map(request["Tags"])}
            if len(joined) > MOST_TAGS:
                raise AwsError("ValidationException", f"A resource can have at most {MOST_TAGS} tags.")
            tags.update(joined)
            return {"Tags": tag_list(tags)}

    @operation(
        "DeleteTags",
        needs=lambda self, request: [
            Call(
                "sagemaker:DeleteTags",
                request["ResourceArn"],
                {"aws:TagKeys": list(request["TagKeys"]), **self.resource_tags(request["ResourceArn"])},
            )
        ],
    )
    def delete_tags(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteTags.html"""
        with self._tags_lock:
            tags = self._tagged(request["ResourceArn"])
            for key in request["TagKeys"]:
                tags.pop(key, None)
        return {}

    @operation(
        "ListTags",
        needs=lambda self, request: [
            Call("sagemaker:ListTags", request["ResourceArn"], self.resource_tags(request["ResourceArn"]))
        ],
    )
    @paged("Tags", MOST_TAGS)
    def list_tags(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTags.html"""
        with self._tags_lock:
            return {"Tags": tag_list(self._tagged(request["ResourceArn"]))}
