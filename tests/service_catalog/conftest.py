"""A repository to publish from, moto's S3, IAM and STS to publish to, and a CloudFormation that can be made to fail."""

import functools
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3
import botocore.session
import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from moto import mock_aws

from service_catalog.seed_bucket import SeedBucket
from service_catalog.target import Client, Target, find_target

ACCOUNT = "123456789012"  # moto's
REGION = "eu-west-1"
STUDIO_ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/StudioExecution"

_FILES = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1.2.3"\n',
    "build_repo/Makefile": "test:\n\tpytest\n",
    "deploy_repo/README.md": "# Deploy\n",
    "cloudformation/functions/clean_up.py": "def handler(event, context): ...\n",
    "cloudformation/project.yaml": (
        "Mappings:\n  SeedArchives:\n"
        "    ModelBuild: {Key: seed/modelbuild-@modelbuild-sha256@.zip}\n"
        "    ModelDeploy: {Key: seed/modeldeploy-@modeldeploy-sha256@.zip}\n"
        "  FunctionArchives:\n    Project: {Key: functions/project-@functions-sha256@.zip}\n"
        "Resources:\n  Topic: {Type: 'AWS::SNS::Topic'}\n"
    ),
    "cloudformation/account-setup.yaml": (
        "Parameters:\n  StudioRoleName: {Type: String}\n"
        "  ApproverRoleName: {Type: String, Default: ''}\n  UsersMayApprove: {Type: String, Default: 'no'}\n"
        "  AllowedPermissionsBoundaries: {Type: String, Default: ''}\n"
        "Resources:\n  LaunchRole: {Type: 'AWS::IAM::Role'}\n  Boundary: {Type: 'AWS::IAM::ManagedPolicy'}\n"
    ),
}


@pytest.fixture(autouse=True, scope="session")
def _service_models_are_read_once() -> Iterator[None]:
    """Each boto3 session reads the service models anew, half a second of JSON in each test: share a reader."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A committed repository with all that publishing reads."""
    root = tmp_path / "repository"
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-C", str(root)]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*git, *arguments], check=True)
    return root


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def aws(no_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in one region that has nothing but a Studio execution role."""
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        boto3.client("iam").create_role(
            RoleName="StudioExecution", Path="/service-role/", AssumeRolePolicyDocument="{}"
        )
        yield


@dataclass
class FakeStack:
    """One stack: what it was made from, and the events it has had and will have."""

    name: str
    id: str
    status: str
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    coming: list[tuple[str, str, str, str]] = field(default_factory=list)


class FakeCloudFormation:
    """CloudFormation's change sets as its documentation describes them, one event for each look.

    moto's cannot fail or roll back. Requests are checked against botocore's model of the service.
    """

    def __init__(self) -> None:
        self.stacks: dict[str, FakeStack] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, tuple[str, str]] = {}  # stack -> resource that fails, and why
        self.executed: list[str] = []
        self._model = botocore.session.get_session().get_service_model("cloudformation")

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        name = "".join(part.capitalize() for part in operation.split("_"))
        shape = self._model.operation_model(name).input_shape
        assert shape is not None

        def call(**request: Any) -> dict[str, Any]:
            validate_parameters(request, shape)
            answer: dict[str, Any] = getattr(self, f"do_{operation}")(**request)
            return answer

        return call

    def get_paginator(self, operation: str) -> Any:
        fake = self

        class Paginator:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                events = getattr(fake, operation)(**request)["StackEvents"]
                for start in range(0, len(events), 2):
                    yield {"StackEvents": events[start : start + 2]}

        return Paginator()

    def do_describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._find(StackName, "DescribeStacks")
        described: dict[str, Any] = {"StackName": stack.name, "StackId": stack.id, "StackStatus": stack.status}
        outputs = yaml.safe_load(stack.template).get("Outputs", {}) if stack.template else {}
        described["Outputs"] = [{"OutputKey": key, "OutputValue": f"the-{key}"} for key in outputs]
        described["Parameters"] = [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()]
        return {"Stacks": [described]}

    def do_validate_template(self, TemplateURL: str) -> dict[str, Any]:  # noqa: N803
        if "Resources" not in yaml.safe_load(self._read(TemplateURL)):
            raise self._refusal("ValidateTemplate", "Template format error: At least one Resources member must be set.")
        return {}

    def do_get_template_summary(self, TemplateURL: str) -> dict[str, Any]:  # noqa: N803
        parameters = yaml.safe_load(self._read(TemplateURL)).get("Parameters", {})
        return {"Parameters": [{"ParameterKey": key} for key in parameters]}

    def do_get_template(self, StackName: str, **_: str) -> dict[str, Any]:  # noqa: N803
        body = self._find(StackName, "GetTemplate").template
        return {"TemplateBody": json.loads(body) if body.startswith("{") else body}

    def do_create_change_set(self, **request: Any) -> dict[str, Any]:
        name, kind = request["StackName"], request["ChangeSetType"]
        stack = self.stacks.get(name)
        if kind == "UPDATE" and (stack is None or stack.status == "REVIEW_IN_PROGRESS"):
            raise self._refusal("CreateChangeSet", f"Stack [{name}] does not exist")
        if kind == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise self._refusal("CreateChangeSet", f"Stack [{name}] already exists")
        template = self._read(request["TemplateURL"])
        if "Broken" in template:
            raise self._refusal("CreateChangeSet", "Template format error: Broken")
        if stack is None:
            number = len(self.stacks) + 1
            arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{number}"
            stack = FakeStack(name, arn, "REVIEW_IN_PROGRESS")
        self.stacks[name] = stack
        parameters = {
            item["ParameterKey"]: stack.parameters[item["ParameterKey"]]
            if item.get("UsePreviousValue")
            else item["ParameterValue"]
            for item in request["Parameters"]
        }
        same = (template, parameters) == (stack.template, stack.parameters)
        change_set = {"stack": name, "template": template, "parameters": parameters, "kind": kind, "same": same}
        self.change_sets[request["ChangeSetName"]] = {**change_set, "looks": 0}
        return {"Id": request["ChangeSetName"], "StackId": stack.id}

    def do_describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803
        change_set = self.change_sets[ChangeSetName]
        change_set["looks"] += 1
        if change_set["looks"] == 1:
            return {"Status": "CREATE_IN_PROGRESS"}
        if change_set["same"]:
            reason = "The submitted information didn't contain changes. Submit different information."
            return {"Status": "FAILED", "StatusReason": reason}
        if "Unknown" in change_set["template"]:
            return {"Status": "FAILED", "StatusReason": "Template error: Unknown"}
        return {"Status": "CREATE_COMPLETE"}

    def do_delete_change_set(self, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803
        del self.change_sets[ChangeSetName]
        return {}

    def do_execute_change_set(self, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803
        change_set = self.change_sets.pop(ChangeSetName)
        stack, kind = self.stacks[change_set["stack"]], change_set["kind"]
        resources = yaml.safe_load(change_set["template"])["Resources"]
        own = (stack.name, "AWS::CloudFormation::Stack")
        stack.coming = [(*own, f"{kind}_IN_PROGRESS", "User Initiated")]
        failure = self.failures.pop(stack.name, None)
        for name, resource in resources.items():
            if failure and name != failure[0]:
                stack.coming.append(
                    (name, resource["Type"], f"{kind}_FAILED", f"Resource {kind.lower()[:-1]}ion cancelled")
                )
            elif failure:
                stack.coming.insert(1, (name, resource["Type"], f"{kind}_FAILED", failure[1]))
            else:
                stack.coming.append((name, resource["Type"], f"{kind}_COMPLETE", ""))
        rolled_back = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
        if failure:
            stack.coming.append((*own, f"{rolled_back}_IN_PROGRESS", "The following resource(s) failed"))
        else:
            stack.template, stack.parameters = change_set["template"], change_set["parameters"]
        stack.coming.append((*own, f"{rolled_back if failure else kind}_COMPLETE", ""))
        self.executed.append(stack.name)
        return {}

    def do_delete_stack(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._find(StackName, "DeleteStack")
        own = (stack.name, "AWS::CloudFormation::Stack")
        stack.coming = [(*own, "DELETE_IN_PROGRESS", ""), (*own, "DELETE_COMPLETE", "")]
        return {}

    def do_describe_stack_events(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._find(StackName, "DescribeStackEvents")
        if stack.coming:
            name, kind, status, reason = stack.coming.pop(0)
            event = {"StackId": stack.id, "EventId": f"{stack.id}-{len(stack.events)}", "LogicalResourceId": name}
            event |= {"ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason}
            event["PhysicalResourceId"] = stack.id if name == stack.name else ""
            stack.events.append(event)
            if name == stack.name:
                stack.status = status
            if status == "DELETE_COMPLETE" and name == stack.name:
                self.stacks[stack.id] = self.stacks.pop(stack.name)
        return {"StackEvents": stack.events[::-1]}

    def _find(self, name: str, operation: str) -> FakeStack:
        for key, stack in self.stacks.items():
            if name in (key, stack.id):
                return stack
        raise self._refusal(operation, f"Stack with id {name} does not exist")

    def _read(self, url: str) -> str:
        parts = urlparse(url)
        bucket, rest = parts.netloc.split(".", 1)
        assert rest == f"s3.{REGION}.amazonaws.com"
        found = boto3.client("s3").get_object(Bucket=bucket, Key=parts.path.lstrip("/"))["Body"].read()
        return str(found, "utf-8")

    @staticmethod
    def _refusal(operation: str, message: str) -> ClientError:
        return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> FakeCloudFormation:
    """The fake CloudFormation that every target gives out during this test."""
    fake = FakeCloudFormation()
    real = Target.client

    def client(self: Target, service: str) -> Client:
        return fake if service == "cloudformation" else real(self, service)

    monkeypatch.setattr(Target, "client", client)
    return fake


@pytest.fixture
def target(aws: None, cloudformation: FakeCloudFormation, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Where the tests publish to."""
    # moto reads a Deny without its condition, and would refuse every request once the TLS-only policy is there.
    monkeypatch.setattr(SeedBucket, "_make_tls_only", lambda _: None)
    return find_target()


@pytest.fixture
def said() -> list[str]:
    """The lines that were said; give ``said.append`` as ``say``."""
    return []
