"""The launch role can launch, update and delete a project, and do nothing else with this account."""

from __future__ import annotations

import pytest
from handler_calls import NOT_CAUSED, all_calls, caused_calls

from checks.statements import Statement, statements
from checks.template_file import ACCOUNT, REGION, Resource, Template

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/sagemaker-projects/MLOpsProjectBoundary"
THEIRS = f"arn:aws:iam::{ACCOUNT}:policy/company/their-boundary"


def launch_statements(account_setup: Template) -> list[Statement]:
    return [each for each in statements(account_setup) if each.owner.logical_id == "LaunchRole" and each.allows]


def arn_for(project: Template, resource: Resource, action: str) -> str:
    """The ARN that an action on a resource is checked on."""
    properties = project.resolve(resource.properties)
    match resource.type:
        case "AWS::S3::BucketPolicy":
            return f"arn:aws:s3:::{properties['Bucket']}"
        case "AWS::SNS::TopicPolicy":
            return str(properties["Topics"][0])
        case "AWS::SNS::Subscription":
            return str(properties["TopicArn"])
        case "AWS::Lambda::Permission":
            return str(properties["FunctionName"])
        case "Custom::ProjectCleanUp":
            return str(properties["ServiceToken"])
        case "AWS::IAM::Policy":
            return f"arn:aws:iam::{ACCOUNT}:role/sagemaker-projects/{properties['Roles'][0]}"
        case _ if action in {"iam:PassRole", "iam:GetRole"}:
            return f"arn:aws:iam::{ACCOUNT}:role/sagemaker-projects/any"
        case _ if action in {"s3:GetObject", "s3:GetObjectVersion"}:
            return f"arn:aws:s3:::sagemaker-mlops-catalog-{ACCOUNT}-{REGION}/any.zip"
        case _:
            return project.arn(resource)


def test_the_launch_role_may_make_every_call_that_a_project_causes(project: Template, account_setup: Template) -> None:
    granted = launch_statements(account_setup)
    missing = [
        f"{project.at(resource.line)}: {resource.logical_id} needs {action} on {arn}"
        for resource in project.resources
        for action in sorted(caused_calls(resource.type))
        if not any(each.covers(action, arn := arn_for(project, resource, action)) for each in granted)
    ]
    assert missing == []


def test_a_missing_grant_is_noticed(project: Template, account_setup: Template) -> None:
    granted = launch_statements(account_setup)
    repository = project.resource("ModelBuildRepository")
    arn = project.arn(repository)
    assert any(each.covers("codecommit:CreateRepository", arn) for each in granted)
    assert not any(each.covers("codecommit:GitPush", arn) for each in granted)
    assert not any(each.covers("codecommit:CreateRepository", arn.replace("sagemaker-", "other-")) for each in granted)


def test_the_exceptions_are_really_calls_of_the_handlers() -> None:
    for type_name, reasons in NOT_CAUSED.items():
        for reason, exceptions in reasons.items():
            superfluous = exceptions - all_calls(type_name)
            assert not superfluous, f"{type_name}, {reason}: {sorted(superfluous)}"


def test_the_launch_role_grants_nothing_that_no_project_needs(project: Template, account_setup: Template) -> None:
    caused = set().union(*(caused_calls(resource.type) for resource in project.resources))
    # https://docs.aws.amazon.com/servicecatalog/latest/adminguide/getstarted-launchconstraint.html
    caused |= {
        action for each in launch_statements(account_setup) if each.policy == "stacks" for action in each.actions
    }
    granted = {action for each in launch_statements(account_setup) for action in each.actions}
    assert granted - caused == set()


@pytest.mark.parametrize(
    ("allowed", "boundaries"),
    [("", BOUNDARY), (THEIRS, [BOUNDARY, THEIRS]), (f"{THEIRS},{THEIRS}2", [BOUNDARY, THEIRS, f"{THEIRS}2"])],
    ids=["none allowed", "one allowed", "two allowed"],
)
def test_the_launch_role_creates_only_roles_with_the_boundary_or_one_that_the_account_allows(
    account_setup: Template, allowed: str, boundaries: str | list[str]
) -> None:
    chosen = {**account_setup.parameters, "AllowedPermissionsBoundaries": allowed}
    account_setup = Template(account_setup.path, chosen, account_setup.document)
    guarded = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    granted = launch_statements(account_setup)
    assert guarded <= {action for each in granted for action in each.actions}
    for each in granted:
        if guarded & set(each.actions):
            assert each.condition == {"StringEquals": {"iam:PermissionsBoundary": boundaries}}, each.place
        if any(action.startswith("iam:") for action in each.actions):
            assert each.resources == [f"arn:aws:iam::{ACCOUNT}:role/sagemaker-projects/*"], each.place
    (denied,) = (
        each for each in statements(account_setup) if each.owner.logical_id == "LaunchRole" and not each.allows
    )
    assert {"iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion"} <= set(denied.actions)
    assert all(denied.covers("iam:CreatePolicyVersion", each) for each in (BOUNDARY, THEIRS))


def test_the_launch_role_passes_roles_only_to_the_services_that_project_yaml_gives_them(
    project: Template, account_setup: Template
) -> None:
    (passing,) = (each for each in launch_statements(account_setup) if "iam:PassRole" in each.actions)
    given = {
        "AWS::CodeBuild::Project": "codebuild.amazonaws.com",
        "AWS::CodePipeline::Pipeline": "codepipeline.amazonaws.com",
        "AWS::Events::Rule": "events.amazonaws.com",
        "AWS::Lambda::Function": "lambda.amazonaws.com",
    }
    assert all(project.of_type(kind) for kind in given)
    assert set(passing.condition["StringEquals"]["iam:PassedToService"]) == set(given.values())


@pytest.mark.parametrize(
    ("allowed", "trusted"),
    [
        ("no", ["servicecatalog.amazonaws.com"]),
        ("yes", ["servicecatalog.amazonaws.com", "cloudformation.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:root"]),
    ],
)
def test_only_the_chosen_ways_of_launching_may_use_the_launch_role(
    account_setup: Template, allowed: str, trusted: list[str]
) -> None:
    chosen = Template(account_setup.path, {**account_setup.parameters, "AllowS3Templates": allowed})
    trust = chosen.resolve(chosen.resource("LaunchRole").properties["AssumeRolePolicyDocument"])
    principals = [value for statement in trust["Statement"] for value in statement["Principal"].values()]
    assert principals == trusted
