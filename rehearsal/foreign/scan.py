"""What of a template the rehearsal does not play, found before the launch by asking the rooms themselves.

Not everything shows in a template: what a launch or a build meets later is refused there, by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild.not_played import not_played as builds_not_played
from rehearsal.cloud.codepipeline.not_played import not_played as pipeline_not_played
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.codebuild import CodeBuildProject
from rehearsal.cloud.resources.codepipeline import PIPELINE, camel_case
from rehearsal.foreign.template import ForeignTemplateError, Template
from rehearsal.foreign.values import Values

UNRECOGNISED = re.compile(r"Unrecognized resource types: \[([^]]*)\]")
LINTED = re.compile(r"line (?P<line>\d+): (?P<what>.+)", re.S)
ENDING = " is not implemented by the rehearsal's cloud"
ROLE = re.compile(r"arn:aws:iam::(?P<account>\d{12}):role/(?P<name>[\w+=,.@/-]+)")


def check(template: Template, values: Values, cloud: Cloud, cloudformation: Any, url: str) -> None:  # noqa: ANN401 - boto3
    """Look the template through. `cloudformation` is a client of whoever publishes it, `url` where it was put.

    Raises ForeignTemplateError with a line for everything that is not played, or what CloudFormation says is wrong.
    """
    unknown: set[str] = set()
    try:
        cloudformation.validate_template(TemplateURL=url)
    except ClientError as problem:
        said = problem.response["Error"]["Message"]
        named = UNRECOGNISED.search(said)
        if named is None:
            raise ForeignTemplateError(*(_placed(template, line) for line in said.split("; "))) from problem
        unknown = set(named[1].split(", "))
    lines = []
    for logical_id, resource in template.resources.items():
        if values.exists(resource):
            for what in _not_played(resource, values, cloud, unknown):
                lines.append(f"{template.place(logical_id)}: the rehearsal does not play {what}.")
    if lines:
        raise ForeignTemplateError(*dict.fromkeys(lines))


def _placed(template: Template, said: str) -> str:
    """What CloudFormation or the linter says, with the file and its line in front."""
    found = LINTED.search(said)
    return f"{template.file}:{found['line']}: {found['what']}" if found else f"{template.file}: {said}"


def _not_played(resource: Mapping[str, Any], values: Values, cloud: Cloud, unknown: set[str]) -> Iterator[str]:
    type_name = resource["Type"]
    if type_name in unknown or not cloud.resources.knows(type_name):
        yield "this resource type"
        return
    properties = values.of(resource.get("Properties") or {})
    if "Fn::Transform" in properties:
        yield "macros (Fn::Transform)"
    try:
        if type_name == "AWS::CodePipeline::Pipeline":
            given = {key: value for key, value in properties.items() if key in PIPELINE}
            refusals = list(pipeline_not_played({"name": "it", **camel_case(given)}, cloud.region))
        elif type_name == "AWS::CodeBuild::Project":
            project = CodeBuildProject(cloud).arguments("CreateProject", {**properties, "Name": "it"})
            refusals = list(builds_not_played(project))
        else:
            refusals = []
    except (AwsError, KeyError, TypeError, ValueError, AttributeError):
        return  # not a shape that can be looked at without its values; the launch looks at it
    for refusal in refusals:
        yield said(refusal)


def said(refusal: NotImplementedHere) -> str:
    """What a refusal names, without the cloud's own ending."""
    return refusal.message.removesuffix(ENDING).replace(" of CodeBuild project it", "")


def roles_named(template: Template, values: Values, account: str) -> dict[str, str]:
    """Roles of the account that the template names and does not make: ARN -> where the first that does stands."""
    made = {
        str(values.of((resource.get("Properties") or {}).get("RoleName")))
        for resource in template.resources.values()
        if resource["Type"] == "AWS::IAM::Role"
    }
    found: dict[str, str] = {}
    for logical_id, resource in template.resources.items():
        if values.exists(resource):
            for text in _texts(values.of(resource.get("Properties") or {})):
                match = ROLE.fullmatch(text)
                if match and match["account"] == account and match["name"].rpartition("/")[2] not in made:
                    found.setdefault(text, template.place(logical_id))
    return found


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any value of a template
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
