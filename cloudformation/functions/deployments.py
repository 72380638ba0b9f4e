"""Executions of the deploy pipeline that are in flight: which version they carry, and how far they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, code
from live_model import same_package

# The deploy pipeline as cloudformation/project.yaml declares it; a test reads both.
PACKAGE_VARIABLE = "MODEL_PACKAGE_ARN"
RESOLVING_ACTION = "ResolvePackage"
RESOLVED_VARIABLE = "MODEL_PACKAGE_ARN_RESOLVED"
APPROVAL_ACTION = "ApproveProduction"
PRODUCTION_STAGE = "DeployProduction"
ROLLBACK = "rollback"

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StopPipelineExecution.html#API_StopPipelineExecution_Errors
STOPPED_ALREADY = frozenset({"DuplicatedStopRequestException", "PipelineExecutionNotStoppableException"})


@dataclass(frozen=True)
class Deployment:
    """One execution in flight."""

    execution_id: str
    asked_for: str
    """The pipeline variable: an ARN, `auto` or `rollback`."""
    started: datetime
    actions: list[dict[str, Any]]
    """Its action executions."""

    @property
    def package_arn(self) -> str | None:
        """The version it carries; None while `auto` or `rollback` is not resolved yet."""
        for action in self.actions:
            if action["actionName"] == RESOLVING_ACTION:
                resolved = action.get("output", {}).get("outputVariables", {}).get(RESOLVED_VARIABLE)
                if resolved:
                    return str(resolved)
        return self.asked_for if self.asked_for.startswith("arn:") else None

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


class DeployPipeline:
    """The deploy pipeline."""

    def __init__(self, codepipeline: Client, name: str) -> None:
        self._codepipeline = codepipeline
        self.name = name

    def in_flight(self) -> Iterator[Deployment]:
        """Executions that are under way, newest first; those that are being stopped are none of them."""
        for page in self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=self.name):
            for summary in page["pipelineExecutionSummaries"]:
                if summary["status"] == "InProgress":
                    yield self._look_at(summary["pipelineExecutionId"], summary["startTime"])

    def actions(self, execution_id: str) -> list[dict[str, Any]]:
        """The action executions of one execution, newest first."""
        pages = self._codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": execution_id}
        )
        return [action for page in pages for action in page["actionExecutionDetails"]]

    def stop(self, deployment: Deployment, reason: str) -> bool:
        """Stop an execution; False when it was over or being stopped already.

        Its running actions are abandoned, because an approval would wait for its approver. Only a stack that is being
        changed is waited for: left alone, it would refuse the next execution's change.
        """
        try:
            self._codepipeline.stop_pipeline_execution(
                pipelineName=self.name,
                pipelineExecutionId=deployment.execution_id,
                abandon=not deployment.changes_a_stack,
                reason=reason[:200],
            )
        except ClientError as error:
            if code(error) not in STOPPED_ALREADY:
                raise
            return False
        return True

    def start(self, package: str, request_token: str) -> str:
        """Start an execution for a package ARN or `rollback`; the same token starts only one. Answers its id."""
        started = self._codepipeline.start_pipeline_execution(
            name=self.name, variables=[{"name": PACKAGE_VARIABLE, "value": package}], clientRequestToken=request_token
        )
        return str(started["pipelineExecutionId"])

    def command_to_start(self, package: str) -> str:
        """The command with which a person starts an execution."""
        return (
            f"aws codepipeline start-pipeline-execution --name {self.name} "
            f"--variables name={PACKAGE_VARIABLE},value={package}"
        )

    def _look_at(self, execution_id: str, started: datetime) -> Deployment:
        execution = self._codepipeline.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution_id)[
            "pipelineExecution"
        ]
        variables = {each["name"]: each["resolvedValue"] for each in execution.get("variables", [])}
        return Deployment(execution_id, variables.get(PACKAGE_VARIABLE, ""), started, self.actions(execution_id))
