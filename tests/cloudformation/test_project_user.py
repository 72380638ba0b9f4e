"""People may do what the seeds' verbs do as them: data scientists `make why` and deleting a project, approvers
`make rollback`; and neither does what is the other's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from checks.statements import Statement, statements
from checks.template_file import ACCOUNT, REGION, ROOT, STACK, Template

NAME, ID = "fraud", "p-abc123def456"
PREFIX = f"sagemaker-{NAME}-{ID}"
HERE = f"{REGION}:{ACCOUNT}"
# What one call of each service is about; actions without a resource of their own are granted on *.
EXAMPLES = {
    "cloudformation": [
        f"arn:aws:cloudformation:{HERE}:stack/{each}/0a1b" for each in (STACK, "SP-x", f"{PREFIX}-deploy-prod")
    ],
    "codebuild": [f"arn:aws:codebuild:{HERE}:project/{PREFIX}-{each}" for each in ("modelbuild", "testing")],
    "codepipeline": [f"arn:aws:codepipeline:{HERE}:{PREFIX}-{each}" for each in ("modelbuild", "modeldeploy")],
    "logs": [
        f"arn:aws:logs:{HERE}:log-group:{group}:log-stream:x"
        for group in (
            f"/aws/codebuild/{PREFIX}-modelbuild",
            "/aws/sagemaker/TrainingJobs",
            f"/aws/sagemaker/Endpoints/{NAME}-prod",
            f"/aws/sagemaker-projects/{PREFIX}-functions",
        )
    ],
    "servicecatalog": ["*"],
}
SAGEMAKER = {
    "Endpoint": f"endpoint/{NAME}-prod",
    "EndpointConfig": "endpoint-config/x0x0",
    "Model": "model/x0x0",
    "Pipeline": f"pipeline/{NAME}-prod",
    "ModelPackage": f"model-package/{NAME}-{ID}/1",
    "ModelPackages": f"model-package-group/{NAME}-{ID}",
    "PipelineExecution": f"pipeline/{NAME}-{ID}/execution/x0x0",
    "PipelineExecutionSteps": f"pipeline/{NAME}-{ID}/execution/x0x0",
    "PipelineExecutions": f"pipeline/{NAME}-{ID}",
    "ProcessingJob": "processing-job/pipelines-x0x0-Preprocess-y",
    "Project": f"project/{NAME}",
    "TrainingJob": "training-job/pipelines-x0x0-Train-y",
}


ROLLBACK_MODULES = ("execution", "production", "rollback", "served", "way_back")


def calls(*files: str) -> set[tuple[str, str]]:
    """Service and operation of every call in these files, by boto3's method or by `ask("service", "Operation")`."""
    return {
        call
        for pattern in files
        for path in sorted(ROOT.glob(pattern))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for call in _calls_of(node)
    }


def _calls_of(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Call(
            func=ast.Attribute(attr="ask" | "items"),
            args=[ast.Constant(value=str(service)), ast.Constant(value=str(operation)), *_],
        ):
            yield service, operation
        case ast.Call(func=ast.Attribute(attr="get_paginator"), args=[ast.Constant(value=str(method))]):
            yield from _operations().get(method, set())
        case ast.Call(func=ast.Attribute(attr=method)):
            yield from _operations().get(method, set())


@cache
def _operations() -> dict[str, set[tuple[str, str]]]:
    """boto3's methods of the services that people act on, and the operations they may stand for."""
    found: dict[str, set[tuple[str, str]]] = {}
    for service in ("codepipeline", "sagemaker"):
        for operation in botocore.session.get_session().get_service_model(service).operation_names:
            found.setdefault(xform_name(operation), set()).add((service, operation))
    # Both services have this one; the seeds start CodePipeline's.
    del found["search"]  # of regular expressions, here
    found["start_pipeline_execution"] = {("codepipeline", "StartPipelineExecution")}
    found["list_pipeline_executions"] = {("codepipeline", "ListPipelineExecutions")}
    return found


DEPLOY, BUILD = (f"arn:aws:codepipeline:{HERE}:{PREFIX}-{each}" for each in ("modeldeploy", "modelbuild"))
USER, APPROVER = "ProjectUserPolicy", "ApproverPolicy"


def of(account_setup: Template, policy: str) -> list[Statement]:
    return [each for each in statements(account_setup) if each.owner.logical_id == policy]


def denied(account_setup: Template, wanted: set[tuple[str, str]], policy: str = USER) -> list[str]:
    granted = [each for each in of(account_setup, policy) if each.allows]
    missing = []
    for service, operation in sorted(wanted):
        if service == "sagemaker":
            verb = next(each for each in ("Describe", "List", "Update", "Delete") if operation.startswith(each))
            resources = [f"arn:aws:sagemaker:{HERE}:{SAGEMAKER[operation.removeprefix(verb)]}"]
        elif operation == "StartPipelineExecution":
            resources = [DEPLOY]
        else:
            resources = EXAMPLES[service]
        missing += [
            f"{service}:{operation} on {resource}"
            for resource in resources
            if not any(each.covers(f"{service}:{operation}", resource) for each in granted)
        ]
    return missing


def test_with_a_key_of_ones_own_people_read_and_write_what_s3_lets_them_in_buckets_of_projects(
    account_setup: Template,
) -> None:
    """Writing an object takes kms:GenerateDataKey: the request to an asynchronous endpoint is one.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms
    """
    keys = [each for each in of(account_setup, USER) if any(one.startswith("kms:") for one in each.actions)]
    assert {action for each in keys for action in each.actions} == {"kms:Decrypt", "kms:GenerateDataKey"}
    for each in keys:
        assert each.allows
        assert each.resources == [f"arn:aws:kms:*:{ACCOUNT}:key/*"]
        assert each.condition == {
            "StringLike": {
                "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::sagemaker-project-*",
                "kms:ViaService": "s3.*",
            }
        }


@pytest.mark.parametrize(
    ("policy", "files", "at_least"),
    [
        (USER, ("build_repo/project_tools/*.py",), {("codebuild", "BatchGetBuilds"), ("logs", "GetLogEvents")}),
        (
            APPROVER,
            tuple(f"deploy_repo/deployment/{each}.py" for each in ROLLBACK_MODULES),
            {("sagemaker", "UpdateModelPackage"), ("codepipeline", "StartPipelineExecution")},
        ),
        (
            USER,
            ("deploy_repo/deployment/compare/*.py",),
            {("sagemaker", "DescribeEndpointConfig"), ("sagemaker", "DescribeModel")},
        ),
    ],
    ids=["why", "rollback", "compare"],
)
def test_a_verb_asks_for_nothing_that_its_user_may_not_do(
    account_setup: Template, policy: str, files: tuple[str, ...], at_least: set[tuple[str, str]]
) -> None:
    wanted = calls(*files)
    assert at_least <= wanted
    assert denied(account_setup, wanted, policy) == []


def test_a_user_may_delete_the_project_and_what_was_launched_for_it(account_setup: Template) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-update.html"""
    assert (
        denied(account_setup, {("sagemaker", "DeleteProject"), ("servicecatalog", "TerminateProvisionedProduct")}) == []
    )


def test_a_missing_right_is_noticed(account_setup: Template) -> None:
    assert denied(account_setup, {("sagemaker", "DeleteEndpoint")}) == [
        f"sagemaker:DeleteEndpoint on arn:aws:sagemaker:{HERE}:endpoint/{NAME}-prod"
    ]


VERSION = f"arn:aws:sagemaker:{HERE}:model-package/{NAME}-{ID}/1"
TO_APPROVE = [
    ("sagemaker:UpdateModelPackage", VERSION),
    ("codepipeline:PutApprovalResult", f"{DEPLOY}/ApproveProduction/ApproveProduction"),
]
TO_BUILD = [
    ("codecommit:GitPush", f"arn:aws:codecommit:{HERE}:{PREFIX}-modelbuild"),
    ("codecommit:GitPush", f"arn:aws:codecommit:{HERE}:{PREFIX}-modeldeploy"),
    ("codepipeline:StartPipelineExecution", BUILD),
    ("sagemaker:StartPipelineExecution", f"arn:aws:sagemaker:{HERE}:pipeline/{NAME}-{ID}"),
]


@pytest.mark.parametrize(
    ("mine", "others", "whose"),
    [(TO_BUILD, TO_APPROVE, (USER, APPROVER)), (TO_APPROVE, TO_BUILD, (APPROVER, USER))],
    ids=["data scientist", "approver"],
)
def test_who_builds_approves_nothing_and_who_approves_builds_nothing(
    account_setup: Template, mine: list[tuple[str, str]], others: list[tuple[str, str]], whose: tuple[str, str]
) -> None:
    found = of(account_setup, whose[0])
    for action, resource in mine:
        assert any(each.allows and each.covers(action, resource) for each in found), action
        assert not any(not each.allows and each.covers(action, resource) for each in found), action
    for action, resource in others:
        assert not any(each.allows and each.covers(action, resource) for each in found), action
        refusals = [each for each in found if not each.allows and each.covers(action, resource) and not each.condition]
        assert refusals, f"nothing denies {whose[0]} {action} if it comes from another policy of the role"


def test_a_data_scientist_s_other_models_are_their_own_affair(account_setup: Template) -> None:
    other = f"arn:aws:sagemaker:{HERE}:model-package/my-experiments/1"
    assert not any(each.covers("sagemaker:UpdateModelPackage", other) for each in of(account_setup, USER))


def test_a_small_team_has_to_say_that_one_person_does_both(account_setup: Template) -> None:
    chosen = {"StudioRoleName": "Studio", "ApproverRoleName": "Approver"}
    separate, together = (Template(account_setup.path, {**chosen, "UsersMayApprove": each}) for each in ("no", "yes"))
    alone = Template(account_setup.path, {**chosen, "ApproverRoleName": "", "UsersMayApprove": "yes"})
    assert [deployed(separate, each)["Roles"] for each in (USER, APPROVER)] == [["Studio"], ["Approver"]]
    assert [deployed(together, each)["Roles"] for each in (USER, APPROVER)] == [["Studio"], ["Approver", "Studio"]]
    assert deployed(alone, APPROVER)["Roles"] == ["Studio"]
    for policy in (USER, APPROVER):
        assert "Deny" in effects(separate, policy)
        assert effects(together, policy) == {"Allow"}


def deployed(template: Template, policy: str) -> dict[str, Any]:
    found: dict[str, Any] = template.resolve(template.resource(policy).properties)
    return found


def effects(template: Template, policy: str) -> set[str]:
    return {each["Effect"] for each in deployed(template, policy)["PolicyDocument"]["Statement"]}


def test_code_that_whoever_pushes_runs_cannot_register_a_version_as_approved(project: Template) -> None:
    (register,) = (each for each in statements(project) if "sagemaker:CreateModelPackage" in each.actions)
    assert register.condition["StringNotEquals"] == {"sagemaker:ModelApprovalStatus": "Approved"}
