"""Deleting a stack that holds an endpoint, whatever state it is in.

| status                                  | what is done                                                        |
|-----------------------------------------|---------------------------------------------------------------------|
| no stack                                | nothing                                                             |
| UPDATE_IN_PROGRESS                      | the update is cancelled; CloudFormation accepts that in no other    |
| CREATE_IN_PROGRESS                      | deleted: CloudFormation gives up the creation                       |
| any other that ends in _IN_PROGRESS     | waited for                                                          |
| DELETE_FAILED after we asked            | asked again once its endpoint has settled; after the third time     |
|                                         | models and endpoint configurations are left, all else is reported   |
| every other, the failed ones included   | deleted                                                             |

The stack is deleted with the role it was created with, which CloudFormation remembers.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import logging
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, code, is_missing, message
from endpoint_status import UNSETTLED, status_of
from patience import Patience

DELETED_AT_ONCE = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
ATTEMPTS = 3
# They cost nothing. The stack's role may touch only those with the project's tag, and one that somebody deleted by hand
# has no tag: CloudFormation then cannot find out that it is gone. Their names hold nothing of the project.
FREE = {"AWS::SageMaker::EndpointConfig": "endpoint-config", "AWS::SageMaker::Model": "model"}

log = logging.getLogger(__name__)


class StackNotDeletedError(Exception):
    """A stack cannot be deleted. The message says which, why, and what to do."""


class EndpointStack:
    """A stack with an endpoint in it, on its way to deletion."""

    def __init__(self, cloudformation: Client, sagemaker: Client, name: str) -> None:
        self._cloudformation = cloudformation
        self._sagemaker = sagemaker
        self._name = name
        self._asked = 0
        self._cancelled = False
        self.existed = False
        self.left_behind: list[str] = []
        """What was left because it could not be deleted, and the command that deletes it."""

    def delete(self, patience: Patience) -> None:
        """Delete the stack and wait until it is gone. Raises StackNotDeletedError, OutOfTimeError."""
        patience.wait_until(self._gone, f"the stack {self._name} to be deleted")

    def _gone(self) -> bool:
        """One step towards deletion; True when there is no such stack (any more)."""
        stack = self._describe()
        if stack is None:
            return True
        self.existed = True
        status = stack["StackStatus"]
        if status == "UPDATE_IN_PROGRESS":
            self._cancel_update()
        elif status.endswith("_IN_PROGRESS") and status not in DELETED_AT_ONCE:
            log.info("The stack %s is %s", self._name, status)
        elif status == "DELETE_FAILED" and self._asked:
            self._ask_again(stack)
        else:
            self._ask(status)
        return False

    def _describe(self) -> dict[str, Any] | None:
        try:
            stacks = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        found: dict[str, Any] = stacks[0]
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _cancel_update(self) -> None:
        if self._cancelled:
            return
        log.info("Cancelling the update of the stack %s", self._name)
        try:
            self._cloudformation.cancel_update_stack(StackName=self._name)
        except ClientError as error:
            if code(error) != "ValidationError":  # it says so when the update ended a moment ago: then look again
                raise
        self._cancelled = True

    def _ask(self, status: str) -> None:
        log.info("Deleting the stack %s, which is %s", self._name, status)
        try:
            self._cloudformation.delete_stack(StackName=self._name)
        except ClientError as error:
            if code(error) != "ValidationError":
                raise
            now = self._describe()
            if now is not None and now["StackStatus"] == status:
                raise StackNotDeletedError(
                    f"The stack {self._name} cannot be deleted: {message(error)} "
                    "Put that right, then delete the project once more."
                ) from error
            return  # it moved on since we looked
        self._asked += 1

    def _ask_again(self, stack: dict[str, Any]) -> None:
        """After a deletion that failed. No endpoint can be deleted while it changes, so its change is waited for."""
        resources = self._resources()
        if any(self._is_unsettled(each["PhysicalResourceId"]) for each in resources if _is_endpoint(each)):
            return
        if self._asked < ATTEMPTS:
            self._ask(stack["StackStatus"])
            return
        stuck = [each for each in resources if each["ResourceStatus"] == "DELETE_FAILED"]
        if stuck and not self.left_behind and all(each["ResourceType"] in FREE for each in stuck):
            self._leave(stuck)
            return
        failed = [
            f"{each['LogicalResourceId']} ({each['ResourceType']} {each.get('PhysicalResourceId', 'without an id')}): "
            f"{each.get('ResourceStatusReason', 'no reason given')}"
            for each in stuck
        ]
        raise StackNotDeletedError(
            f"The stack {self._name} cannot be deleted. "
            f"{'; '.join(failed) or stack.get('StackStatusReason', 'CloudFormation gives no reason')}. "
            "Put that right or delete what is named by hand, then delete the project once more."
        )

    def _leave(self, stuck: list[dict[str, Any]]) -> None:
        """Delete the stack without what cannot be deleted."""
        log.info("Deleting the stack %s without %s", self._name, [each["LogicalResourceId"] for each in stuck])
        for each in stuck:
            kind, name = FREE[each["ResourceType"]], each["PhysicalResourceId"].rpartition("/")[2]
            self.left_behind.append(f"{kind} {name}\n    aws sagemaker delete-{kind} --{kind}-name {name}")
        self._cloudformation.delete_stack(
            StackName=self._name, RetainResources=[each["LogicalResourceId"] for each in stuck]
        )

    def _resources(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._cloudformation.describe_stack_resources(StackName=self._name)[
                "StackResources"
            ]
        except ClientError as error:
            if is_missing(error):
                return []
            raise
        return found

    def _is_unsettled(self, endpoint_arn: str) -> bool:
        return status_of(self._sagemaker, endpoint_arn.rpartition("/")[2]) in UNSETTLED


def _is_endpoint(resource: dict[str, Any]) -> bool:
    return resource["ResourceType"] == "AWS::SageMaker::Endpoint" and bool(resource.get("PhysicalResourceId"))
