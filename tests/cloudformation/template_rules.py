"""Our own rules for templates. Each returns its complaints, one line each, starting with file and line.

`fixtures/careless.yaml` breaks every one of them, so that a rule which has stopped looking is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from statements import Statement, documents, service_authorization, statements
from template_file import Resource, Template, line_of, schema

PROJECT_TAGS = {"sagemaker:project-name", "sagemaker:project-id"}
PROJECT_PATH = "/sagemaker-projects/"
BOUNDARY = "arn:aws:iam::123456789012:policy/sagemaker-projects/MLOpsProjectBoundary"

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters, white space not counted
LONGEST_MANAGED_POLICY = 6144
LONGEST_INLINE_POLICIES = 10240

# Taggable, and not said to be so in AWS's schema.
TAGGABLE_BESIDES = {"AWS::CodeBuild::Project"}


def untagged(template: Template) -> list[str]:
    """Taggable resources without the project's tags."""
    return [
        f"{template.at(resource.line)}: {resource.logical_id} lacks the tags {', '.join(sorted(missing))}"
        for resource in template.resources
        if _taggable(resource) and (missing := PROJECT_TAGS - _tag_keys(resource))
    ]


def _taggable(resource: Resource) -> bool:
    if resource.type.startswith("Custom::"):
        return False
    tagging = schema(resource.type).get("tagging", {})
    return resource.type in TAGGABLE_BESIDES or bool(tagging.get("taggable"))


def _tag_keys(resource: Resource) -> set[str]:
    return {str(tag["Key"]) for tag in resource.properties.get("Tags", [])}


def unbounded_roles(template: Template) -> list[str]:
    """Roles outside the projects' path, without the boundary, or with policies from elsewhere."""
    complaints = []
    for role in template.of_type("AWS::IAM::Role"):
        place = f"{template.at(role.line)}: {role.logical_id}"
        properties = template.resolve(role.properties)
        if properties.get("Path") != PROJECT_PATH:
            complaints.append(f"{place} is not under the path {PROJECT_PATH}")
        if properties.get("PermissionsBoundary") != BOUNDARY:
            complaints.append(f"{place} has no permissions boundary MLOpsProjectBoundary")
        if "RoleName" in properties:
            complaints.append(f"{place} has a name, which may be too long for a role")
        if "ManagedPolicyArns" in properties:
            complaints.append(f"{place} takes policies that this file does not show")
    return complaints


def wildcard_actions(template: Template) -> list[str]:
    """Actions with a wildcard, in anything but a denial."""
    return [
        f"{each.place} allows {action}"
        for each in statements(template)
        if each.allows
        for action in each.actions
        if "*" in action or "?" in action
    ]


def unexplained_wildcard_resources(template: Template) -> list[str]:
    """Statements on every resource without a comment on that line, or the one above, that says why."""
    complaints = []
    for each in statements(template):
        if "*" not in each.resources:
            continue
        line = _line_of_resource(each)
        if not any("#" in template.lines[number - 1] for number in (line, line - 1)):
            complaints.append(
                f"{template.at(line)}: {each.owner.logical_id} reaches every resource and does not say why"
            )
    return complaints


def _line_of_resource(statement: Statement) -> int:
    return next(line_of(key) for key in statement.written if key == "Resource")


def careless_pass_role(template: Template) -> list[str]:
    """iam:PassRole on any role, together with other actions, or to any service."""
    complaints = []
    for each in statements(template):
        if not each.allows or "iam:PassRole" not in each.actions:
            continue
        services = each.condition.get("StringEquals", {}).get("iam:PassedToService")
        if each.actions != ["iam:PassRole"]:
            complaints.append(f"{each.place} mixes iam:PassRole with other actions")
        if not services or "*" in str(services):
            complaints.append(f"{each.place} passes roles to any service")
        for resource in each.resources:
            # arn:aws:iam::<account>:role/<path>/<name>: the path at least has to be given
            if re.fullmatch(r"\*|arn:[^/]*:role/\*", resource):
                complaints.append(f"{each.place} passes {resource}")
    return complaints


def unknown_actions(template: Template) -> list[str]:
    """Actions that no AWS service has: misspelt ones."""
    return [
        f"{each.place} names {action}, which AWS does not have"
        for each in statements(template)
        for action in each.actions
        if "*" not in action and _authorization(action) is None
    ]


def actions_without_resource(template: Template) -> list[str]:
    """Actions that none of their statement's resources is for, so that they allow nothing.

    cfn-lint's I3510 says so too, but not where a resource is worked out by Fn::Sub.
    """
    complaints = []
    for each in statements(template):
        for action in each.actions:
            known = _authorization(action)
            if not each.allows or known is None or "*" in each.resources:
                continue
            formats = [form for kind in known.get("Resources", []) for form in _formats(action, kind)]
            formats += RESOURCES_BESIDES.get(action, [])
            if not any(_could_be(resource, form) for resource in each.resources for form in formats):
                complaints.append(f"{each.place} allows {action} on none of the resources it can be limited to")
    return complaints


# Actions that AWS checks on further resources than its reference lists, with the source.
RESOURCES_BESIDES = {
    # https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html
    "sagemaker:ListModelPackages": ["arn:${Partition}:sagemaker:${Region}:${Account}:model-package-group/.*"],
    # The reference knows this action for access points only; the schema of AWS::S3::Bucket lists it for tags.
    "s3:ListTagsForResource": ["arn:${Partition}:s3:::.*"],
    "s3:TagResource": ["arn:${Partition}:s3:::.*"],
    "s3:UntagResource": ["arn:${Partition}:s3:::.*"],
}


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
    """`endpoint/fraud-prod` is of `endpoint/.*`, and of nothing else; `sagemaker-project-x/*` is of `.*`."""
    kind = re.split(r"[/:]", wanted, maxsplit=1)[0]
    return kind in {"", ".*"} or own == "*" or re.split(r"[/:]", own, maxsplit=1)[0] == kind


def oversized_policies(template: Template) -> list[str]:
    """Policies that IAM would refuse for their length."""
    complaints = []
    for resource in template.resources:
        sizes = [(name, policy_size(template, document)) for name, document in documents(template, resource)]
        inline = sum(size for _, size in sizes)
        if resource.type == "AWS::IAM::ManagedPolicy" and inline > LONGEST_MANAGED_POLICY:
            complaints.append(f"{template.at(resource.line)}: {resource.logical_id} has {inline} characters")
        elif inline > LONGEST_INLINE_POLICIES:
            complaints.append(
                f"{template.at(resource.line)}: {resource.logical_id} has {inline} characters of policies"
            )
    return complaints


def policy_size(template: Template, document: Any) -> int:
    """The characters of a policy that IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(template.resolve(document), separators=(",", ":"))))


ALL = (
    untagged,
    unbounded_roles,
    wildcard_actions,
    unexplained_wildcard_resources,
    careless_pass_role,
    unknown_actions,
    actions_without_resource,
    oversized_policies,
)


def sums(template: Template) -> Iterator[tuple[int, list[int], int]]:
    """Line, addends and total of every sum in a comment: `# 63+11=74`."""
    for number, text in enumerate(template.lines, start=1):
        if found := re.search(r"#\s+(\d+(?:\+\d+)+)=(\d+)\b", text):
            yield number, [int(addend) for addend in found[1].split("+")], int(found[2])
