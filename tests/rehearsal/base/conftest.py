"""What we rely on from the base, told by AWS's own documentation: one cloud, without rooms, for all of these tests.

The base is asked as everybody asks it: through the front door, with our repairs. `docs/rehearsal.md` has the list.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Credentials
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.waiting import until

Template = dict[str, Any]
_persons = itertools.count()


class Thing(ResourceProvider):
    """A resource that notes what the stack engine does to it, in order, and fails when a test says so.

    It stands for a model package group because that has little to fill in: a name that replaces it, and a
    policy, used as a description, that does not.
    """

    type_name: ClassVar[str] = "AWS::SageMaker::ModelPackageGroup"
    done: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()
    """`create first`, `update first to new`, `delete first`: what is to fail, by the thing's name."""
    lock: ClassVar[threading.Lock] = threading.Lock()

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties["ModelPackageGroupName"])
        self._note(f"create {name}")
        return Resource(name, {"ModelPackageGroupArn": f"arn:{name}"})

    def update(self, request: ResourceRequest) -> Resource:
        self._note(f"update {request.physical_id}", f" to {request.properties['ModelPackageGroupPolicy']['Id']}")
        return Resource(request.physical_id, {"ModelPackageGroupArn": f"arn:{request.physical_id}"})

    def delete(self, request: ResourceRequest) -> None:
        self._note(f"delete {request.physical_id}")

    def _note(self, what: str, how: str = "") -> None:
        with self.lock:
            self.done.append(what)
        if what in self.fails or what + how in self.fails:
            raise ValueError(f"{what} fails as the test wants")


def thing(name: Any, description: str = "", **attributes: Any) -> Template:
    """A thing of this name, with attributes of the resource (`DependsOn`, `DeletionPolicy`...)."""
    properties = {"ModelPackageGroupName": name, "ModelPackageGroupPolicy": {"Id": description}}
    return {"Type": Thing.type_name, "Properties": properties, **attributes}


def resource(type_name: str, **properties: Any) -> Template:
    return {"Type": type_name, "Properties": properties}


class Stacks:
    """Stacks that are waited for."""

    def __init__(self, cloudformation: Any) -> None:
        self.api = cloudformation

    def create(self, stack: str, template: Template, **options: Any) -> str:
        """Create a stack; its final status."""
        self.api.create_stack(StackName=stack, TemplateBody=json.dumps(template), **options)
        return self.settled(stack)

    def update(self, stack: str, template: Template, **options: Any) -> str:
        """Update a stack; its final status."""
        self.api.update_stack(StackName=stack, TemplateBody=json.dumps(template), **options)
        return self.settled(stack)

    def delete(self, stack: str, **options: Any) -> str:
        """Delete a stack; its final status."""
        stack_id = self.described(stack)["StackId"]
        self.api.delete_stack(StackName=stack, **options)
        return self.settled(stack_id)

    def described(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_stacks(StackName=stack)["Stacks"][0]
        return found

    def settled(self, stack: str) -> str:
        return str(until(lambda: self._status_at_rest(stack)))

    def _status_at_rest(self, stack: str) -> str:
        status = str(self.described(stack)["StackStatus"])
        return "" if status.endswith("_IN_PROGRESS") else status

    def outputs(self, stack: str) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.described(stack).get("Outputs", [])}

    def events(self, stack: str) -> list[dict[str, Any]]:
        """All of a stack's events, oldest first."""
        found: list[dict[str, Any]] = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        return found[::-1]

    def told(self, stack: str, *logical_ids: str) -> list[tuple[str, str]]:
        """Logical id and status of each event, oldest first; of these resources only, if any are named."""
        events = [(each["LogicalResourceId"], each["ResourceStatus"]) for each in self.events(stack)]
        return [each for each in events if each[0] in logical_ids] if logical_ids else events

    def reason(self, stack: str, status: str = "FAILED") -> str:
        """The reason of the first event whose status ends like this."""
        reasons = [
            e.get("ResourceStatusReason", "") for e in self.events(stack) if e["ResourceStatus"].endswith(status)
        ]
        return str(reasons[0]) if reasons else ""

    def physical_ids(self, stack: str) -> dict[str, str]:
        listed = self.api.describe_stack_resources(StackName=stack)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}


def person_with(cloud: Cloud, *statements: Template) -> Credentials:
    """A session of a new role of the account that may do just what these statements say."""
    iam, name = cloud.client("iam", cloud.identity.root), f"person-{next(_persons)}"
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=json.dumps(document))
    return cloud.identity.session_of(role, "test")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(CloudSettings(tmp_path_factory.mktemp("base"), ENVIRONMENTS), [], [Thing]) as running:
        yield running


@pytest.fixture(scope="session")
def ask(cloud: Cloud) -> Callable[[str], Any]:
    """`ask("s3")`: a client of that service for the root user."""
    return lambda service: cloud.client(service, cloud.identity.root)


@pytest.fixture(scope="session")
def stacks(ask: Callable[[str], Any]) -> Stacks:
    return Stacks(ask("cloudformation"))


@pytest.fixture
def done() -> Iterator[list[str]]:
    """What is done to things from now on, in order."""
    Thing.done.clear()
    Thing.fails.clear()
    yield Thing.done
    Thing.fails.clear()
