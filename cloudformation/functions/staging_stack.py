"""The staging endpoint, which costs by the hour, is there only while a deployment needs it.

    an execution ends, no other is under way    the staging stack is deleted
    another is under way, or waits for an       it stays: that one may test with it, its approver may try it
    approver
    one is about to deploy to staging           it waits until a deletion is over

So every ending counts: production went live, the approver refused or let the time pass, a test failed. The stack says
by a tag whether it may be deleted, as build.py of the model-deploy repository writes it; one without the tag stays.

What keeps an endpoint from being deleted may pass, as SageMaker's own maintenance does (`SystemUpdating`). So a
deletion that failed is asked for again, until the next deployment is on its way: that one replaces the stack itself.
"""

import logging
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, is_missing
from deployments import DeployPipeline
from patience import OutOfTimeError, Patience

KEEP_TAG, DELETED = "keep-after-tests", "false"
GONE, FAILED = "DELETE_COMPLETE", "DELETE_FAILED"

log = logging.getLogger(__name__)


class StagingNotDeletedError(Exception):
    """CloudFormation could not delete the stack. The message says why."""


class StagingStack:
    """The stack of the staging endpoint."""

    def __init__(self, cloudformation: Client, name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def retire(self, pipeline: DeployPipeline, ended: str, patience: Patience) -> bool:
        """Delete the stack unless an execution needs it; answers whether that was begun.

        The one that `ended` needs it no more, whatever its listing says, which may be late.

        Raises StagingNotDeletedError when it fails until the end, and OutOfTimeError.
        """
        stack = self._describe(self._name)
        if stack is None or not _may_go(stack):
            return False
        # After the look at the stack: what starts from now on comes to staging only after `wait_until_settled`.
        if pipeline.is_busy(besides=ended):
            log.info("Another execution is under way: the stack %s stays until that has ended", self._name)
            return False
        # By its id, so that a stack that is made anew under its name is never meant.
        stack_id = stack["StackId"]
        self._cloudformation.delete_stack(StackName=stack_id)
        why = ""

        def over() -> bool:
            nonlocal why
            left = self._describe(stack_id)
            if left is None or left["StackStatus"] != FAILED:
                return left is None or left["StackStatus"] == GONE
            why = str(left.get("StackStatusReason", "CloudFormation gives no reason"))
            if pipeline.is_busy(besides=ended):
                return True
            log.info("The stack %s could not be deleted, so it is asked for again: %s", self._name, why)
            self._cloudformation.delete_stack(StackName=stack_id)
            return False

        try:
            patience.wait_until(over, f"the stack {self._name} to be deleted")
        except OutOfTimeError as problem:
            if why:
                raise StagingNotDeletedError(why) from problem
            raise
        log.info("No deployment needs the stack %s: it was deleted, or another one has begun since", self._name)
        return True

    def wait_until_settled(self, patience: Patience) -> None:
        """Wait while the stack is being deleted: CloudFormation would not deploy it. Raises OutOfTimeError."""
        patience.wait_until(lambda: not self._is_going(), f"the stack {self._name} to be deleted")

    def _is_going(self) -> bool:
        stack = self._describe(self._name)
        return stack is not None and stack["StackStatus"] == "DELETE_IN_PROGRESS"

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
