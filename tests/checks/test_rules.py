"""Our own rules notice what they are for, and name the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cfnlint.decode.cfn_yaml import load

from checks import templates
from checks.rules import roles
from checks.template_file import Template

CARELESS = Path(__file__).with_name("careless.yaml")
# What careless.yaml does wrong: rule, line, and words of the complaint.
EXPECTED = [
    ("E9001", 7, "Topic lacks the tags sagemaker:project-id"),
    ("E9001", 7, "Topic has a tag sagemaker:project-name that is not !Ref SageMakerProjectName"),
    ("E9002", 16, "ModelPackageGroupName of Group can have 65 characters; 63 fit"),
    ("E9003", 60, "NamedRole is not under the path"),
    ("E9003", 60, "NamedRole has no permissions boundary"),
    ("E9003", 60, "NamedRole has a name"),
    ("E9003", 60, "NamedRole takes policies that this file does not show"),
    ("E9004", 78, "NamedRole, Wildcard, allows s3:Get*"),
    ("E9004", 87, "NamedRole, AllButOne, allows *"),
    ("E9005", 93, "NamedRole, Everywhere, reaches every resource"),
    ("E9006", 98, "NamedRole, PassesAnything, mixes iam:PassRole with other actions"),
    ("E9006", 98, "NamedRole, PassesAnything, passes roles to any service"),
    ("E9006", 98, "NamedRole, PassesAnything, passes arn:aws:iam::123456789012:role/*"),
    ("E9007", 102, "NamedRole, Misspelt, names sagemaker:CreateModelPackages"),
    ("E9008", 106, "NamedRole, WrongResource, allows sagemaker:InvokeEndpoint on none"),
    ("E9010", 43, "aws/codebuild/standard:4.0 is not among the codebuild-image"),
    ("E9010", 55, "python3.11 is not among the lambda-runtime"),
    ("E9011", 21, "Silent does not say how it treats missing data"),
]
BOUNDED = """
Parameters:
  SageMakerProjectName: {Type: String}
  SageMakerProjectId: {Type: String}
  PermissionsBoundaryArn: {Type: String, Default: ''}
Conditions: {Own: !Not [!Equals [!Ref PermissionsBoundaryArn, '']]}
Resources:
  Worker:
    Type: AWS::IAM::Role
    Properties: {Path: /sagemaker-projects/, PermissionsBoundary: %s}
"""
FINDING = re.compile(r".*careless\.yaml:(?P<line>\d+): (?P<rule>E9\d+) (?P<words>.*)")


@pytest.fixture(scope="module")
def found() -> list[re.Match[str]]:
    """Our own rules' findings in careless.yaml."""
    return [match for each in templates.findings([CARELESS]) if (match := FINDING.fullmatch(each))]


@pytest.mark.parametrize(("rule", "line", "words"), EXPECTED, ids=lambda each: str(each))
def test_the_rule_notices_a_careless_template_and_names_the_line(
    found: list[re.Match[str]], rule: str, line: int, words: str
) -> None:
    said = [(each["rule"], int(each["line"])) for each in found if words in each["words"]]
    assert said == [(rule, line)]


def test_nothing_else_is_said(found: list[re.Match[str]]) -> None:
    """A wildcard with its reason beside it, for one, is fine."""
    assert len(found) == len(EXPECTED)


def test_every_rule_is_proved_to_notice_something() -> None:
    written = {
        number
        for path in templates.RULES.glob("*.py")
        for number in re.findall(r'^    id = "(E9\d+)"', path.read_text(encoding="utf-8"), re.M)
    }
    assert written == {rule for rule, *_ in EXPECTED} | {"E9009"}  # below


def test_a_policy_that_is_too_long_is_noticed(tmp_path: Path) -> None:
    too_long = ",".join(f"arn:aws:s3:::bucket/{number:060}" for number in range(roles.LONGEST_INLINE_POLICIES // 80))
    text = CARELESS.read_text(encoding="utf-8")
    copy = tmp_path / "long.yaml"
    copy.write_text(text.replace("Resource: arn:aws:s3:::bucket\n", f"Resource: [{too_long}]\n"), encoding="utf-8")

    (said,) = [each for each in templates.findings([copy]) if " E9009 " in each]

    assert ":60: E9009 NamedRole has " in said


@pytest.mark.parametrize(
    ("boundary", "lacks"),
    [
        ("!Ref PermissionsBoundaryArn", "MLOpsProjectBoundary"),
        (f"'{roles.BOUNDARY}'", "of the launch's PermissionsBoundaryArn"),
        (f"!If [Own, !Ref PermissionsBoundaryArn, '{roles.BOUNDARY}']", None),
    ],
)
def test_a_role_takes_the_boundary_its_launch_chose_and_the_account_s_otherwise(
    tmp_path: Path, boundary: str, lacks: str | None
) -> None:
    written = tmp_path / "project.yaml"
    written.write_text(BOUNDED % boundary, encoding="utf-8")
    template = Template.with_longest(written, load(str(written)))

    said = [each.words for each in roles.BoundedRoles().complaints(template)]

    assert said == ([f"Worker has no permissions boundary {lacks}"] if lacks else [])


def test_what_belongs_to_no_project_needs_no_project_s_tags(tmp_path: Path) -> None:
    copy = tmp_path / "account.yaml"
    text = CARELESS.read_text(encoding="utf-8")
    copy.write_text(text.replace("SageMakerProjectId", "Other"), encoding="utf-8")

    said = templates.findings([copy])

    assert [each for each in said if " E9011 " in each]
    assert [each for each in said if " E9001 " in each or " E9003 " in each] == []
