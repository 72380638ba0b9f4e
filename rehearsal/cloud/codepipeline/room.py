"""What the parts of the CodePipeline API share: the records, the lock, and how to find things."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from rehearsal.cloud.codepipeline.engine import Engine
from rehearsal.cloud.codepipeline.records import Execution, Pipeline
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Call, Document, Service

Context = Mapping[str, str | list[str]]


class Room(Service):
    """State and look-ups. `changed` guards every record; hold it while reading or changing them."""

    name = "codepipeline"
    pipelines: dict[str, Pipeline]
    changed: threading.Condition
    engine: Engine

    def pipeline_calls(self, action: str, name: str, below: str = "", context: Context | None = None) -> list[Call]:
        """What an operation on a pipeline (or on a stage or action `below` it) needs, with the pipeline's tags.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
        """
        pipeline = self.pipelines.get(name)
        tags = {f"aws:ResourceTag/{key}": value for key, value in pipeline.tags.items()} if pipeline else {}
        return [Call(f"codepipeline:{action}", self.arn(f"{name}{below}"), {**tags, **(context or {})})]

    def find(self, name: str) -> Pipeline:
        """Raises AwsError (PipelineNotFoundException)."""
        pipeline = self.pipelines.get(name)
        if pipeline is None:
            raise AwsError(
                "PipelineNotFoundException",
                f"Account '{self.cloud.account}' does not have a pipeline with name '{name}'",
            )
        return pipeline

    def find_execution(self, pipeline: Pipeline, execution_id: str) -> Execution:
        """Raises AwsError (PipelineExecutionNotFoundException)."""
        execution = pipeline.execution(execution_id)
        if execution is None:
            raise AwsError(
                "PipelineExecutionNotFoundException",
                f"The pipeline '{pipeline.name}' does not have a pipeline execution with id '{execution_id}'",
            )
        return execution

    def find_stage(self, pipeline: Pipeline, name: str) -> Document:
        """Raises AwsError (StageNotFoundException)."""
        stage = pipeline.stage(name)
        if stage is None:
            raise AwsError(
                "StageNotFoundException", f"The pipeline '{pipeline.name}' does not have a stage with name '{name}'"
            )
        return stage
