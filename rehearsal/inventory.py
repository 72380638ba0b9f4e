"""Everything of an account that costs money or starts something, as its owner would list it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

PROJECT = "sagemaker:project-name"
"""The tag that SageMaker has put on everything of a project, its stacks included.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-whatis.html"""

LISTED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
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
    "running transform jobs": (
        "sagemaker",
        "list_transform_jobs",
        "TransformJobSummaries[].TransformJobName",
        {"StatusEquals": "InProgress"},
    ),
    "pipelines": ("codepipeline", "list_pipelines", "pipelines[].name", {}),
    "build projects": ("codebuild", "list_projects", "projects[]", {}),
    "functions": ("lambda", "list_functions", "Functions[].FunctionName", {}),
    "alarms": (
        "cloudwatch",
        "describe_alarms",
        "[MetricAlarms, CompositeAlarms][].AlarmName",
        {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
    ),
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
RUNNING_BUILDS = "running builds"
STACKS = "stacks"
KINDS = frozenset({*LISTED, RUNNING_BUILDS, STACKS})
"""Everything that is listed."""
KIND_OF = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "scalable targets",
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::CodeBuild::Project": "build projects",
    "AWS::CodePipeline::Pipeline": "pipelines",
    "AWS::Events::Rule": "event rules",
    "AWS::Lambda::Function": "functions",
    "AWS::SageMaker::Endpoint": "endpoints",
    "AWS::SageMaker::EndpointConfig": "endpoint configurations",
    "AWS::SageMaker::Model": "models",
    "AWS::SageMaker::Pipeline": "SageMaker pipelines",
}
"""What a resource of a project's stacks is listed as, when it costs money or starts something."""
PROVISIONED = ("SC-", "SP-")
"""What the names of the stacks of products, and of templates in S3, begin with."""
MOST_BUILDS = 100
"""How many builds AWS describes at a time."""


def billable(client: Callable[[str], Any], kinds: Collection[str] = KINDS) -> dict[str, list[str]]:
    """Kind -> names of what is there; kinds of which there is nothing are left out.

    `client` acts as somebody who may list everything. What a project keeps on purpose (repositories, the bucket, model
    versions, logs) costs storage only and is not listed; of stacks only those of projects are.
    """
    found = {}
    for kind, (service, operation, names, request) in LISTED.items():
        if kind in kinds:
            pages = client(service).get_paginator(operation).paginate(**request)
            found[kind] = sorted(name for name in pages.search(names) if name)  # a page without the member gives None
    if RUNNING_BUILDS in kinds:
        found[RUNNING_BUILDS] = running_builds(client("codebuild"))
    if STACKS in kinds:
        found[STACKS] = stacks_of_projects(client("cloudformation"))
    return {kind: names for kind, names in found.items() if names}


def running_builds(codebuild: Any) -> list[str]:  # noqa: ANN401 - boto3 is untyped
    """The ids of the builds that are in progress."""
    running = []
    for page in codebuild.get_paginator("list_builds").paginate():
        ids = page.get("ids", [])
        for first in range(0, len(ids), MOST_BUILDS):
            described = codebuild.batch_get_builds(ids=ids[first : first + MOST_BUILDS])["builds"]
            running += [each["id"] for each in described if each["buildStatus"] == "IN_PROGRESS"]
    return running


def stacks_of_projects(cloudformation: Any) -> list[str]:  # noqa: ANN401 - boto3 is untyped
    """The names of the stacks that are there and belong to a project; not of those whose creation was taken back."""
    named = " || ".join(f"starts_with(StackName, '{each}')" for each in PROVISIONED)
    ours = f"(Tags[?Key=='{PROJECT}'] || {named})"
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    return sorted(pages.search(f"Stacks[?{ours} && StackStatus != 'ROLLBACK_COMPLETE'].StackName"))
