"""Executions of the deploy pipeline: which version they carry, how far they are, and how they ended."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError

from aws import STOPPED_ALREADY, Client, code
from live_model import same_package

# The deploy pipeline as cloudformation/project.yaml declares it; a test reads both.
PACKAGE_VARIABLE = "MODEL_PACKAGE_ARN"
RESOLVING_ACTION = "ResolvePackage"
RESOLVED_VARIABLE = "MODEL_PACKAGE_ARN_RESOLVED"
DECIDING_ACTION = "DecideDeployment"
JUDGED_VARIABLE = "MODEL_PACKAGE_ARN"
CHALLENGER_VARIABLE = "CHALLENGER_MODEL_PACKAGE_ARN"
"""Of the version that is compared with it; the build and the decision call it alike."""
ASK_VARIABLE = "ASK_APPROVAL"
RECORDING_ACTION = "RecordDeployment"
APPROVAL_ACTION = "ApproveProduction"
PRODUCTION_STAGE = "DeployProduction"
ROLLBACK = "rollback"
AUTO = "auto"
"""What the deploy pipeline is asked for to deploy what is live again, with the configuration as it is now."""

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecutionSummary.html
IN_PROGRESS, STOPPING = "InProgress", "Stopping"
SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
STARTED_BY_EVENT = "CloudWatchEvent"
LONGEST_REASON = 200
# Reasons for which the functions stop executions.
BECAUSE_REJECTED = "was rejected in the Model Registry"
NOTHING_TO_DO = "Nothing to do"
"""How a reason begins when another execution does the same; `make why` takes that for no failure."""


@dataclass(frozen=True)
class Deployment:
    """One execution, as it was when it was looked at."""

    execution_id: str
    asked_for: str
    """The pipeline variable: an ARN, `auto` or `rollback`."""
    started: datetime
    actions: list[dict[str, Any]]
    """Its action executions."""
    status: str = IN_PROGRESS
    trigger: str = ""
    """What started it, in CodePipeline's words."""
    stop_reason: str = ""
    revisions: frozenset[tuple[str, str]] = frozenset()
    """Of its sources: the action that took each, and its revision, as CodePipeline has them; empty until it has."""

    @property
    def is_over(self) -> bool:
        return self.status not in (IN_PROGRESS, STOPPING)

    @property
    def goes_back(self) -> bool:
        return self.asked_for == ROLLBACK

    @property
    def package_arn(self) -> str | None:
        """The version it carries; None while `auto` or `rollback` is not resolved yet."""
        carried = self._variable(DECIDING_ACTION, JUDGED_VARIABLE) or self._variable(
            RESOLVING_ACTION, RESOLVED_VARIABLE
        )
        return carried or (self.asked_for if self.asked_for.startswith("arn:") else None)

    @property
    def challenger_arn(self) -> str | None:
        """The version that it puts beside the one it carries; `none` without; None while nothing says so yet."""
        return self._variable(DECIDING_ACTION, CHALLENGER_VARIABLE) or self._variable(
            RESOLVING_ACTION, CHALLENGER_VARIABLE
        )

    @property
    def asks(self) -> bool:
        """Whether it was decided that a person is asked before production."""
        return self._variable(DECIDING_ACTION, ASK_VARIABLE) == "yes"

    @property
    def recorded_at(self) -> datetime | None:
        """When its version was seen to be live in production; None unless it was."""
        ends = [
            each["lastUpdateTime"]
            for each in self.actions
            if each["actionName"] == RECORDING_ACTION and each["status"] == "Succeeded"
        ]
        return max(ends, default=None)

    @property
    def reached_production(self) -> bool:
        return any(action["stageName"] == PRODUCTION_STAGE for action in self.actions)

    @property
    def changes_a_stack(self) -> bool:
        """Whether one of its actions has CloudFormation change a stack at this moment."""
        return any(
            action["status"] == "InProgress" and action["input"]["actionTypeId"]["provider"] == "CloudFormation"
            for action in self.actions
        )

    def carries(self, package_arn: str) -> bool:
        return same_package(self.package_arn, package_arn)

    def brings_beside(self, package_arn: str) -> bool:
        """Whether it puts this version beside another one that it carries."""
        return same_package(self.challenger_arn, package_arn) and not self.carries(package_arn)

    def _variable(self, action_name: str, variable: str) -> str | None:
        """What an action gave to those that follow; None when it has not (yet)."""
        for action in self.actions:
            if action["actionName"] == action_name:
                value = action.get("output", {}).get("outputVariables", {}).get(variable)
                if value:
                    return str(value)
        return None


class DeployPipeline:
    """The deploy pipeline."""

    def __init__(self, codepipeline: Client, name: str) -> None:
        self._codepipeline = codepipeline
        self.name = name

    def in_flight(self) -> Iterator[Deployment]:
        """Executions that are under way, newest first; those that are being stopped are none of them."""
        return self._looked_at(each for each in self._summaries() if each["status"] == IN_PROGRESS)

    def find(self, execution_id: str) -> Deployment | None:
        """An execution, whatever became of it; None when there is no such execution."""
        return next(self._looked_at(each for each in self._summaries() if _id(each) == execution_id), None)

    def before(self, execution_id: str, statuses: Collection[str] = ()) -> Iterator[Deployment]:
        """Executions that began before this one, newest first; with `statuses`, only those that have one of them."""
        summaries = self._summaries()
        for summary in summaries:
            if _id(summary) == execution_id:
                break
        return self._looked_at(each for each in summaries if not statuses or each["status"] in statuses)

    def until(self, moment: datetime) -> Iterator[Deployment]:
        """Executions that began before this moment, newest first."""
        return self._looked_at(each for each in self._summaries() if each["startTime"] < moment)

    def newest(self, statuses: Collection[str]) -> Iterator[Deployment]:
        """Executions that have one of these states, newest first."""
        return self._looked_at(each for each in self._summaries() if each["status"] in statuses)

    def since(self, moment: datetime) -> Iterator[Deployment]:
        """Executions that began at this moment or later, newest first."""
        return self._looked_at(takewhile(lambda each: each["startTime"] >= moment, self._summaries()))

    def is_busy(self, besides: str) -> bool:
        """Whether any execution but this one is under way, those that are being stopped included."""
        return any(each["status"] in (IN_PROGRESS, STOPPING) and _id(each) != besides for each in self._summaries())

    def _summaries(self) -> Iterator[dict[str, Any]]:
        """Newest first."""
        for page in self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=self.name):
            yield from page["pipelineExecutionSummaries"]

    def _looked_at(self, summaries: Iterable[dict[str, Any]]) -> Iterator[Deployment]:
        for summary in summaries:
            yield self._look_at(summary)

    def actions(self, execution_id: str) -> list[dict[str, Any]]:
        """The action executions of one execution, newest first."""
        pages = self._codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": execution_id}
        )
        return [action for page in pages for action in page["actionExecutionDetails"]]

    def stop(self, deployment: Deployment, reason: str, *, wait: bool = False) -> bool:
        """Stop an execution; False when it was over or being stopped already.

        Its running actions are abandoned, because an approval would wait for its approver, unless `wait` says to let
        them end. What is in production, and a stack that is being changed, is always waited for: left alone, it would
        refuse the next execution's change.

        Nothing begins in an execution that is being stopped, so what it does is looked at after that, and an approval
        that comes between looking and stopping does no harm.
        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html
        """
        stopped = self._request_stop(deployment, reason, abandon=False)
        if wait:
            return stopped
        now = self.look_again(deployment)
        if now.reached_production or now.changes_a_stack:
            return stopped
        # Over meanwhile, if nothing was running.
        return self._request_stop(deployment, reason, abandon=True) or stopped

    def look_again(self, deployment: Deployment) -> Deployment:
        """An execution with its actions as they are now."""
        return replace(deployment, actions=self.actions(deployment.execution_id))

    def _request_stop(self, deployment: Deployment, reason: str, *, abandon: bool) -> bool:
        try:
            self._codepipeline.stop_pipeline_execution(
                pipelineName=self.name,
                pipelineExecutionId=deployment.execution_id,
                abandon=abandon,
                reason=reason[:LONGEST_REASON],
            )
        except ClientError as error:
            if code(error) not in STOPPED_ALREADY:
                raise
            return False
        return True

    def start(self, package: str, request_token: str, revisions: Collection[tuple[str, str]] = ()) -> str:
        """Start an execution for a package ARN or `rollback`; the same token starts only one. Answers its id.

        With `revisions` of the sources (as `Deployment` has them) it takes these, and not the newest ones.
        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
        """
        overrides = [
            {"actionName": action, "revisionType": "COMMIT_ID", "revisionValue": revision}
            for action, revision in sorted(revisions)
            if revision
        ]
        started = self._codepipeline.start_pipeline_execution(
            name=self.name,
            variables=[{"name": PACKAGE_VARIABLE, "value": package}],
            clientRequestToken=request_token,
            **({"sourceRevisions": overrides} if overrides else {}),
        )
        return str(started["pipelineExecutionId"])

    def command_to_start(self, package: str) -> str:
        """The command with which a person starts an execution."""
        return (
            f"aws codepipeline start-pipeline-execution --name {self.name} "
            f"--variables name={PACKAGE_VARIABLE},value={package}"
        )

    def _look_at(self, summary: dict[str, Any]) -> Deployment:
        execution_id = _id(summary)
        execution = self._codepipeline.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution_id)[
            "pipelineExecution"
        ]
        variables = {each["name"]: each["resolvedValue"] for each in execution.get("variables", [])}
        return Deployment(
            execution_id,
            variables.get(PACKAGE_VARIABLE, ""),
            summary["startTime"],
            self.actions(execution_id),
            summary["status"],
            summary.get("trigger", {}).get("triggerType", ""),
            summary.get("stopTrigger", {}).get("reason", ""),
            frozenset((each["actionName"], each.get("revisionId", "")) for each in summary.get("sourceRevisions", [])),
        )


def _id(summary: dict[str, Any]) -> str:
    return str(summary["pipelineExecutionId"])
