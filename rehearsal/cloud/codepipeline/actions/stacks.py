"""Stack operations as the pipeline's role, waited for."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.codepipeline.actions.base import ActionFailed, Job

FAILED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"})
"""What REPLACE_ON_FAILURE replaces:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-action-reference.html"""
NOT_UPDATABLE = FAILED
"""What UpdateStack refuses, besides every state in progress:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
LOOK_EVERY = 0.2  # seconds between two looks at a stack

Stack = dict[str, Any]


def describe(client: Any, name: str) -> Stack | None:  # noqa: ANN401 - boto3 clients are untyped
    """The stack, or None when there is none. Raises ActionFailed when it may not be looked at."""
    try:
        stacks = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as problem:
        if "does not exist" in problem.response["Error"].get("Message", ""):
            return None
        raise refused(problem) from problem
    if not stacks or stacks[0]["StackStatus"] == "DELETE_COMPLETE":
        return None
    return dict(stacks[0])


def create(job: Job, client: Any, arguments: dict[str, Any]) -> Stack:  # noqa: ANN401 - boto3 clients are untyped
    """Create a stack and wait until it stands."""
    try:
        stack_id = client.create_stack(**arguments)["StackId"]
    except ClientError as problem:
        raise refused(problem) from problem
    return _wait(job, client, stack_id, "create")


def update(job: Job, client: Any, stack: Stack, arguments: dict[str, Any]) -> Stack:  # noqa: ANN401
    """Update a stack and wait until it stands. Nothing to update is a success."""
    status = stack["StackStatus"]
    if status in NOT_UPDATABLE or status.endswith("_IN_PROGRESS"):
        raise ActionFailed(f"Stack:{stack['StackId']} is in {status} state and can not be updated.")
    try:
        client.update_stack(**arguments)
    except ClientError as problem:
        if "No updates are to be performed" in problem.response["Error"].get("Message", ""):
            job.run.summary = "No updates are to be performed."
            return stack
        raise refused(problem) from problem
    return _wait(job, client, stack["StackId"], "update")


def delete(job: Job, client: Any, name: str, role: str) -> None:  # noqa: ANN401 - boto3 clients are untyped
    """Delete a stack and wait until it is gone. No stack is a success."""
    stack = describe(client, name)
    if stack is None:
        return
    _show(job, stack["StackId"])
    try:
        client.delete_stack(StackName=name, RoleARN=role)
    except ClientError as problem:
        raise refused(problem) from problem
    while True:
        left = describe(client, name)
        if left is None or left["StackId"] != stack["StackId"]:
            return
        if left["StackStatus"] == "DELETE_FAILED":
            raise ActionFailed(_failure(client, left, "delete"))
        job.pause(LOOK_EVERY)


def _wait(job: Job, client: Any, stack_id: str, verb: str) -> Stack:  # noqa: ANN401 - boto3 clients are untyped
    _show(job, stack_id)
    while True:
        stack = describe(client, stack_id)
        if stack is None:
            raise ActionFailed(f"Stack:{stack_id} was deleted while the action waited to {verb} it")
        status = stack["StackStatus"]
        if status in DONE:
            job.run.summary = f"Stack {stack['StackName']} was {verb}d"
            return stack
        if not status.endswith("_IN_PROGRESS"):
            raise ActionFailed(_failure(client, stack, verb))
        job.pause(LOOK_EVERY)


def _show(job: Job, stack_id: str) -> None:
    region = job.cloud.region
    job.progress(
        external_id=stack_id,
        external_url=f"https://console.aws.amazon.com/cloudformation/home?region={region}#/stacks?stackId={stack_id}",
    )


def _failure(client: Any, stack: Stack, verb: str) -> str:  # noqa: ANN401 - boto3 clients are untyped
    """Why the stack failed: the first failed resource, when the role may read the stack's events.

    "Otherwise … CodePipeline will ignore accessing the API and show a generic error message instead."
    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
    """
    generic = f"Failed to {verb} stack {stack['StackName']}: it is in state {stack['StackStatus']}."
    try:
        events = client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    except ClientError:
        return generic
    first: dict[str, Any] | None = None
    for event in events:  # newest first, back to the start of this operation
        whole_stack = event["ResourceType"] == "AWS::CloudFormation::Stack" and (
            event.get("PhysicalResourceId") == stack["StackId"]
        )
        if whole_stack and event["ResourceStatus"] == f"{verb.upper()}_IN_PROGRESS":
            break
        if not whole_stack and event["ResourceStatus"].endswith("_FAILED"):
            first = event
    if first is None:
        return generic
    return (
        f"{generic} First failed resource: {first['LogicalResourceId']} ({first['ResourceType']}) "
        f"{first['ResourceStatus']}: {first.get('ResourceStatusReason', '')}"
    )


def refused(problem: ClientError) -> ActionFailed:
    """The failure of an action whose call CloudFormation refused."""
    error = problem.response["Error"]
    denied = error["Code"].startswith("AccessDenied")
    status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
    return ActionFailed(
        f"{error.get('Message', '')} (Service: AmazonCloudFormation; Status Code: {status}; "
        f"Error Code: {error['Code']})",
        "PermissionError" if denied else "JobFailed",
    )
