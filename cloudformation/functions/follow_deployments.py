"""EventBridge: an execution of the deploy pipeline started or ended.

    a rollback starts or is retried       the executions that would make it wait are stopped
    a rejected version is retried         its execution is stopped
    any execution ends                    production must not be left with a rejected version: see going_back.py;
                                          and no staging endpoint costs money for nothing: see staging_stack.py

So whoever starts a rollback, by whatever way, starts the same thing. Events may come twice, late, or out of order; what
holds now is asked for each time.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

import notifications
from aws import client, explained
from deployments import BECAUSE_REJECTED, Deployment, DeployPipeline
from going_back import GoingBack, Message
from live_model import version_of
from patience import Context, OutOfTimeError, Patience
from staging_stack import StagingStack

STARTED, RESUMED = "STARTED", "RESUMED"
FINAL = {"SUCCEEDED": "Succeeded", "SUPERSEDED": "Superseded"}
"""Ends that no retry undoes, by their event, in the listing's words."""
UNDONE_BY_RETRY = frozenset({"FAILED", "STOPPED"})

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


class NotListedError(Exception):
    """CodePipeline lists an execution otherwise than its event says, for longer than an invocation can wait."""


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Follow one change. What fails is told to people, and left to Lambda, which runs the event again, twice."""
    patience = Patience(context.get_remaining_time_in_millis)
    try:
        message = _follow(event["detail"], patience)
        if message:
            _tell(message)
    except Exception as problem:
        log.exception("The change of the execution could not be followed")
        _tell_failure(event, problem)
        raise
    state, execution_id = event["detail"]["state"], event["detail"]["execution-id"]
    if state not in (STARTED, RESUMED):
        # One that failed was listed so, and counts again when somebody retried its stage since.
        _retire_staging(execution_id if state in FINAL else "", patience)


def _retire_staging(ended: str, patience: Patience) -> None:
    """Take staging down, if nobody needs it. Production is not touched by it: what fails is told, and tried again."""
    name = os.environ["STAGING_STACK_NAME"]
    pipeline = DeployPipeline(client("codepipeline"), os.environ["DEPLOY_PIPELINE"])
    try:
        StagingStack(client("cloudformation"), name).retire(pipeline, ended, patience)
    except Exception as problem:
        log.exception("The stack %s could not be deleted", name)
        why = explained(problem) if isinstance(problem, ClientError) else str(problem) or repr(problem)
        group = os.environ["MODEL_PACKAGE_GROUP_NAME"]
        text = (
            f"No deployment of {group} needs its staging endpoint any more, and the stack {name} could not be deleted."
            f"\n\n{why}\n\n"
            "The endpoint costs money by the hour. It is tried again by itself, twice, within minutes, and when the "
            "next deployment has ended. Production is not touched by it. To delete it by hand:\n"
            f"    aws cloudformation delete-stack --stack-name {name}"
        )
        _tell(Message(f"{group}: the staging endpoint could not be taken down", text))
        raise


def _follow(detail: Mapping[str, Any], patience: Patience) -> Message | None:
    """Do what has to be done; answers what people have to know."""
    pipeline = DeployPipeline(client("codepipeline"), os.environ["DEPLOY_PIPELINE"])
    deployment = _listed(pipeline, detail["execution-id"], detail["state"], patience)
    begins = detail["state"] in (STARTED, RESUMED)
    if not (deployment.goes_back or detail["state"] == RESUMED or deployment.reached_production):
        return None  # most of them: no need to look any further
    endpoint, group = os.environ["PRODUCTION_ENDPOINT_NAME"], os.environ["MODEL_PACKAGE_GROUP_NAME"]
    going_back = GoingBack(client("sagemaker"), pipeline, endpoint, group)
    if not begins:
        return going_back.take_up(deployment) if deployment.is_over else None
    if deployment.goes_back:
        return going_back.clear_the_way(deployment)
    if detail["state"] == RESUMED:
        _stop_if_rejected(pipeline, going_back, deployment)
    return None


def _listed(pipeline: DeployPipeline, execution_id: str, state: str, patience: Patience) -> Deployment:
    """The execution, at least as far as its event says: the listing may lag behind. Raises NotListedError."""
    found: list[Deployment] = []

    def caught_up() -> bool:
        found[:] = [each for each in [pipeline.find(execution_id)] if each]
        return any(each.is_over or state not in UNDONE_BY_RETRY for each in found)

    try:
        patience.wait_until(caught_up, f"execution {execution_id} to be listed as {state}")
    except OutOfTimeError as problem:
        lists_it = f"lists it as {found[0].status}" if found else "does not list it"
        raise NotListedError(
            f"CodePipeline {lists_it}. After a retry of the stage that is as it should be, and its next end is "
            "followed; otherwise its listing is late."
        ) from problem
    (deployment,) = found
    return deployment if deployment.is_over else replace(deployment, status=FINAL.get(state, deployment.status))


def _stop_if_rejected(pipeline: DeployPipeline, going_back: GoingBack, retried: Deployment) -> None:
    """A stage of a version that was rejected since is retried. What it deploys all the same, its end takes back."""
    if not retried.is_over and going_back.carries_rejected(retried):
        pipeline.stop(retried, f"Version {version_of(str(retried.package_arn))} {BECAUSE_REJECTED}")


def _tell(message: Message) -> None:
    notifications.publish(client("sns"), os.environ["NOTIFICATION_TOPIC_ARN"], message.subject, message.text)


def _tell_failure(event: Mapping[str, Any], problem: Exception) -> None:
    """Tell people what may not have happened and what they can do, whatever the failure is. Hides no other error."""
    try:
        detail = event.get("detail", {})
        group = os.environ["MODEL_PACKAGE_GROUP_NAME"]
        why = explained(problem) if isinstance(problem, ClientError) else str(problem) or repr(problem)
        execution_id, state = detail.get("execution-id", "?"), detail.get("state", "?")
        text = (
            f"Execution {execution_id} of the deploy pipeline of {group} is {state}, and whether a "
            f"rollback needs help because of that could not be found out.\n\n{why}\n\n"
            "It is tried again by itself, twice, within minutes. If production is to go back and does not after that, "
            'run this in a clone of the model-deploy repository: make rollback REASON="why"\n\n'
            "The log of the project's functions says more."
        )
        _tell(Message(f"{group}: an execution of the deploy pipeline could not be followed", text))
    except Exception:
        log.exception("Nobody could be told of that failure")
