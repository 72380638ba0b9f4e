"""A stack is deleted when AWS would delete it, and refused when AWS would refuse it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from tests.rehearsal.conftest import StartCloud
from tests.waiting import PATIENCE, until

GONE = "DELETE_COMPLETE"


class Slow(ResourceProvider):
    """Repositories that take until the test lets go, or fail when it says so."""

    type_name: ClassVar[str] = "AWS::CodeCommit::Repository"
    go_on: ClassVar[threading.Event] = threading.Event()
    at_it: ClassVar[threading.Semaphore] = threading.Semaphore(0)
    made: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties["RepositoryName"])
        self._work("create " + name)
        self.made.append(name)
        return Resource(name, {"Name": name})

    def update(self, request: ResourceRequest) -> Resource:
        self._work("update " + request.physical_id)
        return Resource(request.physical_id, {"Name": request.physical_id})

    def delete(self, request: ResourceRequest) -> None:
        self._work("delete " + request.physical_id)
        self.made.remove(request.physical_id)

    def _work(self, what: str) -> None:
        self.at_it.release()
        assert self.go_on.wait(PATIENCE)
        if what in self.fails:
            raise ValueError(f"{what} fails as the test wants")


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([], [Slow])


@pytest.fixture(scope="module")
def cloudformation(cloud: Cloud) -> Any:
    return cloud.client("cloudformation", cloud.identity.root)


@pytest.fixture(autouse=True)
def slow() -> Iterator[None]:
    """Everything goes on at once until a test holds it up."""
    Slow.go_on.set()
    Slow.made.clear()
    Slow.fails.clear()
    while Slow.at_it.acquire(blocking=False):
        pass
    yield
    Slow.go_on.set()


def template(description: str = "old", *names: str, policy: str = "Delete") -> str:
    """A stack of repositories, one after the other; `policy` is the deletion policy of the first."""
    lines = ["Resources:"]
    for number, name in enumerate(names or ("first", "second")):
        lines += [
            f"  R{number}:",
            "    Type: AWS::CodeCommit::Repository",
            f"    DependsOn: R{number - 1}" if number else f"    DeletionPolicy: {policy}",
            f"    Properties: {{RepositoryName: {name}, RepositoryDescription: '{description}'}}",
        ]
    return "\n".join(lines)


def status(cloudformation: Any, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def held_up(cloudformation: Any, operation: str, stack: str, **arguments: Any) -> str:
    """Begin something and hold it up at its first resource; answers the stack's id."""
    Slow.go_on.clear()
    answer = getattr(cloudformation, operation)(StackName=stack, **arguments)
    assert Slow.at_it.acquire(timeout=PATIENCE)
    return str(answer.get("StackId", ""))


def created(cloudformation: Any, stack: str) -> str:
    made = cloudformation.create_stack(StackName=stack, TemplateBody=template())["StackId"]
    until(lambda: status(cloudformation, made) == "CREATE_COMPLETE")
    while Slow.at_it.acquire(blocking=False):
        pass
    return str(made)


def refusal(cloudformation: Any, stack: str) -> str:
    with pytest.raises(ClientError) as problem:
        cloudformation.delete_stack(StackName=stack)
    assert problem.value.response["Error"]["Code"] == "ValidationError"
    return str(problem.value.response["Error"]["Message"])


def test_a_stack_is_not_deleted_while_it_is_updated(cloudformation: Any) -> None:
    stack = created(cloudformation, "updating")
    held_up(cloudformation, "update_stack", "updating", TemplateBody=template("new"))
    assert (
        refusal(cloudformation, "updating") == f"Stack [{stack}] cannot be deleted while in status UPDATE_IN_PROGRESS"
    )
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == "UPDATE_COMPLETE")
    cloudformation.delete_stack(StackName="updating")
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []


def test_an_update_is_cancelled_rolled_back_and_then_deleted(cloudformation: Any) -> None:
    stack = created(cloudformation, "cancelled")
    held_up(cloudformation, "update_stack", "cancelled", TemplateBody=template("new"))
    cloudformation.cancel_update_stack(StackName="cancelled")
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == "UPDATE_ROLLBACK_COMPLETE")
    cloudformation.delete_stack(StackName="cancelled")
    until(lambda: status(cloudformation, stack) == GONE)


def test_only_an_update_can_be_cancelled(cloudformation: Any) -> None:
    created(cloudformation, "at-rest")
    with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status"):
        cloudformation.cancel_update_stack(StackName="at-rest")


def test_a_creation_that_is_deleted_creates_nothing_more(cloudformation: Any) -> None:
    stack = held_up(cloudformation, "create_stack", "given-up", TemplateBody=template())
    cloudformation.delete_stack(StackName="given-up")
    cloudformation.delete_stack(StackName="given-up")  # asking twice is asking once
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    second = [each for each in events if each["LogicalResourceId"] == "R1"]
    assert "Resource creation cancelled" in {each.get("ResourceStatusReason") for each in second}


def test_a_creation_at_its_last_resource_is_deleted_all_the_same(cloudformation: Any) -> None:
    stack = held_up(cloudformation, "create_stack", "last", TemplateBody=template("old", "only"))
    cloudformation.delete_stack(StackName="last")
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []


def test_a_new_stack_of_the_same_name_is_not_given_up(cloudformation: Any) -> None:
    stack = held_up(cloudformation, "create_stack", "same-name", TemplateBody=template())
    cloudformation.delete_stack(StackName="same-name")
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == GONE)
    created(cloudformation, "same-name")
    assert Slow.made == ["first", "second"]


def test_deleting_a_stack_that_is_being_deleted_deletes_it_once(cloudformation: Any) -> None:
    stack = created(cloudformation, "deleted-twice")
    held_up(cloudformation, "delete_stack", "deleted-twice")
    cloudformation.delete_stack(StackName="deleted-twice")
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == GONE)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    assert [each["ResourceStatus"] for each in events].count("DELETE_IN_PROGRESS") == 3  # the stack, and its two


def test_a_protected_stack_is_not_deleted_even_while_it_is_created(cloudformation: Any) -> None:
    held_up(cloudformation, "create_stack", "protected", TemplateBody=template(), EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in refusal(cloudformation, "protected")
    Slow.go_on.set()
    until(lambda: status(cloudformation, "protected") == "CREATE_COMPLETE")


def test_a_deletion_that_failed_is_tried_again(cloudformation: Any) -> None:
    stack = created(cloudformation, "fails-once")
    Slow.fails.add("delete first")
    cloudformation.delete_stack(StackName="fails-once")
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    (left,) = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    assert left["ResourceStatus"] == "DELETE_FAILED"
    assert "delete first fails as the test wants" in left["ResourceStatusReason"]
    Slow.fails.clear()
    cloudformation.delete_stack(StackName="fails-once")
    until(lambda: status(cloudformation, stack) == GONE)


def test_a_rollback_that_failed_can_be_deleted(cloudformation: Any) -> None:
    Slow.fails |= {"create second", "delete first"}
    stack = cloudformation.create_stack(StackName="rollback-fails", TemplateBody=template())["StackId"]
    until(lambda: status(cloudformation, stack) == "ROLLBACK_FAILED")
    Slow.fails.clear()
    cloudformation.delete_stack(StackName="rollback-fails")
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []


BRANCHES = """
Resources:
  Ground: {Type: AWS::CodeCommit::Repository, Properties: {RepositoryName: ground}}
  House:
    Type: AWS::CodeCommit::Repository
    Properties: {RepositoryName: house, RepositoryDescription: !GetAtt Ground.Name}
  Roof: {Type: AWS::CodeCommit::Repository, DependsOn: House, Properties: {RepositoryName: roof}}
  Tree: {Type: AWS::CodeCommit::Repository, DependsOn: Ground, Properties: {RepositoryName: tree}}
  Stone: {Type: AWS::CodeCommit::Repository, Properties: {RepositoryName: stone}}
"""
"""The roof stands on the house and that on the ground, as the tree does; the stone is on its own."""


def statuses(cloudformation: Any, stack: str) -> dict[str, str]:
    """The status of each resource that a stack has."""
    listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {each["LogicalResourceId"]: each["ResourceStatus"] for each in listed}


def touched(cloudformation: Any, stack: str) -> set[str]:
    """The resources that a stack's events say were deleted, or tried to."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return {each["LogicalResourceId"] for each in events if each["ResourceStatus"].startswith("DELETE_")} - {
        events[0]["StackName"]
    }


def test_what_a_resource_depends_on_stays_while_it_cannot_be_deleted(cloudformation: Any) -> None:
    stack = cloudformation.create_stack(StackName="stands", TemplateBody=BRANCHES)["StackId"]
    until(lambda: status(cloudformation, stack) == "CREATE_COMPLETE")
    Slow.fails.add("delete roof")
    cloudformation.delete_stack(StackName="stands")
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    assert sorted(Slow.made) == ["ground", "house", "roof"]
    assert statuses(cloudformation, stack) == {
        "Ground": "CREATE_COMPLETE",
        "House": "CREATE_COMPLETE",
        "Roof": "DELETE_FAILED",
    }
    assert touched(cloudformation, stack) == {"Roof", "Tree", "Stone"}
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert described["StackStatusReason"] == "The following resource(s) failed to delete: [Roof]."
    Slow.fails.clear()
    cloudformation.delete_stack(StackName="stands")
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []


def test_what_stays_is_listed_while_the_rest_is_deleted(cloudformation: Any) -> None:
    stack = cloudformation.create_stack(StackName="listed", TemplateBody=BRANCHES)["StackId"]
    until(lambda: status(cloudformation, stack) == "CREATE_COMPLETE")
    Slow.fails |= {"delete roof", "delete tree", "delete stone"}
    cloudformation.delete_stack(StackName="listed")
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    assert set(statuses(cloudformation, stack)) == {"Ground", "House", "Roof", "Tree", "Stone"}
    Slow.fails -= {"delete stone"}
    held_up(cloudformation, "delete_stack", "listed")
    seen = set(statuses(cloudformation, stack))
    Slow.go_on.set()
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    assert {"Ground", "House", "Roof", "Tree"} <= seen
    assert set(statuses(cloudformation, stack)) == {"Ground", "House", "Roof", "Tree"}
    Slow.fails.clear()
    cloudformation.delete_stack(StackName="listed")
    until(lambda: status(cloudformation, stack) == GONE)


def test_what_a_resource_depends_on_stays_when_its_rollback_fails(cloudformation: Any) -> None:
    Slow.fails |= {"create third", "delete second"}
    names = ("first", "second", "third")
    stack = cloudformation.create_stack(StackName="half", TemplateBody=template("old", *names))["StackId"]
    until(lambda: status(cloudformation, stack) == "ROLLBACK_FAILED")
    assert Slow.made == ["first", "second"]
    assert statuses(cloudformation, stack) == {"R0": "CREATE_COMPLETE", "R1": "DELETE_FAILED"}
    assert touched(cloudformation, stack) == {"R1"}
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert described["StackStatusReason"] == "The following resource(s) failed to delete: [R1]."
    Slow.fails.clear()
    cloudformation.delete_stack(StackName="half")
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == []


def test_a_forced_deletion_leaves_what_failed_and_what_that_stands_on(cloudformation: Any) -> None:
    stack = cloudformation.create_stack(StackName="forced", TemplateBody=BRANCHES)["StackId"]
    until(lambda: status(cloudformation, stack) == "CREATE_COMPLETE")
    Slow.fails.add("delete roof")
    cloudformation.delete_stack(StackName="forced")
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    cloudformation.delete_stack(StackName="forced", DeletionMode="FORCE_DELETE_STACK")
    until(lambda: status(cloudformation, stack) == GONE)
    assert sorted(Slow.made) == ["ground", "house", "roof"]


def test_resources_are_kept_on_request_only_once_the_deletion_failed(cloudformation: Any) -> None:
    stack = created(cloudformation, "keeps-one")
    with pytest.raises(ClientError, match="DELETE_FAILED"):
        cloudformation.delete_stack(StackName="keeps-one", RetainResources=["R1"])
    assert Slow.made == ["first", "second"]
    Slow.fails.add("delete second")
    cloudformation.delete_stack(StackName="keeps-one")
    until(lambda: status(cloudformation, stack) == "DELETE_FAILED")
    cloudformation.delete_stack(StackName="keeps-one", RetainResources=["R1"])
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == ["second"]


@pytest.mark.parametrize(
    ("policy", "asked", "left"),
    [
        ("Delete", False, []),
        ("Retain", False, ["first"]),
        ("Retain", True, []),
        ("RetainExceptOnCreate", False, []),
    ],
)
def test_a_creation_that_fails_keeps_what_its_policy_keeps(
    cloudformation: Any, policy: str, *, asked: bool, left: list[str]
) -> None:
    Slow.fails.add("create second")
    body = template("old", "first", "second", policy=policy)
    name = f"undone-{policy}-{asked}"
    stack = cloudformation.create_stack(StackName=name, TemplateBody=body, RetainExceptOnCreate=asked)["StackId"]
    until(lambda: status(cloudformation, stack) == "ROLLBACK_COMPLETE")
    assert Slow.made == left


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_a_deletion_keeps_what_its_policy_keeps(cloudformation: Any, policy: str) -> None:
    body = template("old", "first", "second", policy=policy)
    stack = cloudformation.create_stack(StackName=f"kept-{policy}", TemplateBody=body)["StackId"]
    until(lambda: status(cloudformation, stack) == "CREATE_COMPLETE")
    cloudformation.delete_stack(StackName=f"kept-{policy}")
    until(lambda: status(cloudformation, stack) == GONE)
    assert Slow.made == ["first"]


def test_deleting_a_stack_that_is_not_there_is_no_error(cloudformation: Any) -> None:
    cloudformation.delete_stack(StackName="never-was")
