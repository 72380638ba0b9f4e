"""A stage of mode batch: no endpoint, but a SageMaker pipeline of the endpoint's name that runs its model over files.

approved, on schedule -> LookAtInput -> Transform -> CheckAndPublish (check_batch.py)
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, is_missing

TRANSFORM = "Transform"


def model_names(sagemaker: Client, name: str) -> list[str] | None:
    """The models that the stage's runs use; None when there is no such pipeline.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipeline.html
    """
    try:
        definition = json.loads(sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return [str(each) for each in _model_names(definition["Steps"])]


def start_run(sagemaker: Client, name: str, token: str) -> str:
    """Start a run, once for a token, which is at least 32 characters long; its ARN."""
    return str(sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"])


def _model_names(steps: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for step in steps:
        arguments = step.get("Arguments", {})
        if step["Type"] == TRANSFORM:
            yield arguments["ModelName"]
        for branch in ("IfSteps", "ElseSteps"):
            yield from _model_names(arguments.get(branch, []))
