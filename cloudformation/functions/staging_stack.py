"""The staging endpoint, which costs by the hour, is there only while a deployment needs it.

    an execution ends, no other is under way    the staging stack is deleted
    another is under way, or waits for an       it stays: that one may test with it, its approver may try it
    approver
    one is about to deploy to staging           it waits until a deletion is over

So every ending counts: production went live, the approver refused or let the time pass, a test failed. The stack says
by a tag whether it may be deleted, as build.py of the model-deploy repository writes it; one without the tag stays.
"""

import logging
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, is_missing
from deployments import DeployPipeline
from patience import Patience

KEEP_TAG, DELETED = "keep-after-tests", "false"

log = logging.getLogger(__name__)


class StagingNotDeletedError(Exception):
    """CloudFormation could not delete the stack. The message says why."""


class StagingStack:
    """The stack of the staging endpoint."""

    def __init__(self, cloudformation: Client, name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def retire(self, pipeline: DeployPipeline, ended: str, patience: Patience) -> bool:
        """Delete the stack unless an execution needs it; answers whether it was deleted.

        The one that `ended` needs it no more, whatever its listing says, which may be late.

        Raises StagingNotDeletedError, OutOfTimeError.
        """
        stack = self._describe(self._name)
        if stack is None or not _may_go(stack):
            return False
        # After the look at the stack: what starts from now on comes to staging only after `wait_until_settled`.
        if pipeline.is_busy(besides=ended):
            log.info("Another execution is under way: the stack %s stays until that has ended", self._name)
            return False
        # By its id, so that a stack that is made anew under its name is never meant.
        self._cloudformation.delete_stack(StackName=stack["StackId"])
        patience.wait_until(lambda: self._is_gone(stack["StackId"]), f"the stack {self._name} to be deleted")
        log.info("Deleted the stack %s: no deployment needs it", self._name)
        return True

    def wait_until_settled(self, patience: Patience) -> None:
        """Wait while the stack is being deleted: CloudFormation would not deploy it. Raises OutOfTimeError."""
        patience.wait_until(lambda: not self._is_going(), f"the stack {self._name} to be deleted")

    def _is_going(self) -> bool:
        stack = self._describe(self._name)
        return stack is not None and stack["StackStatus"] == "DELETE_IN_PROGRESS"

    def _is_gone(self, stack_id: str) -> bool:
        stack = self._describe(stack_id)
        if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
            return True
        if stack["StackStatus"] == "DELETE_FAILED":
            raise StagingNotDeletedError(str(stack.get("StackStatusReason", "CloudFormation gives no reason")))
        return False

    def _describe(self, name_or_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name_or_id)["Stacks"][0]
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return found


def _may_go(stack: dict[str, Any]) -> bool:
    """Whether nobody works on the stack and its repository lets it go."""
    tags = {each["Key"]: each["Value"] for each in stack.get("Tags", [])}
    return not stack["StackStatus"].endswith("_IN_PROGRESS") and tags.get(KEEP_TAG) == DELETED
