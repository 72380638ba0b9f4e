"""A healthy account passes; each single thing that is broken gives its finding and its fix, and nothing else."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import validate_parameters

from service_catalog import __main__ as command
from service_catalog.preflight import Report, State, checks, run
from service_catalog.preflight.asking import Account
from service_catalog.preflight.published import APPROVER_POLICY, BOUNDARY, USER_POLICY
from service_catalog.publish import LAUNCH_ROLE
from service_catalog.target import Target
from tests.service_catalog.test_contracts import ACCOUNT_TEMPLATE, PROJECT_TEMPLATE, read

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "123456789012", "eu-west-1"
STUDIO = f"arn:aws:iam::{ACCOUNT}:role/service-role/StudioExecution"
BUCKET = f"sagemaker-mlops-catalog-{ACCOUNT}-{REGION}"
TEMPLATE_KEY = f"template/project-{'a' * 64}.yaml"
SEED_KEY, FUNCTIONS_KEY = f"seed/modelbuild-{'b' * 64}.zip", f"functions/project-{'c' * 64}.zip"
TAGGED = {"TagSet": [{"Key": "servicecatalog:provisioning", "Value": "true"}]}
MISSING = "the thing is not there"
POLICIES = {each: f"arn:aws:iam::{ACCOUNT}:{each}" for each in (BOUNDARY, USER_POLICY, APPROVER_POLICY)}
OTHER_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/company/Theirs"

CATALOG = {
    "Resources": {
        "Product": {
            "Type": "AWS::ServiceCatalog::CloudFormationProduct",
            "Properties": {
                "ProvisioningArtifactParameters": [
                    {
                        "Name": "1.0.0-aaaaaaaa",
                        "Description": "x",
                        "Info": {"LoadTemplateFromURL": f"https://{BUCKET}.s3.{REGION}.amazonaws.com/{TEMPLATE_KEY}"},
                    }
                ]
            },
        },
        "Access": {
            "Type": "AWS::ServiceCatalog::PortfolioPrincipalAssociation",
            "Properties": {"PrincipalARN": STUDIO},
        },
    }
}


def trust(service: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": service}}]})


def role(arn: str, service: str) -> dict[str, Any]:
    return {"Role": {"Arn": arn, "AssumeRolePolicyDocument": trust(service)}}


def policy_of_users(*sids: str) -> dict[str, Any]:
    statements = [{"Sid": each, "Effect": "Deny"} for each in sids]
    return {"PolicyVersion": {"Document": json.dumps({"Statement": statements})}}


def boundaries(allowed: str | list[str]) -> dict[str, Any]:
    condition = {"StringEquals": {"iam:PermissionsBoundary": allowed}}
    statements = [{"Sid": "CreateOnlyBoundedRoles", "Condition": condition}, {"Sid": "ManageProjectRoles"}]
    return {"RoleName": LAUNCH_ROLE, "PolicyName": "roles", "PolicyDocument": json.dumps({"Statement": statements})}


def who_has(*roles: str) -> dict[str, Any]:
    return {"PolicyRoles": [{"RoleName": each} for each in roles], "PolicyUsers": [], "PolicyGroups": []}


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": f"L-{len(name)}", "Value": value}


def denied(operation: str, message: str = "Forbidden") -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)


def refused(code: str, operation: str = "Asked") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": MISSING}}, operation)


def by(key: str, answers: dict[str, Any], code: str) -> Callable[[dict[str, Any]], Any]:
    """Answers by one member of the request; an error with that code for what is not among them."""
    return lambda request: answers.get(request[key], refused(code))


def healthy() -> dict[tuple[str, str], Any]:
    """What AWS answers of an account in which everything is in order."""
    return {
        ("codecommit", "list_repositories"): {"repositories": []},
        ("iam", "get_role"): {
            "StudioExecution": role(STUDIO, "sagemaker.amazonaws.com"),
            LAUNCH_ROLE: role(f"arn:aws:iam::{ACCOUNT}:role/{LAUNCH_ROLE}", "servicecatalog.amazonaws.com"),
        },
        ("iam", "get_policy"): {
            arn: {"Policy": {"Arn": arn, "DefaultVersionId": "v1"}} for arn in (*POLICIES.values(), OTHER_BOUNDARY)
        },
        ("iam", "get_policy_version"): policy_of_users("LeaveProductionToApprovers"),
        ("iam", "get_role_policy"): {
            LAUNCH_ROLE: boundaries([POLICIES[BOUNDARY], OTHER_BOUNDARY]),
        },
        ("iam", "list_entities_for_policy"): {
            POLICIES[USER_POLICY]: who_has("StudioExecution"),
            POLICIES[APPROVER_POLICY]: who_has("Approver"),
        },
        ("iam", "list_attached_role_policies"): {
            "AttachedPolicies": [{"PolicyArn": f"arn:aws:iam::{ACCOUNT}:{USER_POLICY}"}]
        },
        ("sagemaker", "list_domains"): {"Domains": [{"DomainId": "d-1", "Status": "InService"}]},
        ("sagemaker", "describe_domain"): {"DefaultUserSettings": {"ExecutionRole": STUDIO}},
        ("sagemaker", "list_user_profiles"): {"UserProfiles": [{"UserProfileName": "ada"}]},
        ("sagemaker", "describe_user_profile"): {"UserSettings": {}},
        ("service-quotas", "list_service_quotas"): {
            "Quotas": [
                quota("ml.m5.large for endpoint usage", 5),
                quota("ml.m5.large for processing job usage", 1),
                quota("ml.m5.large for training job usage", 1),
            ]
        },
        ("cloudformation", "describe_stacks"): {
            "Stacks": [
                {
                    "StackName": "mlops-catalog",
                    "StackStatus": "UPDATE_COMPLETE",
                    "Outputs": [
                        {"OutputKey": "PortfolioId", "OutputValue": "port-1"},
                        {"OutputKey": "ProductId", "OutputValue": "prod-1"},
                    ],
                }
            ]
        },
        ("cloudformation", "get_template"): {"TemplateBody": json.dumps(CATALOG)},
        ("servicecatalog", "describe_product_as_admin"): {
            "Tags": [{"Key": "sagemaker:studio-visibility", "Value": "true"}]
        },
        ("servicecatalog", "list_constraints_for_portfolio"): {"ConstraintDetails": [{"Type": "LAUNCH"}]},
        ("servicecatalog", "list_principals_for_portfolio"): {"Principals": [{"PrincipalARN": STUDIO}]},
        ("s3", "get_object"): {TEMPLATE_KEY: {"Body": f"Key: {SEED_KEY}\nOther: {FUNCTIONS_KEY}\n"}},
        ("s3", "head_object"): {TEMPLATE_KEY: {}, SEED_KEY: {}, FUNCTIONS_KEY: {}},
        ("s3", "get_object_tagging"): {TEMPLATE_KEY: TAGGED, SEED_KEY: TAGGED, FUNCTIONS_KEY: TAGGED},
    }


BY = {
    ("iam", "get_role"): ("RoleName", "NoSuchEntity"),
    ("iam", "get_policy"): ("PolicyArn", "NoSuchEntity"),
    ("iam", "get_role_policy"): ("RoleName", "NoSuchEntity"),
    ("iam", "list_entities_for_policy"): ("PolicyArn", "NoSuchEntity"),
    ("s3", "get_object"): ("Key", "NoSuchKey"),
    ("s3", "head_object"): ("Key", "404"),
    ("s3", "get_object_tagging"): ("Key", "NoSuchKey"),
}
"""Operations whose answer goes by a member of the request, and what AWS says of what is not there."""


@cache
def service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def session(region: str) -> boto3.Session:
    return boto3.Session(region_name=region)


class FakeService:
    """Answers as it is told; requests and answers are checked against botocore's model of the service."""

    def __init__(self, service: str, answers: dict[tuple[str, str], Any]) -> None:
        self._service, self._answers = service, answers
        self._model = service_model(service)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        name = "".join(part.capitalize() for part in operation.split("_"))
        model = self._model.operation_model(name)

        def call(**request: Any) -> Any:
            if model.input_shape is not None:
                validate_parameters(request, model.input_shape)
            answer = self._answers[self._service, operation]
            if (self._service, operation) in BY and isinstance(answer, dict):
                answer = by(*BY[self._service, operation][:1], answer, BY[self._service, operation][1])(request)
            if isinstance(answer, Exception):
                raise answer
            known(answer, model.output_shape)
            answer = copy.deepcopy(answer)
            return answer | {"Body": io.BytesIO(answer["Body"].encode())} if "Body" in answer else answer

        return call

    def get_paginator(self, operation: str) -> Any:
        call = getattr(self, operation)
        pages = botocore.session.get_session().get_paginator_model(self._service)
        pages.get_paginator("".join(part.capitalize() for part in operation.split("_")))  # ValueError without pages

        class Paginator:
            def paginate(self, **request: Any) -> Iterator[Any]:
                yield call(**request)

        return Paginator()


def known(answer: Any, shape: Any) -> None:
    """Nothing is answered that the service's model does not have."""
    if shape is not None and shape.type_name == "structure":
        assert set(answer) <= set(shape.members), set(answer) - set(shape.members)
        for name, value in answer.items():
            known(value, shape.members[name])
    elif shape is not None and shape.type_name == "list":
        for each in answer:
            known(each, shape.member)


@pytest.fixture
def answers(no_aws: None, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Any]:
    """What AWS answers during this test; every target asks it."""
    told = healthy()
    monkeypatch.setattr(Target, "client", lambda _, service: FakeService(service, told))
    return told


def target(region: str = REGION, caller: str = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/me") -> Target:
    return Target(session(region), ACCOUNT, region, "aws", "amazonaws.com", caller)


def look(*roles: str, root: Path = ROOT, at: Target | None = None) -> Report:
    return run(Account(at or target(), root, roles), checks())


def test_a_healthy_account_passes(answers: dict[tuple[str, str], Any]) -> None:
    report = look()

    assert [result.lines() for result in report.results if result.state is not State.HOLDS] == []
    assert report.status == 0
    assert list(report.lines())[-1] == "A launch would work."


def lacks_role(told: dict[tuple[str, str], Any], name: str) -> None:
    del told["iam", "get_role"][name]


BROKEN: dict[str, tuple[str, Callable[[dict[tuple[str, str], Any]], Any], str, str]] = {
    "no domain": (
        "Studio domain",
        lambda told: told["sagemaker", "list_domains"].update(Domains=[]),
        f"No Studio domain is in service in {REGION}: there is none",
        "Create domain",
    ),
    "the domain failed": (
        "Studio domain",
        lambda told: told["sagemaker", "list_domains"]["Domains"][0].update(Status="Failed"),
        "d-1 is Failed",
        "Create domain",
    ),
    "another role in the domain": (
        "Studio domain",
        lambda told: told["sagemaker", "describe_domain"].update(DefaultUserSettings={"ExecutionRole": "arn:other"}),
        "the domain's own role is arn:other",
        "--studio-role-arn arn:other",
    ),
    "the Studio role cannot be taken": (
        "Studio roles",
        lambda told: told["iam", "get_role"].update(StudioExecution=role(STUDIO, "ec2.amazonaws.com")),
        f"SageMaker may not take the role {STUDIO}",
        "Trust relationships",
    ),
    "the Studio role has another path": (
        "Studio roles",
        lambda told: told["iam", "get_role"].update(StudioExecution=role("arn:x", "sagemaker.amazonaws.com")),
        "is arn:x, not",
        "with its path",
    ),
    "no launch role": (
        "launch role",
        lambda told: lacks_role(told, LAUNCH_ROLE),
        "MLOpsProjectLaunchRole is missing",
        "'make publish' sets the account up",
    ),
    "the launch role cannot be taken": (
        "launch role",
        lambda told: told["iam", "get_role"].update({LAUNCH_ROLE: role("arn:y", "ec2.amazonaws.com")}),
        "Service Catalog may not take the launch role",
        "REVERT_DRIFT",
    ),
    "no boundary": (
        "permissions boundary",
        lambda told: told["iam", "get_policy"].pop(POLICIES[BOUNDARY]),
        f"arn:aws:iam::{ACCOUNT}:policy/sagemaker-projects/MLOpsProjectBoundary is missing",
        "'make publish' sets the account up",
    ),
    "a boundary that may be chosen was deleted": (
        "permissions boundary",
        lambda told: told["iam", "get_policy"].pop(OTHER_BOUNDARY),
        f"{OTHER_BOUNDARY}, which launches may choose, is missing",
        "--no-allowed-boundaries when there is none",
    ),
    "no policy of approvers": (
        "somebody who approves",
        lambda told: told["iam", "get_policy"].pop(POLICIES[APPROVER_POLICY]),
        f"{POLICIES[APPROVER_POLICY]} is missing; nobody may approve",
        "'make publish' sets the account up",
    ),
    "nobody approves": (
        "somebody who approves",
        lambda told: told["iam", "list_entities_for_policy"].update({POLICIES[APPROVER_POLICY]: who_has()}),
        f"of the policy {POLICIES[APPROVER_POLICY]}, nobody has it",
        "--approver-role-arn ARN",
    ),
    "only data scientists approve": (
        "somebody who approves",
        lambda told: told["iam", "list_entities_for_policy"].update(
            {POLICIES[APPROVER_POLICY]: who_has("StudioExecution")}
        ),
        "only role StudioExecution, denied it as data scientists, has it",
        "--users-may-approve",
    ),
    "no rights in Studio": (
        "rights of the Studio roles",
        lambda told: told["iam", "list_attached_role_policies"].update(AttachedPolicies=[]),
        f"lacks the policy arn:aws:iam::{ACCOUNT}:policy/MLOpsProjectUser",
        "aws iam attach-role-policy --role-name StudioExecution",
    ),
    "nobody is let in": (
        "portfolio open to the Studio roles",
        lambda told: told["servicecatalog", "list_principals_for_portfolio"].update(Principals=[]),
        f"port-1 is not open to {STUDIO}",
        f"associate-principal-with-portfolio --portfolio-id port-1 --principal-arn {STUDIO}",
    ),
    "Studio does not show it": (
        "product in Service Catalog",
        lambda told: told["servicecatalog", "describe_product_as_admin"].update(Tags=[]),
        "lacks the tag sagemaker:studio-visibility=true",
        "update-product --id prod-1 --add-tags",
    ),
    "no launch constraint": (
        "product in Service Catalog",
        lambda told: told["servicecatalog", "list_constraints_for_portfolio"].update(ConstraintDetails=[]),
        "has no launch constraint",
        '--portfolio-id port-1 --product-id prod-1 --type LAUNCH --parameters {"RoleArn":"arn:aws:iam::',
    ),
    "the product was deleted": (
        "product in Service Catalog",
        lambda told: told.update(
            {("servicecatalog", "describe_product_as_admin"): refused("ResourceNotFoundException")}
        ),
        "(prod-1) was deleted",
        "'make teardown'",
    ),
    "no template": (
        "templates and archives",
        lambda told: told["s3", "get_object"].clear(),
        f"s3://{BUCKET}/{TEMPLATE_KEY} is missing",
        "uploads it again",
    ),
    "no archive": (
        "templates and archives",
        lambda told: told["s3", "head_object"].pop(SEED_KEY),
        f"s3://{BUCKET}/{SEED_KEY} is missing; version 1.0.0-aaaaaaaa is made from it",
        "uploads it again",
    ),
    "an archive without its tag": (
        "templates and archives",
        lambda told: told["s3", "get_object_tagging"].update({FUNCTIONS_KEY: {"TagSet": []}}),
        f"{FUNCTIONS_KEY} lacks the tag servicecatalog:provisioning=true",
        f"put-object-tagging --bucket {BUCKET} --key {FUNCTIONS_KEY}",
    ),
    "too few instances for endpoints": (
        "quotas of instances",
        lambda told: told["service-quotas", "list_service_quotas"]["Quotas"][0].update(Value=4),
        "The quota 'ml.m5.large for endpoint usage' is 4 in eu-west-1; 5 are needed",
        "request-service-quota-increase --service-code sagemaker --quota-code L-30 --desired-value 5",
    ),
    "no instance for training": (
        "quotas of instances",
        lambda told: told["service-quotas", "list_service_quotas"]["Quotas"][2].update(Value=0),
        "'ml.m5.large for training job usage' is 0",
        "--desired-value 1",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_each_thing_that_is_broken_gives_its_finding_and_its_fix(
    answers: dict[tuple[str, str], Any], broken: str
) -> None:
    check, break_it, what, fix = BROKEN[broken]
    break_it(answers)

    report = look()

    assert [result.name for result in report.results if result.findings] == [check]
    (finding,) = report.findings
    assert what in finding.what
    assert fix in finding.fix
    assert report.status == 1
    assert not report.not_checked


def test_data_scientists_approve_where_duties_are_not_separated(answers: dict[tuple[str, str], Any]) -> None:
    answers["iam", "list_entities_for_policy"][POLICIES[APPROVER_POLICY]] = who_has("StudioExecution")
    answers["iam", "get_policy_version"] = policy_of_users()

    assert look().status == 0


def test_an_account_that_allows_no_further_boundary_has_one_to_look_for(answers: dict[tuple[str, str], Any]) -> None:
    answers["iam", "get_role_policy"][LAUNCH_ROLE] = boundaries(POLICIES[BOUNDARY])
    del answers["iam", "get_policy"][OTHER_BOUNDARY]

    assert look().status == 0


def test_a_studio_role_that_is_gone_is_found_and_its_rights_wait(answers: dict[tuple[str, str], Any]) -> None:
    lacks_role(answers, "StudioExecution")

    report = look()

    (finding,) = report.findings
    assert finding.what == f"There is no role {STUDIO}."
    assert {result.name: result.reason for result in report.results if result.state is State.WAITS} == {
        "rights of the Studio roles": "there is no role StudioExecution"
    }


def test_the_role_of_one_user_is_as_good_as_the_domains(answers: dict[tuple[str, str], Any]) -> None:
    answers["sagemaker", "describe_domain"] = {"DefaultUserSettings": {"ExecutionRole": "arn:other"}}
    answers["sagemaker", "describe_user_profile"] = {"UserSettings": {"ExecutionRole": STUDIO}}

    assert look().status == 0


def test_before_the_first_publish_what_is_missing_is_named_once(answers: dict[tuple[str, str], Any]) -> None:
    answers["cloudformation", "describe_stacks"] = refused("ValidationError")
    lacks_role(answers, LAUNCH_ROLE)
    answers["iam", "get_role_policy"].clear()
    answers["iam", "get_policy"].clear()

    report = look(STUDIO)

    assert [result.name for result in report.results if result.findings] == [
        "launch role",
        "permissions boundary",
        "somebody who approves",
        "product in Service Catalog",
    ]
    assert [finding.fix for finding in report.findings][-1] == "make publish"
    waiting = {result.name for result in report.results if result.state is State.WAITS}
    assert waiting == {"portfolio open to the Studio roles", "templates and archives"}


def test_without_any_role_the_way_to_find_it_is_told(answers: dict[tuple[str, str], Any]) -> None:
    answers["cloudformation", "describe_stacks"] = refused("ValidationError")

    found = next(result for result in look().results if result.name == "Studio roles")

    assert "aws sagemaker list-domains" in found.findings[0].fix


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("nonsense", "is not the ARN of a role"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Studio/me", "is a session, not a role"),
        ("arn:aws:iam::999999999999:role/Studio", "belongs to another account"),
    ],
)
def test_a_role_that_is_none_is_a_finding(answers: dict[tuple[str, str], Any], wrong: str, what: str) -> None:
    found = next(result for result in look(wrong).results if result.name == "Studio roles")

    assert what in found.findings[0].what


def test_root_cannot_launch(answers: dict[tuple[str, str], Any]) -> None:
    (finding,) = look(at=target(caller=f"arn:aws:iam::{ACCOUNT}:root")).findings

    assert "root user's credentials" in finding.what


def test_a_service_that_the_region_lacks_is_named_with_regions_that_have_it(
    answers: dict[tuple[str, str], Any],
) -> None:
    found = next(each for each in look(at=target("mx-central-1")).results if each.name == "services in the region")

    told = {finding.what.split()[0]: finding.fix for finding in found.findings}
    assert "codecommit" in told
    assert "--region" in told["codecommit"]


DENIED = [
    ("Studio domain", "sagemaker", "list_domains", "sagemaker:ListDomains"),
    ("quotas of instances", "service-quotas", "list_service_quotas", "servicequotas:ListServiceQuotas"),
    ("permissions boundary", "iam", "get_role_policy", "iam:GetRolePolicy"),
    ("somebody who approves", "iam", "list_entities_for_policy", "iam:ListEntitiesForPolicy"),
    ("templates and archives", "s3", "head_object", "s3:GetObject"),
    ("CodeCommit answers", "codecommit", "list_repositories", "codecommit:ListRepositories"),
]


@pytest.mark.parametrize(("check", "service", "operation", "permission"), DENIED)
def test_what_may_not_be_asked_is_told_with_the_permission_and_never_passed(
    answers: dict[tuple[str, str], Any], check: str, service: str, operation: str, permission: str
) -> None:
    answers[service, operation] = denied(operation)

    report = look()

    (result,) = report.not_checked
    assert result.name == check
    assert f"you lack the permission {permission}" in result.reason
    assert report.status == 2
    assert "nobody can tell" in list(report.lines())[-1]


def test_the_permission_that_aws_names_is_taken(answers: dict[tuple[str, str], Any]) -> None:
    message = "User: arn:me is not authorized to perform: sagemaker:DescribeDomain on resource: *"
    answers["sagemaker", "list_domains"] = denied("ListDomains", message)

    assert look().not_checked[0].reason == "you lack the permission sagemaker:DescribeDomain"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused("NotImplemented", "ListDomains"), "sagemaker does not answer ListDomains here"),
        (refused("ThrottlingException", "ListDomains"), "ListDomains failed: ThrottlingException"),
        (EndpointConnectionError(endpoint_url="https://x"), "sagemaker could not be asked"),
    ],
)
def test_what_aws_does_not_answer_is_not_checked(
    answers: dict[tuple[str, str], Any], error: Exception, reason: str
) -> None:
    answers["sagemaker", "list_domains"] = error

    (result,) = look().not_checked
    assert reason in result.reason


def test_a_quota_that_is_not_listed_is_not_taken_for_enough(answers: dict[tuple[str, str], Any]) -> None:
    del answers["service-quotas", "list_service_quotas"]["Quotas"][0]

    (result,) = look().not_checked
    assert "does not list 'ml.m5.large for endpoint usage'; 5 are needed" in result.reason


@pytest.fixture
def with_connection(tmp_path: Path) -> Path:
    """A clone whose template takes its code through a connection, and that has no seeds."""
    (tmp_path / "cloudformation").mkdir()
    template = {"Parameters": {}, "Resources": {"Git": {"Type": "AWS::CodeConnections::Connection", "Properties": {}}}}
    (tmp_path / PROJECT_TEMPLATE).write_text(yaml.safe_dump(template))
    return tmp_path


READY = {"ConnectionArn": "arn:c", "ConnectionName": "git", "ConnectionStatus": "AVAILABLE"}


@pytest.mark.parametrize(
    ("connections", "tags", "what"),
    [
        ([READY], [{"Key": "sagemaker", "Value": "true"}], ""),
        ([], [], "none is available: there is none"),
        ([READY | {"ConnectionStatus": "PENDING"}], [], "none is available: git is PENDING"),
        ([READY], [], "carries the tag sagemaker=true"),
    ],
)
def test_a_connection_that_the_template_needs_is_available_and_tagged(
    answers: dict[tuple[str, str], Any],
    with_connection: Path,
    connections: list[dict[str, str]],
    tags: list[dict[str, str]],
    what: str,
) -> None:
    answers["codeconnections", "list_connections"] = {"Connections": connections}
    answers["codeconnections", "list_tags_for_resource"] = {"Tags": tags}

    found = next(each for each in look(root=with_connection).results if each.name == "connection to the repositories")

    assert [what in finding.what for finding in found.findings] == ([True] if what else [])


def test_a_template_that_cannot_be_read_is_told(answers: dict[tuple[str, str], Any], tmp_path: Path) -> None:
    reasons = {result.name: result.reason for result in look(root=tmp_path).not_checked}

    assert "cloudformation/project.yaml is missing" in reasons["services in the region"]


def test_a_template_that_is_no_template_is_told(answers: dict[tuple[str, str], Any], with_connection: Path) -> None:
    (with_connection / PROJECT_TEMPLATE).write_text("Resources: {Git: [")

    reasons = {result.name: result.reason for result in look(root=with_connection).not_checked}

    assert "cloudformation/project.yaml cannot be read" in reasons["services in the region"]


def test_the_names_are_those_of_the_account_set_up() -> None:
    resources = read(ACCOUNT_TEMPLATE)["Resources"].values()
    named = {
        f"policy{each['Properties'].get('Path', '/')}{each['Properties']['ManagedPolicyName']}"
        for each in resources
        if "ManagedPolicyName" in each.get("Properties", {})
    }

    assert {BOUNDARY, USER_POLICY} <= named


def test_the_verb_tells_each_result_and_ends_with_the_status(
    answers: dict[tuple[str, str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_target", lambda *_: target())
    del answers["iam", "get_policy"][POLICIES[BOUNDARY]]

    assert command.main(["preflight"]) == 1

    printed = capsys.readouterr().out
    assert f"Looking at account {ACCOUNT} in {REGION}" in printed
    assert "FIX          permissions boundary" in printed
    assert "Fix: 'make publish'" in printed
    assert "A launch would not work: 1 to fix." in printed


def test_publishing_stops_at_what_has_to_hold_before_it(
    answers: dict[tuple[str, str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_target", lambda *_: target(caller=f"arn:aws:iam::{ACCOUNT}:root"))

    assert command.main(["publish", "--studio-role-arn", STUDIO, "--yes"]) == 1

    printed = capsys.readouterr()
    assert "root user's credentials" in printed.out
    assert "Nothing was published. Mend what stands above" in printed.err


def test_publishing_goes_on_where_a_check_may_not_be_made(
    answers: dict[tuple[str, str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_target", lambda *_: target())
    monkeypatch.setattr(command, "publish", lambda *_, **__: "published")
    monkeypatch.setattr(command, "where_to_click", lambda *_: ["where"])
    answers["codecommit", "list_repositories"] = denied("ListRepositories")

    assert command.main(["publish", "--yes"]) == 0
    assert "not checked  CodeCommit answers: you lack the permission" in capsys.readouterr().out
