"""Stacks touch resources through here: ours are provided, the base's are authorised, every template is linted first."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.lambda_.triggers import refuse_properties
from rehearsal.cloud.relied_on import RESOURCE_TYPES
from rehearsal.cloud.resources.custom_answers import Answers
from rehearsal.cloud.resources.custom_resources import CustomResource, CustomResourceError, is_custom
from rehearsal.cloud.resources.handled import Account
from rehearsal.cloud.resources.linter import found_in
from rehearsal.cloud.resources.permissions import calls_for
from rehearsal.cloud.resources.provider import ResourceProvider, ResourceRequest
from rehearsal.cloud.resources.rules import check_targets

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


@cache
def resource_schema(type_name: str, region: str) -> dict[str, Any]:
    """AWS's published schema of a resource type, as cfn-lint bundles it. Raises NotImplementedHere for no such type."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # 1 s of imports: only when a stack needs it

    try:
        schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, type_name).schema
    except Exception as problem:
        raise NotImplementedHere(f"the resource type {type_name}") from problem
    return schema


def without_system_tags(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties without the tags that CloudFormation adds itself (`aws:cloudformation:stack-name`).

    On AWS they need no right of the stack's role, and count for no condition on tags: AWS's own launch role may give a
    function only tags that begin with `sagemaker:`, and launches functions in stacks.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
    """
    tags = properties.get("Tags")
    if not isinstance(tags, list):
        return properties
    own = [tag for tag in tags if not str(tag.get("Key", "")).startswith("aws:")]
    others = {name: value for name, value in properties.items() if name != "Tags"}
    return {**others, "Tags": own} if own else others


class ResourceEngine:
    """Answers the base's stack engine."""

    def __init__(self, cloud: Cloud, providers: Iterable[type[ResourceProvider]]) -> None:
        self._cloud = cloud
        self.answers = Answers(cloud)
        known: list[type[ResourceProvider]] = [*providers, CustomResource]
        self._providers = {provider.type_name: provider(cloud) for provider in known}
        self._where = Account(cloud.account, cloud.region, self._iam_entity)
        self._lint_lock = threading.Lock()

    @property
    def type_names(self) -> list[str]:
        """The types that stand here rather than in the base."""
        return sorted(self._providers)

    def knows(self, type_name: str) -> bool:
        """Whether a stack may hold such a resource, as far as this side of the base can tell."""
        return type_name in self._providers or is_custom(type_name) or type_name in RESOURCE_TYPES

    def replacing_properties(self) -> dict[str, list[str]]:
        """For each type of ours, the top-level properties whose change replaces the resource."""
        return {
            name: sorted(
                {path.split("/")[2] for path in self._schema(name).get("createOnlyProperties", [])},
            )
            for name, provider in self._providers.items()
            if provider.replaced_by_engine
        }

    def tag_properties(self) -> dict[str, str]:
        """For each taggable type of ours, the property that stack tags are merged into.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
        """
        found = {}
        for name in self._providers:
            tagging = self._schema(name).get("tagging", {})
            if tagging.get("taggable", False) and tagging.get("tagOnCreate", True):
                found[name] = tagging.get("tagProperty", "/properties/Tags").rpartition("/")[2]
        return found

    def _schema(self, type_name: str) -> dict[str, Any]:
        return resource_schema(type_name, self._cloud.region)

    # ---- the base's questions

    def answer(self, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        """Create, update, delete or authorise one resource as the stack's role. Raises AwsError with the reason."""
        request = ResourceRequest(
            type_name=document["type_name"],
            logical_id=document.get("logical_id") or "",
            stack_name=document["stack_name"],
            properties=document.get("properties") or {},
            actor=self._cloud.front_door.stacks.actor(document["stack_name"]),
            physical_id=document.get("physical_id") or "",
            previous_properties=document.get("previous_properties") or {},
            stack_id=document.get("stack_id") or "",
        )
        if operation == "authorise":
            self._authorise(document["operation"], request)
            return {}
        request = replace(
            request,
            properties=without_system_tags(request.properties),
            previous_properties=without_system_tags(request.previous_properties),
        )
        provider = self._providers[CustomResource.type_name if is_custom(request.type_name) else request.type_name]
        if operation == "delete":
            provider.delete(request)
            return {}
        made = provider.create(request) if operation == "create" else provider.update(request)
        return {"physical_id": made.physical_id, "attributes": made.attributes}

    def _authorise(self, operation: str, request: ResourceRequest) -> None:
        if request.type_name not in RESOURCE_TYPES:
            raise NotImplementedHere(f"the resource type {request.type_name}")
        handlers = self._schema(request.type_name)["handlers"]
        if operation != "delete":
            check_targets(request)
            refuse_properties(request.type_name, request.properties)
        permissions = handlers.get(operation, {}).get("permissions", [])
        self._cloud.identity.require(request.actor, calls_for(operation, permissions, request, self._where))

    def _iam_entity(self, kind: str, name: str) -> tuple[str, str]:
        """ARN and boundary of a role, user or group. One that does not exist is authorised as if it stood at `/`; IAM
        says afterwards that it cannot be found."""
        iam = self._cloud.client("iam", self._cloud.identity.root)
        try:
            entity = getattr(iam, f"get_{kind.lower()}")(**{f"{kind}Name": name})[kind]
        except iam.exceptions.NoSuchEntityException:
            return f"arn:aws:iam::{self._cloud.account}:{kind.lower()}/{name}", ""
        return entity["Arn"], entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")

    @staticmethod
    def reason(error: AwsError) -> str:
        """The words a stack event gives for a failed resource.

        https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
        """
        if isinstance(error, CustomResourceError):
            return error.message
        if isinstance(error, AccessDenied):
            code = "AccessDenied"
        elif isinstance(error, NotImplementedHere):
            code = "NotImplemented"
        else:
            code = "InvalidRequest" if error.status < 500 else "InternalFailure"
        return f'Resource handler returned message: "{error.message}" (HandlerErrorCode: {code})'

    # ---- templates

    def check_template(self, template: str) -> None:
        """Lint a template before it is deployed. Raises AwsError naming each error with its line."""
        with self._lint_lock:
            errors = found_in(template, self._cloud.region)
        if errors:
            raise AwsError("ValidationError", f"Template validation error: {'; '.join(errors)}")

    def warm_up(self) -> None:
        """Load the linter's rules and schemas, which takes seconds on the first use, while nobody waits for it."""
        self._cloud.background("load the linter", self.check_template, "Resources: {First: {Type: AWS::S3::Bucket}}")
