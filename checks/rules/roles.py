"""Roles that a project makes stay below its path and its boundary; policies stay within IAM's sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from checks import rule
from checks.statements import documents
from checks.template_file import EXAMPLES, Template

PROJECT_PATH = "/sagemaker-projects/"
BOUNDARY = "arn:aws:iam::123456789012:policy/sagemaker-projects/MLOpsProjectBoundary"
OWN_BOUNDARY = "PermissionsBoundaryArn"
"""The parameter by which a launch may choose another one; the launch role takes those only that the account allows."""

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters, white space not counted
LONGEST_MANAGED_POLICY = 6144
LONGEST_INLINE_POLICIES = 10240


class BoundedRoles(rule.TemplateRule):
    """The launch role may make roles of a project only so: below the path, with the boundary or an allowed one."""

    id = "E9003"
    shortdesc = "A project's roles are bounded"
    description = (
        "Every role of a project is under its path, has the boundary (the one its launch chose, if any), no name and "
        "no policies from elsewhere"
    )

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        if not template.of_project:
            return
        for role in template.of_type("AWS::IAM::Role"):
            properties = template.resolve(role.properties)
            if properties.get("Path") != PROJECT_PATH:
                yield rule.Complaint(role.line, f"{role.logical_id} is not under the path {PROJECT_PATH}")
            for boundary, launched in launches(template):
                if launched.resolve(role.properties).get("PermissionsBoundary") != boundary:
                    what = BOUNDARY.rpartition("/")[2] if boundary == BOUNDARY else f"of the launch's {OWN_BOUNDARY}"
                    yield rule.Complaint(role.line, f"{role.logical_id} has no permissions boundary {what}")
            if "RoleName" in properties:
                yield rule.Complaint(role.line, f"{role.logical_id} has a name, which may be too long for a role")
            if "ManagedPolicyArns" in properties:
                yield rule.Complaint(role.line, f"{role.logical_id} takes policies that this file does not show")


def launches(template: Template) -> Iterator[tuple[str, Template]]:
    """The template as it is launched without a boundary of one's own and with one, and what its roles need then."""
    if OWN_BOUNDARY not in template.parameters:
        yield BOUNDARY, template
        return
    for chosen in ("", EXAMPLES[OWN_BOUNDARY]):
        parameters = {**template.parameters, OWN_BOUNDARY: chosen}
        yield chosen or BOUNDARY, Template(template.path, parameters, template.document)


class PolicySizes(rule.TemplateRule):
    """IAM refuses policies that are too long, and counts them with every name filled in."""

    id = "E9009"
    shortdesc = "Policies fit IAM"
    description = "No policy is longer than IAM takes, with the longest names"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for resource in template.resources:
            size = sum(policy_size(template, document) for _, document in documents(template, resource))
            managed = resource.type == "AWS::IAM::ManagedPolicy"
            most = LONGEST_MANAGED_POLICY if managed else LONGEST_INLINE_POLICIES
            if size > most:
                words = f"{resource.logical_id} has {size} characters of policies; IAM takes {most}"
                yield rule.Complaint(resource.line, words)


def policy_size(template: Template, document: Any) -> int:
    """The characters of a policy that IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(template.resolve(document), separators=(",", ":"))))
