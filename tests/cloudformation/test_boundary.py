"""The boundary lets every role of a project do its work, and no role more than projects need."""

from __future__ import annotations

from fnmatch import fnmatchcase

from checks.statements import Statement, service_authorization, statements
from checks.template_file import ACCOUNT, Template


def boundary_statements(account_setup: Template) -> list[Statement]:
    return [each for each in statements(account_setup) if each.owner.logical_id == "ProjectBoundary" and each.allows]


def meant(action: str) -> set[str]:
    """The actions that AWS has of a pattern, in small letters."""
    service, _, name = action.lower().partition(":")
    return {f"{service}:{each}" for each in service_authorization()[service]["Actions"] if fnmatchcase(each, name)}


def test_the_boundary_covers_every_grant_of_every_role(project: Template, account_setup: Template) -> None:
    boundary = boundary_statements(account_setup)
    missing = [
        f"{each.place}: {action} on {resource}"
        for each in statements(project)
        for action in each.actions
        for resource in each.resources
        if not any(outer.covers(action, resource) for outer in boundary)
    ]
    assert missing == []


def test_the_boundary_covers_every_service_a_role_is_passed_to(project: Template, account_setup: Template) -> None:
    (outer,) = (each for each in boundary_statements(account_setup) if "iam:PassRole" in each.actions)
    allowed = set(outer.condition["StringEquals"]["iam:PassedToService"])
    passed = {
        each.condition["StringEquals"]["iam:PassedToService"]
        for each in statements(project)
        if "iam:PassRole" in each.actions
    }
    assert passed == allowed


def test_the_boundary_allows_nothing_that_no_role_uses(project: Template, account_setup: Template) -> None:
    used = {action.lower() for each in statements(project) for action in each.actions}
    written = {action for each in boundary_statements(account_setup) for action in each.actions}
    allowed = {action: meant(action) if "*" in action else {action.lower()} for action in written}
    assert {action: found - used for action, found in allowed.items() if found - used} == {}
    assert all(allowed.values()), "a pattern that fits nothing"


def test_no_role_of_a_project_can_become_more_than_it_is(account_setup: Template) -> None:
    allowed = {action for each in boundary_statements(account_setup) for action in each.actions}
    assert {action for action in allowed if action.startswith("iam:")} == {
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    }
    assert not {action for action in allowed if action.startswith(("sts:", "organizations:"))}
    # Whoever creates a function or changes its code acts with the function's role.
    assert {action for action in allowed if action.startswith("lambda:")} == {
        "lambda:InvokeFunction",
        "lambda:ListFunctions",
    }


def test_keys_are_used_only_in_this_account_and_only_through_the_services_that_encrypt(
    account_setup: Template,
) -> None:
    (keys,) = (
        each for each in boundary_statements(account_setup) if any(one.startswith("kms:") for one in each.actions)
    )
    assert keys.resources == [f"arn:*:kms:*:{ACCOUNT}:key/*"]
    assert keys.condition == {"StringLike": {"kms:ViaService": ["s3.*", "sagemaker.*", "sns.*"]}}
    assert all(action.startswith("kms:") for action in keys.actions)


def test_an_action_beyond_the_boundary_is_noticed(account_setup: Template) -> None:
    boundary = boundary_statements(account_setup)
    own_group = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/codebuild/sagemaker-x:*"
    assert any(each.covers("logs:PutLogEvents", own_group) for each in boundary)
    assert not any(each.covers("logs:DeleteLogGroup", own_group) for each in boundary)
    assert not any(each.covers("logs:PutLogEvents", own_group.replace("sagemaker-x", "other")) for each in boundary)
    assert not any(each.covers("s3:PutObject", "arn:aws:s3:::other/key") for each in boundary)
    assert meant("application-autoscaling:*Resource") > {"application-autoscaling:tagresource"}


def test_its_name_and_path_are_those_the_project_s_roles_carry(project: Template, account_setup: Template) -> None:
    arn = account_setup.arn(account_setup.resource("ProjectBoundary"))
    their_own = "arn:aws:iam::123456789012:policy/theirs"
    for chosen, expected in (("", arn), (their_own, their_own)):
        launched = Template(project.path, {**project.parameters, "PermissionsBoundaryArn": chosen}, project.document)
        roles = launched.of_type("AWS::IAM::Role")
        assert {launched.resolve(role.properties["PermissionsBoundary"]) for role in roles} == {expected}
