"""The template and the functions agree: handlers, variables, properties, and where their code and their logs are."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from pipeline_stages import actions

from checks.statements import statements
from checks.template_file import ROOT, Resource, Template
from seed_code import FUNCTIONS

FOLDER = ROOT / FUNCTIONS.folder
HANDLERS = {
    "CheckBatchFunction": "check_batch",
    "CheckVersionFunction": "check_version",
    "CleanUpFunction": "clean_up",
    "DecideDeploymentFunction": "decide_deployment",
    "DiscardFailedCreationFunction": "discard_failed_creation",
    "FollowDeploymentsFunction": "follow_deployments",
    "FollowRejectionFunction": "follow_rejection",
    "RecordDeploymentFunction": "record_deployment",
}
CALLED = ("cloudformation", "codebuild", "codecommit", "codepipeline", "lambda", "logs", "sagemaker", "sns")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html, and Lambda's Invoke
ACTIONS_BY_OTHER_NAMES = {
    "copy": {"s3:GetObject", "s3:PutObject"},
    "get_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_object": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "delete_bucket": {"s3:DeleteBucket"},
    "delete_objects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "head_bucket": {"s3:ListBucket"},
    "invoke": {"lambda:InvokeFunction"},
    "list_multipart_uploads": {"s3:ListBucketMultipartUploads"},
    "list_object_versions": {"s3:ListBucketVersions"},
    # Both services have these.
    "delete_pipeline": {"sagemaker:DeletePipeline"},
    "start_pipeline_execution": {"codepipeline:StartPipelineExecution", "sagemaker:StartPipelineExecution"},
}
WRITTEN_BY_LAMBDA = {"logs:CreateLogStream", "logs:PutLogEvents"}
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: SNS calls it for whoever publishes.
ENCRYPTED_BY_SNS = {"kms:Decrypt", "kms:GenerateDataKey"}
# For CloudFormation itself, and for the order of deletion.
NOT_FOR_THE_FUNCTION = {"ServiceToken", "Subscription"}


def tree(module: str) -> ast.Module:
    return ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))


def with_imports(module: str, seen: frozenset[str] = frozenset()) -> Iterator[ast.Module]:
    """A module of the functions and those of the same archive that it imports."""
    found = tree(module)
    yield found
    names = {alias.name for node in ast.walk(found) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(found) if isinstance(node, ast.ImportFrom)}
    for name in sorted(names - seen - {module}):
        if (FOLDER / f"{name}.py").is_file():
            yield from with_imports(name, seen | names | {module})


def keys_read(trees: Iterator[ast.Module] | list[ast.Module], *owners: str) -> set[str]:
    """The constants by which something of one of these names is read: `x["key"]`, `self._x["key"]`, `x.get("key")`."""
    found = set()
    for module in trees:
        for node in ast.walk(module):
            match node:
                case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))) if _named(owner, owners):
                    found.add(key)
                case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(key)), *_]) if (
                    _named(owner, owners)
                ):
                    found.add(key)
    return found


def _named(owner: ast.expr, names: tuple[str, ...]) -> bool:
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name.lstrip("_") in names


def variables(function: Resource) -> set[str]:
    return {str(name) for name in function.properties.get("Environment", {}).get("Variables", {})}


def test_every_function_is_one_we_know(project: Template) -> None:
    assert {each.logical_id for each in project.of_type("AWS::Lambda::Function")} == set(HANDLERS)


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_is_a_function_of_a_module_in_the_archive(project: Template, function: str) -> None:
    module, _, name = project.resource(function).properties["Handler"].partition(".")
    assert (module, name) == (HANDLERS[function], "handler")
    (handler,) = (node for node in tree(module).body if isinstance(node, ast.FunctionDef) and node.name == name)
    assert len(handler.args.args) == 2, "Lambda calls it with the event and the context"


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_gets_exactly_the_variables_it_reads(project: Template, function: str) -> None:
    read = keys_read(with_imports(HANDLERS[function]), "environ")
    assert variables(project.resource(function)) == read


def test_clean_up_gets_exactly_the_properties_it_reads(project: Template) -> None:
    given = {str(name) for name in project.resource("CleanUp").properties} - NOT_FOR_THE_FUNCTION
    assert given == keys_read([tree("clean_up")], "properties")


def test_clean_up_compares_with_a_choice_that_the_form_offers(project: Template) -> None:
    offered = project.document["Parameters"]["WhenProjectIsDeleted"]["AllowedValues"]
    constants = {node.value for node in ast.walk(tree("clean_up")) if isinstance(node, ast.Constant)}
    assert "delete-everything" in offered
    assert "delete-everything" in constants


@pytest.mark.parametrize("name", ["CheckVersion", "DecideDeployment", "RecordDeployment"])
def test_an_action_gets_exactly_the_parameters_that_its_function_reads(project: Template, name: str) -> None:
    (action,) = (each for each in actions(project, "DeployPipeline") if each["Name"] == name)
    given = set(json.loads(action["Configuration"]["UserParameters"]))
    (read,) = (
        set(ast.literal_eval(node.args[1]))
        for node in ast.walk(tree(HANDLERS[f"{name}Function"]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pipeline_job.parameters"
    )
    assert given == read
    assert len(action["Configuration"]["UserParameters"]) <= 1000


def test_the_stack_that_makes_room_is_the_one_that_is_deployed(project: Template) -> None:
    deploying = next(each for each in actions(project, "DeployPipeline") if each["Name"] == "DeployProduction")
    function = project.resolve(project.resource("DiscardFailedCreationFunction").properties)
    stack = function["Environment"]["Variables"]["PRODUCTION_STACK_NAME"]
    assert stack == deploying["Configuration"]["StackName"]
    reached = {
        resource
        for each in statements(project)
        if each.owner.logical_id == "DiscardFailedCreationRole" and "cloudformation:DeleteStack" in each.actions
        for resource in each.resources
    }
    assert {arn.split(":stack/")[1] for arn in reached} == {f"{stack}/*"}


def test_a_key_is_seen_however_it_is_read() -> None:
    code = 'self._properties["A"]; properties.get("B", 1); os.environ["C"]; other["D"]; environ.get("E")'
    assert keys_read([ast.parse(code)], "properties") == {"A", "B"}
    assert keys_read([ast.parse(code)], "environ") == {"C", "E"}


def test_variables_name_what_is_there(project: Template) -> None:
    values: dict[str, Any] = {}
    for function in project.of_type("AWS::Lambda::Function"):
        values |= project.resolve(function.properties.get("Environment", {}).get("Variables", {}))
    assert values["DEPLOY_PIPELINE"] == project.name(project.resource("DeployPipeline"))
    assert values["MODEL_PACKAGE_GROUP_NAME"] == project.name(project.resource("ModelPackageGroup"))
    assert values["NOTIFICATION_TOPIC_ARN"] == project.arn(project.resource("NotificationTopic"))
    build = project.resource("ModelDeployProject").properties["Environment"]["EnvironmentVariables"]
    (endpoint,) = (each["Value"] for each in project.resolve(build) if each["Name"] == "PRODUCTION_ENDPOINT_NAME")
    assert values["PRODUCTION_ENDPOINT_NAME"] == endpoint


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_logs_where_its_role_may_write_and_people_may_read(
    project: Template, account_setup: Template, function: str
) -> None:
    properties = project.resource(function).properties
    group = project.resource(properties["LoggingConfig"]["LogGroup"]["Ref"])
    stream = project.arn(group).removesuffix("*") + "log-stream:x"
    role = properties["Role"]["Fn::GetAtt"][0]
    writing = [each for each in statements(project) if each.owner.logical_id == role]
    assert any(each.covers("logs:PutLogEvents", stream) for each in writing)
    assert not any("logs:CreateLogGroup" in each.actions for each in writing), "a deleted group would come back"
    reading = [each for each in statements(account_setup) if each.owner.logical_id == "ProjectUserPolicy"]
    assert any(each.covers("logs:GetLogEvents", stream) for each in reading)


@cache
def operations() -> dict[str, set[str]]:
    """boto3's methods of the services that the functions call, and the IAM action that each stands for."""
    session = botocore.session.get_session()
    found = {method: set(actions) for method, actions in ACTIONS_BY_OTHER_NAMES.items()}
    for service in CALLED:
        for operation in session.get_service_model(service).operation_names:
            if xform_name(operation) not in ACTIONS_BY_OTHER_NAMES:
                found.setdefault(xform_name(operation), set()).add(f"{service}:{operation}")
    return found


def actions_called(module: str) -> set[str]:
    """The IAM actions that a handler and the modules it imports can need."""
    found = set()
    for each in with_imports(module):
        for node in ast.walk(each):
            match node:
                case ast.Call(func=ast.Attribute(attr="get_paginator"), args=[ast.Constant(value=str(method))]):
                    found |= operations().get(method, set())
                case ast.Attribute(attr=method):  # called here, or handed to who calls it
                    found |= operations().get(method, set())
    return found


@pytest.mark.parametrize("function", HANDLERS)
def test_a_role_grants_nothing_that_its_function_never_calls(project: Template, function: str) -> None:
    role = project.resource(function).properties["Role"]["Fn::GetAtt"][0]
    granted = {
        action for each in statements(project) if each.owner.logical_id == role for action in each.actions
    } - WRITTEN_BY_LAMBDA
    called = actions_called(HANDLERS[function])
    assert granted - called - (ENCRYPTED_BY_SNS if "sns:Publish" in called else set()) == set()


def test_clean_up_may_make_every_call_that_it_can_make(project: Template) -> None:
    """Its calls depend on what it meets, so that no rehearsal makes all of them."""
    roles = {"CleanUpRole", "CleanUpInvokesItself"}
    granted = {action for each in statements(project) if each.owner.logical_id in roles for action in each.actions}
    assert actions_called("clean_up") - granted == set()


@pytest.mark.parametrize("function", HANDLERS)
def test_functions_run_alike(project: Template, function: str) -> None:
    properties = project.resource(function).properties
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
    assert "ReservedConcurrentExecutions" not in properties
    assert "ZipFile" not in properties["Code"]


def test_nothing_is_imported_that_the_runtime_lacks(project: Template) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-package.html: the runtime has boto3 and botocore."""
    known = {*sys.stdlib_module_names, "boto3", "botocore", *(path.stem for path in FOLDER.glob("*.py"))}
    for path in FOLDER.glob("*.py"):
        assert imported(path) <= known, path.name


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path.stem)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found
