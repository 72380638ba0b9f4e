"""The statements of identity policies in a template, and what they allow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

import cfnlint.data

from checks.template_file import Resource, Template, line_of

IDENTITY_POLICIES = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::RolePolicy")


@dataclass(frozen=True)
class Statement:
    """One statement of an identity policy. `resources` are worked out; `line` is the statement's first."""

    template: Template
    owner: Resource
    policy: str
    written: dict[str, Any]

    @property
    def line(self) -> int:
        return line_of(self.written)

    @property
    def place(self) -> str:
        return f"{self.template.at(self.line)}: {self.owner.logical_id}, {self.written.get('Sid', self.policy)}"

    @property
    def name(self) -> str:
        """Whose statement it is, and its own name."""
        return f"{self.owner.logical_id}, {self.written.get('Sid', self.policy)},"

    @property
    def allows(self) -> bool:
        return bool(self.written["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        """NotAction counts as every action: whatever AWS adds later is among them."""
        return [str(action) for action in _as_list(self.written.get("Action", "*"))]

    @property
    def resources(self) -> list[str]:
        """NotResource counts as every resource."""
        return [str(resource) for resource in _as_list(self.template.resolve(self.written.get("Resource", "*")))]

    @property
    def condition(self) -> dict[str, Any]:
        found: dict[str, Any] = self.template.resolve(self.written.get("Condition", {}))
        return found

    def covers(self, action: str, resource: str) -> bool:
        """Whether action and resource (which may itself be a pattern) lie within the statement; conditions aside."""
        return any(fnmatchcase(action.lower(), own.lower()) for own in self.actions) and any(
            fnmatchcase(resource, own) for own in self.resources
        )


def documents(template: Template, resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and document of every identity policy of a resource, those under a condition included."""
    properties = resource.properties
    if resource.type == "AWS::IAM::Role":
        for policy in _branches(properties.get("Policies", [])):
            yield str(policy["PolicyName"]), policy["PolicyDocument"]
    elif resource.type in IDENTITY_POLICIES:
        yield template.name(resource), properties["PolicyDocument"]


def statements(template: Template) -> list[Statement]:
    """Every statement of every identity policy of a template."""
    return [
        Statement(template, resource, name, statement)
        for resource in template.resources
        for name, document in documents(template, resource)
        for statement in _branches(document["Statement"])
    ]


def _branches(written: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The items of a list; of an Fn::If, both branches that are not AWS::NoValue."""
    for item in written:
        if set(item) == {"Fn::If"}:
            yield from (branch for branch in item["Fn::If"][1:] if branch != {"Ref": "AWS::NoValue"})
        else:
            yield item


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def service_authorization() -> dict[str, Any]:
    """Which actions exist and what resources they can be limited to, from AWS's Service Authorization Reference.

    Bundled with cfn-lint. https://docs.aws.amazon.com/service-authorization/latest/reference/
    """
    file = resources.files(cfnlint.data) / "AdditionalSpecs" / "Policies.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
