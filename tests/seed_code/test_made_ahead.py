"""The template's two halves fit together, whatever becomes of the template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seed_code import SeedError
from seed_code.made_ahead import PREFIX_PARAMETER, Halves, split

TEMPLATE = (Path(__file__).resolve().parents[2] / "cloudformation" / "project.yaml").read_text(encoding="utf-8")
LONGEST_PREFIX = 30
ROLE = """
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  SageMakerProjectName: {Type: String}
  SageMakerProjectId: {Type: String}
Resources:
  Worker:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Effect: Allow, Action: 'x:y', Resource: %s}
  Thing: %s
"""


def halves(template: str) -> Halves:
    made = split(template)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def project() -> Any:
    return json.loads(halves(TEMPLATE).project)


@pytest.fixture(scope="module")
def roles() -> Any:
    return json.loads(halves(TEMPLATE).roles)


def inside(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a template."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from inside(each)


def referred_to(template: Any) -> set[str]:
    """The logical ids and parameters that a template refers to."""
    found: set[str] = set()
    for each in inside({key: template.get(key, {}) for key in ("Resources", "Outputs", "Conditions")}):
        if "Ref" in each:
            found.add(each["Ref"])
        if "Fn::GetAtt" in each:
            found.add(
                each["Fn::GetAtt"][0] if isinstance(each["Fn::GetAtt"], list) else each["Fn::GetAtt"].split(".")[0]
            )
        if "Fn::Sub" in each:
            text, *own = [each["Fn::Sub"]] if isinstance(each["Fn::Sub"], str) else each["Fn::Sub"]
            names = {name.partition(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
            found |= names - set(own[0] if own else ())
        if isinstance(each.get("DependsOn"), list):
            found |= set(each["DependsOn"])
    return {name for name in found if not name.startswith("AWS::")}


def test_the_project_has_no_iam_resource_and_everything_else(project: Any) -> None:
    kinds = {name: each["Type"] for name, each in project["Resources"].items()}
    assert not [kind for kind in kinds.values() if kind.startswith("AWS::IAM")]
    iam = len(re.findall(r"^    Type: AWS::IAM::", TEMPLATE, re.MULTILINE))
    assert len(kinds) == len(re.findall(r"^    Type: (?:AWS|Custom)::", TEMPLATE, re.MULTILINE)) - iam
    assert iam > 10


@pytest.mark.parametrize("half", ["project", "roles"])
def test_neither_half_refers_to_what_only_the_other_has(half: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(half)
    assert referred_to(template) <= {*template["Resources"], *template["Parameters"]}


def test_every_role_that_the_project_takes_is_made_under_that_very_name(project: Any, roles: Any) -> None:
    taken = set(re.findall(r":role/sagemaker-projects/\$\{RolePrefix\}-(\w+)", json.dumps(project)))
    made = {name for name, each in roles["Resources"].items() if each["Type"] == "AWS::IAM::Role"}
    assert taken <= made
    for name in made:
        properties = roles["Resources"][name]["Properties"]
        assert properties["RoleName"] == {"Fn::Sub": "${RolePrefix}-" + name}
        assert properties["Path"] == "/sagemaker-projects/"
        assert LONGEST_PREFIX + len(f"-{name}") <= 64
        boundary = properties["PermissionsBoundary"]["Fn::If"]
        assert boundary[:2] == ["HasOwnBoundary", {"Ref": "PermissionsBoundaryArn"}]
    assert project["Parameters"][PREFIX_PARAMETER] == roles["Parameters"][PREFIX_PARAMETER]


def test_a_policy_compares_patterns_as_patterns_and_names_no_region(roles: Any) -> None:
    text = json.dumps(roles["Resources"])
    assert "AWS::Region" not in text
    compared = [
        (operator, tests)
        for each in inside(roles["Resources"])
        if isinstance(each.get("Condition"), dict)
        for operator, tests in each["Condition"].items()
    ]
    assert [operator for operator, tests in compared if "SageMakerProject" in json.dumps(tests)] != []
    for operator, tests in compared:
        if "SageMakerProject" in json.dumps(tests):
            assert operator.removesuffix("IfExists").endswith("Like"), tests


def test_the_launch_form_has_a_line_for_the_roles(project: Any) -> None:
    form = project["Metadata"]["AWS::CloudFormation::Interface"]
    assert form["ParameterGroups"][-1]["Parameters"] == [PREFIX_PARAMETER]
    assert PREFIX_PARAMETER in form["ParameterLabels"]


def test_what_only_roles_take_is_asked_with_the_roles_and_not_on_the_launch_form(project: Any, roles: Any) -> None:
    assert "PermissionsBoundaryArn" in roles["Parameters"]
    assert "PermissionsBoundaryArn" not in json.dumps(project)
    form = project["Metadata"]["AWS::CloudFormation::Interface"]
    asked = [name for group in form["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(asked) == sorted(project["Parameters"]) == sorted(form["ParameterLabels"])
    assert all(group["Parameters"] for group in form["ParameterGroups"])
    given = {"SageMakerProjectName", "SageMakerProjectId"}
    assert given <= project["Parameters"].keys()
    rules = project["Metadata"]["SagemakerTemplateParameterRules"]
    assert rules.keys() == project["Parameters"].keys() - given - {PREFIX_PARAMETER}


@pytest.mark.parametrize(
    ("resource", "thing", "why"),
    [
        ("!GetAtt Thing.Arn", "{Type: 'AWS::SQS::Queue'}", "refers to Thing, a AWS::SQS::Queue"),
        ("!GetAtt Thing.Arn", "{Type: 'AWS::S3::Bucket', Properties: {}}", "has no BucketName"),
        ("'*'", "{Type: 'AWS::S3::Bucket', Properties: {BucketName: !GetAtt Worker.RoleId}}", "uses Worker.RoleId"),
    ],
)
def test_what_a_role_made_ahead_cannot_name_is_refused(resource: str, thing: str, why: str) -> None:
    with pytest.raises(SeedError, match=re.escape(why)):
        split(ROLE % (resource, thing))


@pytest.mark.parametrize(
    ("resource", "thing", "arn"),
    [
        (
            "!Sub '${Thing.Arn}/a'",
            "{Type: 'AWS::S3::Bucket', Properties: {BucketName: !Sub 'b-${SageMakerProjectId}'}}",
            "arn:${AWS::Partition}:s3:::b-${SageMakerProjectId}/a",
        ),
        (
            "!Ref Thing",
            "{Type: 'AWS::SNS::Topic', Properties: {TopicName: !Ref SageMakerProjectName}}",
            "arn:${AWS::Partition}:sns:*:${AWS::AccountId}:${SageMakerProjectName}",
        ),
        (
            "!GetAtt Thing.Arn",
            "{Type: 'AWS::Lambda::Function'}",
            "arn:${AWS::Partition}:lambda:*:${AWS::AccountId}:function:SP-*-Thing*",
        ),
    ],
)
def test_a_thing_of_the_project_is_named_by_the_arn_it_will_have(resource: str, thing: str, arn: str) -> None:
    made = json.loads(halves(ROLE % (resource, thing)).roles)
    [statement] = made["Resources"]["Worker"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == {"Fn::Sub": arn}


def test_a_template_that_makes_no_role_has_one_half_only() -> None:
    assert split("Resources: {Thing: {Type: 'AWS::SNS::Topic'}}") is None
