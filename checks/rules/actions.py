"""Grants that mean what they say: actions that exist, on resources they know, and roles passed to named services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from checks import rule
from checks.statements import service_authorization, statements
from checks.template_file import Template

# Actions that AWS checks on further resources than its reference lists, with the source.
RESOURCES_BESIDES = {
    # https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html
    "sagemaker:ListModelPackages": ["arn:${Partition}:sagemaker:${Region}:${Account}:model-package-group/.*"],
    # The reference knows this action for access points only; the schema of AWS::S3::Bucket lists it for tags.
    "s3:ListTagsForResource": ["arn:${Partition}:s3:::.*"],
    "s3:TagResource": ["arn:${Partition}:s3:::.*"],
    "s3:UntagResource": ["arn:${Partition}:s3:::.*"],
}


class CarefulPassRole(rule.TemplateRule):
    """iam:PassRole on any role, together with other actions, or to any service, is a way to more rights."""

    id = "E9006"
    shortdesc = "Roles are passed with care"
    description = "iam:PassRole stands alone, names the services and the roles"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for each in statements(template):
            if not each.allows or "iam:PassRole" not in each.actions:
                continue
            services = each.condition.get("StringEquals", {}).get("iam:PassedToService")
            if each.actions != ["iam:PassRole"]:
                yield rule.Complaint(each.line, f"{each.name} mixes iam:PassRole with other actions")
            if not services or "*" in str(services):
                yield rule.Complaint(each.line, f"{each.name} passes roles to any service")
            for resource in each.resources:
                # arn:aws:iam::<account>:role/<path>/<name>: the path at least has to be given
                if re.fullmatch(r"\*|arn:[^/]*:role/\*", resource):
                    yield rule.Complaint(each.line, f"{each.name} passes {resource}")


class KnownActions(rule.TemplateRule):
    """A misspelt action allows nothing, and nobody is told."""

    id = "E9007"
    shortdesc = "Actions exist"
    description = "Every action is one that AWS has"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for each in statements(template):
            for action in each.actions:
                if "*" not in action and _authorization(action) is None:
                    yield rule.Complaint(each.line, f"{each.name} names {action}, which AWS does not have")


class ActionsOnTheirResources(rule.TemplateRule):
    """Actions that none of their statement's resources is for, so that they allow nothing.

    cfn-lint's I3510 says so too, but not where a resource is worked out by Fn::Sub.
    """

    id = "E9008"
    shortdesc = "Actions are on resources they know"
    description = "Every action can be limited to one of the resources of its statement"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for each in statements(template):
            for action in each.actions:
                known = _authorization(action)
                if not each.allows or known is None or "*" in each.resources:
                    continue
                formats = [form for kind in known.get("Resources", []) for form in _formats(action, kind)]
                formats += RESOURCES_BESIDES.get(action, [])
                if not any(_could_be(resource, form) for resource in each.resources for form in formats):
                    words = f"{each.name} allows {action} on none of the resources it can be limited to"
                    yield rule.Complaint(each.line, words)


def _authorization(action: str) -> dict[str, Any] | None:
    service, _, name = action.partition(":")
    found: dict[str, Any] | None = service_authorization().get(service, {}).get("Actions", {}).get(name.lower())
    return found


def _formats(action: str, kind: str) -> list[str]:
    service = action.partition(":")[0]
    formats: list[str] = service_authorization()[service]["Resources"][kind.lower()]["ARNFormats"]
    return formats


def _could_be(resource: str, form: str) -> bool:
    """Whether a resource, wildcards included, can be of an ARN format such as arn:${Partition}:sns:${Region}:….*"""
    return all(
        "*" in own or "${" in wanted or re.fullmatch(wanted, own) is not None
        for own, wanted in zip(_arn_parts(resource), _arn_parts(form), strict=True)
    ) and _same_kind(_arn_parts(resource)[5], _arn_parts(form)[5])


def _arn_parts(arn: str) -> list[str]:
    """The six parts of an ARN."""
    return arn.split(":", 5)


def _same_kind(own: str, wanted: str) -> bool:
    """`endpoint/fraud-prod` is of `endpoint/.*`, and of nothing else; `*/x` is of every kind, `x/*` of `.*`."""
    kind = re.split(r"[/:]", wanted, maxsplit=1)[0]
    return kind in {"", ".*"} or re.split(r"[/:]", own, maxsplit=1)[0] in {"*", kind}
