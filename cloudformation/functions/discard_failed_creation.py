"""CodePipeline action: make room for production's stack when its first creation failed.

| status of the stack      | what is done                                                              |
|--------------------------|---------------------------------------------------------------------------|
| ROLLBACK_COMPLETE        | deleted: it never came to be, and nothing of it is left                   |
| ROLLBACK_FAILED          | deleted: it never came to be, and what is left of it never was production |
| every other, or no stack | nothing: it serves, or has served, or somebody is at it                   |

Both exist after a failed creation only, and nothing but a deletion gets a stack out of them: the next action, which
creates or updates, would be refused for ever. A stack that is DELETE_FAILED or UPDATE_ROLLBACK_FAILED may still serve;
one in REVIEW_IN_PROGRESS is a change set that a person has yet to run.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

import pipeline_job
from aws import Client, client, is_missing
from patience import Context, OutOfTimeError, Patience
from pipeline_job import ActionFailedError, Done, Job

FAILED_CREATION = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
GONE, GOING = "DELETE_COMPLETE", "DELETE_IN_PROGRESS"
WHAT_NOW = "Production was not touched. Put that right, then retry the stage's failed actions."

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Delete the stack if its creation failed, and answer CodePipeline, whatever happens."""
    patience = Patience(context.get_remaining_time_in_millis)

    def discard(_job: Job) -> Done:
        return Done(_discard(client("cloudformation"), os.environ["PRODUCTION_STACK_NAME"], patience))

    pipeline_job.answer(event, discard, WHAT_NOW)


def _discard(cloudformation: Client, name: str, patience: Patience) -> str:
    """Do it; answers a sentence for the pipeline's page. Raises ActionFailedError."""
    stack = _describe(cloudformation, name)
    if stack is None:
        return f"There is no stack {name} yet: nothing to discard"
    status = stack["StackStatus"]
    if status not in FAILED_CREATION:
        return f"The stack {name} is {status}: nothing to discard"
    # By its id: a stack of the same name that somebody makes meanwhile is another one.
    stack_id = stack["StackId"]
    log.info("Deleting the stack %s, which is %s", stack_id, status)
    cloudformation.delete_stack(StackName=stack_id)

    def gone() -> bool:
        now = _describe(cloudformation, stack_id)
        if now is not None and now["StackStatus"] != GOING:
            raise ActionFailedError(
                f"The first creation of the stack {name} failed, and what is left of it cannot be deleted: it is "
                f"{now['StackStatus']}, {now.get('StackStatusReason', 'CloudFormation gives no reason')}. Have the "
                "platform team delete that stack."
            )
        return now is None

    try:
        patience.wait_until(gone, f"the stack {name} to be deleted")
    except OutOfTimeError as problem:
        raise ActionFailedError(
            f"The first creation of the stack {name} failed, and its deletion takes longer than this action can wait."
        ) from problem
    return f"Deleted the stack {name}, which was {status}: its first creation failed and nothing was served by it"


def _describe(cloudformation: Client, name_or_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name_or_id)["Stacks"][0]
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return None if found["StackStatus"] == GONE else found
