"""The contract between the stack engine and the providers of resource types."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from rehearsal.cloud.errors import NotImplementedHere

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.service import Credentials, Document

SUFFIX = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class ResourceRequest:
    """What the stack engine wants of a resource.

    `properties` are the resolved template properties; scalars may arrive as strings, as they do in CloudFormation.
    `actor` is the stack's role (or whoever made the stack when it has none).
    """

    type_name: str
    logical_id: str
    stack_name: str
    properties: dict[str, Any]
    actor: Credentials
    physical_id: str = ""
    previous_properties: dict[str, Any] = field(default_factory=dict)
    stack_id: str = ""

    def generated_name(self, longest: int, *, with_stack: bool = True) -> str:
        """A name as CloudFormation makes it up: `<stack>-<logical id>-<12 random characters>`, cut to `longest`.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html
        """
        suffix = "".join(secrets.choice(SUFFIX) for _ in range(12))
        stem = f"{self.stack_name}-{self.logical_id}" if with_stack else self.logical_id
        return f"{stem[: longest - 13]}-{suffix}"


@dataclass(frozen=True)
class Resource:
    """What exists afterwards: the value of `Ref` and the values of `Fn::GetAtt`."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


class ResourceProvider:
    """One resource type. Replacement (a create-only property changed) is decided by the engine, from AWS's schema."""

    type_name: ClassVar[str]
    replaced_by_engine: ClassVar[bool] = True
    """False where the provider decides itself: by another physical id after an update."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def call(self, request: ResourceRequest, service: str, operation: str, arguments: Document) -> Document:
        """Call an API as the stack's role."""
        return self.cloud.call(request.actor, service, operation, arguments)

    def create(self, request: ResourceRequest) -> Resource:
        raise NotImplementedHere(f"creating a {self.type_name} in a stack")

    def update(self, request: ResourceRequest) -> Resource:
        """Change the resource in place. `request.physical_id` and `request.previous_properties` say what exists."""
        raise NotImplementedHere(f"updating a {self.type_name} in a stack")

    def delete(self, request: ResourceRequest) -> None:
        raise NotImplementedHere(f"deleting a {self.type_name} in a stack")
