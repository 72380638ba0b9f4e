"""Stopping everything that a project runs by itself: pipeline executions, builds, and the SageMaker pipeline.

What is stopped may have started something else a moment before, and an execution that was queued may start now. So
everything is looked at again and again until nothing is in flight.
"""

import logging
from collections.abc import Iterator, Sequence

from botocore.exceptions import ClientError

from aws import STOPPED_ALREADY, Client, code, is_missing
from patience import Patience

IN_FLIGHT = frozenset({"InProgress", "Stopping"})
EXECUTING = frozenset({"Executing", "Stopping"})
STEP_RUNNING = frozenset({"Starting", "Executing", "Stopping"})
# SageMaker: the execution ended, or is being stopped, since it was listed.
NOT_RUNNING_ANY_MORE = frozenset({"ValidationException", "ConflictException", "ResourceNotFound"})

log = logging.getLogger(__name__)


class WorkInFlight:
    """What runs for a project. `stopped` says what had to be stopped, in words."""

    def __init__(self, codepipeline: Client, codebuild: Client, sagemaker: Client, reason: str) -> None:
        self._codepipeline = codepipeline
        self._codebuild = codebuild
        self._sagemaker = sagemaker
        self._reason = reason
        self._asked: set[str] = set()
        self.stopped: list[str] = []

    def stop(
        self,
        pipelines: Sequence[str],
        build_projects: Sequence[str],
        sagemaker_pipelines: Sequence[str],
        patience: Patience,
    ) -> None:
        """Stop all of it and wait until nothing is in flight. Raises OutOfTimeError."""

        def quiet() -> bool:
            # In this order, because a pipeline starts builds, and a build starts a SageMaker pipeline.
            busy = [self._stop_executions(name) for name in pipelines]
            busy += [self._stop_builds(name) for name in build_projects]
            busy += [self._stop_sagemaker_pipeline(name) for name in sagemaker_pipelines]
            return not any(busy)

        patience.wait_until(quiet, "the pipelines and builds of the project to stop")

    # ---- CodePipeline

    def _stop_executions(self, pipeline: str) -> bool:
        """Whether any execution of a pipeline is in flight; asks those to stop."""
        busy = False
        for execution_id in self._executions(pipeline):
            busy = True
            if self._first_time(execution_id, f"execution {execution_id} of the pipeline {pipeline}"):
                self._abandon(pipeline, execution_id)
        return busy

    def _executions(self, pipeline: str) -> Iterator[str]:
        # Every page: an execution may have waited for its approver while a hundred others came and were superseded.
        pages = self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
        try:
            for page in pages:
                for execution in page["pipelineExecutionSummaries"]:
                    if execution["status"] in IN_FLIGHT:
                        yield execution["pipelineExecutionId"]
        except ClientError as error:
            if not is_missing(error):
                raise

    def _abandon(self, pipeline: str, execution_id: str) -> None:
        try:
            self._codepipeline.stop_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=execution_id, abandon=True, reason=self._reason
            )
        except ClientError as error:
            if code(error) not in STOPPED_ALREADY and not is_missing(error):
                raise

    # ---- CodeBuild

    def _stop_builds(self, project: str) -> bool:
        """Whether any build of a project is in progress; asks those to stop."""
        busy = False
        for build_id in self._builds(project):
            busy = True
            if self._first_time(build_id, f"the build {build_id}"):
                try:
                    self._codebuild.stop_build(id=build_id)
                except ClientError as error:
                    if not is_missing(error):
                        raise
        return busy

    def _builds(self, project: str) -> Iterator[str]:
        pages = self._codebuild.get_paginator("list_builds_for_project").paginate(
            projectName=project, sortOrder="DESCENDING"
        )
        try:
            for page in pages:
                ids = page.get("ids")  # by its model the list has at least one member, or is not there
                if not ids:
                    return
                builds = self._codebuild.batch_get_builds(ids=ids)["builds"]
                running = [build["id"] for build in builds if not build["buildComplete"]]
                if not running:
                    return  # a build lasts hours at most: what is older than a hundred finished ones is finished too
                yield from running
        except ClientError as error:
            if not is_missing(error):
                raise

    # ---- SageMaker

    def _stop_sagemaker_pipeline(self, pipeline: str) -> bool:
        """Whether any execution of the SageMaker pipeline or a step of one we stopped runs; asks those to stop."""
        busy = False
        for arn in self._sagemaker_executions(pipeline):
            busy = True
            if self._first_time(arn, f"execution {arn.rpartition('/')[2]} of the SageMaker pipeline {pipeline}"):
                try:
                    self._sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
                except ClientError as error:
                    if code(error) not in NOT_RUNNING_ANY_MORE:
                        raise
        return busy or any(self._has_running_step(arn) for arn in self._asked if ":sagemaker:" in arn)

    def _sagemaker_executions(self, pipeline: str) -> Iterator[str]:
        pages = self._sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
        try:
            for page in pages:
                for execution in page["PipelineExecutionSummaries"]:
                    if execution["PipelineExecutionStatus"] in EXECUTING:
                        yield execution["PipelineExecutionArn"]
        except ClientError as error:
            if not is_missing(error):
                raise

    def _has_running_step(self, execution_arn: str) -> bool:
        pages = self._sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution_arn
        )
        try:
            return any(step["StepStatus"] in STEP_RUNNING for page in pages for step in page["PipelineExecutionSteps"])
        except ClientError as error:
            if is_missing(error):
                return False
            raise

    def _first_time(self, key: str, what: str) -> bool:
        if key in self._asked:
            return False
        self._asked.add(key)
        self.stopped.append(what)
        log.info("Stopping %s", what)
        return True
