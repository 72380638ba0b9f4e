"""Custom resource: when a project is deleted, take away what stands outside its stack and costs money.

    Create, Update   nothing
    Delete           stop what runs -> production -> staging -> SageMaker pipeline -> (the user's work, when asked for)
                     -> tell people what was removed, and what was kept and where

CloudFormation deletes this resource before everything it depends on, so roles and pipelines are still there. Every
step finds its work done when it is repeated. An invocation that runs out of time hands over to the next one.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

import custom_resource
import function_log
import notifications
from aws import client, code, explained, is_missing, message
from endpoint_stacks import EndpointStack, StackNotDeletedError
from patience import Context, OutOfTimeError, Patience
from progress import Progress
from project_data import Bucket, EndpointLog, Keepsake, ModelVersions, NotDeletedError, Repository, kept
from work_in_flight import WorkInFlight

DELETE_EVERYTHING = "delete-everything"
STOP_REASON = "The project is being deleted"
SERVICE_TIMEOUT_SECONDS = 3600
LAST_MOMENTS_SECONDS = 120
"""When so little is left of the ServiceTimeout, nothing is handed over any more: CloudFormation needs its answer."""
REPORT_STREAM = "what-was-deleted-and-what-was-kept"
ONCE_MORE = "Put that right, then delete the project once more."

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


class UnfinishedError(Exception):
    """The project cannot be deleted. The message says why and what to do, for the person in Studio."""


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Answer CloudFormation's request, or hand it over to another invocation, which will answer it."""
    log.info("%s of the stack %s", event.get("RequestType"), event.get("StackId"))
    try:
        answered_later = _carry_out(event, context)
    except UnfinishedError as problem:
        log.error("%s", problem)
        custom_resource.fail(event, str(problem))
    except ClientError as error:
        log.exception("A call of AWS failed")
        custom_resource.fail(event, f"{explained(error)}. {ONCE_MORE}")
    except Exception as error:  # whatever it is: without an answer CloudFormation waits for an hour
        log.exception("Cleaning up broke")
        custom_resource.fail(event, f"Cleaning up broke: {error!r}. The function's log says where. {ONCE_MORE}")
    else:
        if not answered_later:
            custom_resource.succeed(event)


def _carry_out(event: Mapping[str, Any], context: Context) -> bool:
    """Do what is asked for. True when another invocation goes on with it and will answer."""
    if event["RequestType"] != "Delete":
        return False
    stack_status = _status_of_own_stack(event["StackId"])
    if not stack_status.startswith(("DELETE_", "ROLLBACK_")):
        # The update that added this resource to a living project is taken back, or an update removes it.
        log.info("The stack is %s: the project lives on, so nothing is cleaned up", stack_status)
        return False
    properties = event["ResourceProperties"]
    progress = Progress.of(event, time.time())
    deadline = progress.started_at + float(properties.get("ServiceTimeout", SERVICE_TIMEOUT_SECONDS))

    def remaining() -> int:
        return min(context.get_remaining_time_in_millis(), int((deadline - time.time()) * 1000))

    try:
        launch_failed = stack_status.startswith("ROLLBACK_")
        CleanUp(properties, progress, Patience(remaining), context.log_group_name, launch_failed=launch_failed).run()
    except OutOfTimeError as problem:
        if deadline - time.time() < LAST_MOMENTS_SECONDS:
            raise UnfinishedError(
                f"CloudFormation waits no longer, and this still waits for {problem}. What was begun goes on by "
                "itself: look whether it ends, then delete the project once more."
            ) from problem
        log.info("Handing over to another invocation: this one still waits for %s", problem)
        client("lambda").invoke(
            FunctionName=context.invoked_function_arn,
            InvocationType="Event",
            Payload=json.dumps(progress.added_to(event)).encode(),
        )
        return True
    return False


def _status_of_own_stack(stack_id: str) -> str:
    return str(client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])


class CleanUp:
    """One invocation's part of cleaning up."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        progress: Progress,
        patience: Patience,
        log_group: str,
        *,
        launch_failed: bool,
    ) -> None:
        self._properties = properties
        self._progress = progress
        self._patience = patience
        self._log_group = log_group
        self._launch_failed = launch_failed
        self._sagemaker = client("sagemaker")

    def run(self) -> None:
        """Do it all. Raises UnfinishedError, OutOfTimeError."""
        self._stop_work()
        self._delete_stacks()
        self._delete_sagemaker_pipeline(self._properties["SageMakerPipeline"])
        if self._properties["WhenProjectIsDeleted"] == DELETE_EVERYTHING:
            self._delete_users_work()
        self._tell()

    def _stop_work(self) -> None:
        work = WorkInFlight(client("codepipeline"), client("codebuild"), self._sagemaker, STOP_REASON)
        try:
            work.stop(
                [self._properties["BuildPipeline"], self._properties["DeployPipeline"]],
                self._properties["BuildProjects"],
                [self._properties["SageMakerPipeline"], *self._properties["BatchPipelines"]],
                self._patience,
            )
        finally:
            self._progress.note_stopped(work.stopped)

    def _delete_stacks(self) -> None:
        cloudformation = client("cloudformation")
        production, staging = self._properties["ProductionStack"], self._properties["StagingStack"]
        problems = []
        # Production once more in the end: an action that was abandoned halfway may have gone on for a moment.
        for name in (production, staging, production):
            stack = EndpointStack(cloudformation, self._sagemaker, name)
            try:
                stack.delete(self._patience)
            except StackNotDeletedError as problem:
                problems.append(str(problem))
            else:
                if stack.existed:
                    self._progress.note_removed(f"the stack {name} with its endpoint")
                for left in stack.left_behind:
                    self._progress.note_left(left)
        if problems:
            raise UnfinishedError(" ".join(dict.fromkeys(problems)))

    def _delete_sagemaker_pipeline(self, name: str) -> None:
        def deleted() -> bool:
            try:
                self._sagemaker.delete_pipeline(PipelineName=name)
            except ClientError as error:
                if code(error) == "ConflictException":  # an execution of it still runs
                    log.info("The SageMaker pipeline %s cannot be deleted yet: %s", name, message(error))
                    return False
                if not is_missing(error):
                    raise
            else:
                self._progress.note_removed(f"the SageMaker pipeline {name}")
            return True

        self._patience.wait_until(deleted, f"the SageMaker pipeline {name} to be deleted")

    def _users_work(self) -> list[Keepsake]:
        codecommit, logs = client("codecommit"), client("logs")
        return [
            *(Repository(codecommit, name) for name in self._properties["Repositories"]),
            ModelVersions(self._sagemaker, self._properties["ModelPackageGroup"]),
            Bucket(client("s3"), self._properties["Bucket"]),
            *(EndpointLog(logs, name) for name in self._properties["EndpointLogs"]),
        ]

    def _delete_users_work(self) -> None:
        for each in self._users_work():
            try:
                deleted = each.delete(self._patience)
            except NotDeletedError as problem:
                raise UnfinishedError(str(problem)) from problem
            if deleted:
                self._progress.note_removed(deleted)

    def _tell(self) -> None:
        # After a launch that failed CloudFormation itself takes back all of the user's work but the bucket.
        work = self._users_work()
        left = kept([each for each in work if isinstance(each, Bucket) or not self._launch_failed])
        own_log = "" if self._launch_failed else self._log_group  # after a launch that failed it goes with the stack
        subject, text = self._progress.report(
            self._properties["ProjectName"], left, own_log, launch_failed=self._launch_failed
        )
        if text:
            # Before the answer: after it CloudFormation deletes this function's role, and nothing can be written.
            function_log.write(client("logs"), self._log_group, REPORT_STREAM, f"{subject}\n\n{text}")
            notifications.publish(client("sns"), self._properties["NotificationTopic"], subject, text)
