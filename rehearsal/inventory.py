"""Everything of an account that costs money or starts something, as its owner would list it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LISTED = {
    "endpoints": ("sagemaker", "list_endpoints", "Endpoints[].EndpointName", {}),
    "endpoint configurations": ("sagemaker", "list_endpoint_configs", "EndpointConfigs[].EndpointConfigName", {}),
    "models": ("sagemaker", "list_models", "Models[].ModelName", {}),
    "SageMaker pipelines": ("sagemaker", "list_pipelines", "PipelineSummaries[].PipelineName", {}),
    "running processing jobs": (
        "sagemaker",
        "list_processing_jobs",
        "ProcessingJobSummaries[].ProcessingJobName",
        {"StatusEquals": "InProgress"},
    ),
    "running training jobs": (
        "sagemaker",
        "list_training_jobs",
        "TrainingJobSummaries[].TrainingJobName",
        {"StatusEquals": "InProgress"},
    ),
    "pipelines": ("codepipeline", "list_pipelines", "pipelines[].name", {}),
    "build projects": ("codebuild", "list_projects", "projects[]", {}),
    "functions": ("lambda", "list_functions", "Functions[].FunctionName", {}),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName", {}),
    "event rules": ("events", "list_rules", "Rules[].Name", {}),
    "schedules": ("scheduler", "list_schedules", "Schedules[].Name", {}),
    "scalable targets": (
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets[].ResourceId",
        {"ServiceNamespace": "sagemaker"},
    ),
}
"""Kind -> service, listing operation, where the names are in its answer, request."""


def billable(client: Callable[[str], Any]) -> dict[str, list[str]]:
    """Kind -> names of what is there; kinds of which there is nothing are left out.

    `client` acts as somebody who may list everything. What a project keeps on purpose (repositories, the bucket, model
    versions, logs) costs storage only and is not listed.
    """
    found = {}
    for kind, (service, operation, names, request) in LISTED.items():
        pages = client(service).get_paginator(operation).paginate(**request)
        listed = sorted(name for name in pages.search(names) if name)  # a page without the member gives None
        if listed:
            found[kind] = listed
    return found
