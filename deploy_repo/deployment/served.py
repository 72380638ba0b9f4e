"""What a stage serves at this moment: its endpoint, or the pipeline of a stage of mode batch, which has its name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import ACCESS_DENIED, is_missing

CHAMPION, CHALLENGER = "AllTraffic", "Challenger"
"""The variants of endpoint-config-template.yml; the second is the name of the parameter that asks for it, too."""
NONE, VARIANT, SHADOW = "none", "variant", "shadow"
"""What a challenger can be: there is none, it answers a part of the requests, it gets copies."""


@dataclass(frozen=True)
class Served:
    """An endpoint, or a pipeline in its place: its status and, where it serves one, the ARN of its model package.

    While a deployment is under way, `arriving_config` names the endpoint configuration that is on its way in. What an
    endpoint serves whose configuration or model cannot be found is not known. `mode` says how it serves, in the words
    of DeploymentMode, and `instance_type` on what, unless it is serverless. `answers_in` is the S3 folder in which an
    asynchronous endpoint answers. Where several variants serve, all of this is about the champion; `challenger` says
    says what the other one is, `challenger_instances` how many are wanted of it, and `challenger_model` its model.
    """

    status: str
    model_package_arn: str | None
    failure_reason: str = ""
    arriving_config: str | None = None
    is_known: bool = True
    mode: str = "realtime"
    instance_type: str | None = None
    answers_in: str = ""
    challenger: str = NONE
    challenger_instances: int | None = None
    challenger_model: str | None = None
    instances: int | None = None


def describe(sagemaker: Any, endpoint_name: str) -> Served | None:
    """Follow endpoint, endpoint configuration and model to the model package; None without such an endpoint.

    A stage of mode batch has a pipeline of that name instead: its transform job names the model.

    While an endpoint is being updated, SageMaker still names the configuration that serves now, so a deployment that
    may yet be rolled back does not count.
    """
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if is_missing(error):
            return _batch(sagemaker, endpoint_name)
        raise
    config, arn, is_known = _look(sagemaker, endpoint["EndpointConfigName"])
    kind, instances = _challenger(endpoint)
    fleet = champion_of(endpoint.get("ProductionVariants") or [{"VariantName": CHAMPION}])
    variant = champion_of(config["ProductionVariants"]) if config else {}
    answers_in = config.get("AsyncInferenceConfig", {}).get("OutputConfig", {}).get("S3OutputPath", "")
    return Served(
        status=endpoint["EndpointStatus"],
        model_package_arn=arn,
        failure_reason=endpoint.get("FailureReason", ""),
        arriving_config=endpoint.get("PendingDeploymentSummary", {}).get("EndpointConfigName"),
        is_known=is_known,
        mode="serverless" if "ServerlessConfig" in variant else "async" if answers_in else "realtime",
        instance_type=variant.get("InstanceType"),
        answers_in=answers_in,
        challenger=kind,
        challenger_instances=instances,
        challenger_model=_model_of_challenger(config),
        instances=fleet.get("CurrentInstanceCount"),
    )


def _challenger(endpoint: dict[str, Any]) -> tuple[str, int | None]:
    members = ((VARIANT, "ProductionVariants"), (SHADOW, "ShadowProductionVariants"))
    for kind, member in members:
        for each in endpoint.get(member, []):
            if each["VariantName"] == CHALLENGER:
                return kind, each.get("DesiredInstanceCount")
    return NONE, None


def _model_of_challenger(config: dict[str, Any]) -> str | None:
    variants = (*config.get("ProductionVariants", []), *config.get("ShadowProductionVariants", []))
    return next((each.get("ModelName") for each in variants if each["VariantName"] == CHALLENGER), None)


def champion_of(variants: list[dict[str, Any]]) -> dict[str, Any]:
    """The variant that was there before any challenger: by its name, else the first."""
    return next((each for each in variants if each["VariantName"] == CHAMPION), variants[0])


def model_package_arn(sagemaker: Any, endpoint_config_name: str) -> str | None:
    """The ARN of the package an endpoint configuration puts behind its endpoint; None where that can't be known.

    That is so for a model that came from no package, and where somebody deleted the configuration or the model by hand
    while the endpoint lives on.
    """
    return _look(sagemaker, endpoint_config_name)[1]


def _look(sagemaker: Any, endpoint_config_name: str) -> tuple[dict[str, Any], str | None, bool]:
    """The configuration, the ARN, and whether the configuration and its model were found.

    Where a role is limited by the project's tags, AWS refuses a look at what is not there: it has no tags.
    """
    config: dict[str, Any] = {}
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint_config_name)
        variant = champion_of(config["ProductionVariants"])
        if "ModelName" not in variant:
            return config, None, True
        model = sagemaker.describe_model(ModelName=variant["ModelName"])
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return config, None, False
        raise
    return config, package_of(model), True


def challenger_package_arn(sagemaker: Any, found: Served) -> str | None:
    """The ARN of the package that challenges; None where none does, or where it cannot be known."""
    if found.challenger == NONE or found.challenger_model is None:
        return None
    try:
        return package_of(sagemaker.describe_model(ModelName=found.challenger_model))
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return None
        raise


def package_of(model: dict[str, Any]) -> str | None:
    """The ARN of the package that a model, as DescribeModel tells it, was made from; None for one made from none."""
    containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", [])
    arns = [container["ModelPackageName"] for container in containers if "ModelPackageName" in container]
    return arns[0] if arns else None


def _batch(sagemaker: Any, name: str) -> Served | None:
    """What the runs of a stage of mode batch use; None without such a stage."""
    try:
        definition = json.loads(sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"])
    except ClientError as error:
        # In a project older than that mode nobody may look at such a pipeline, and there is none.
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return None
        raise
    arn, is_known = None, False
    for step in _steps(definition["Steps"]):
        if step["Type"] == "Transform":
            try:
                arn, is_known = package_of(sagemaker.describe_model(ModelName=step["Arguments"]["ModelName"])), True
            except ClientError as error:
                if not is_missing(error) and error.response["Error"]["Code"] not in ACCESS_DENIED:
                    raise
    return Served(status="InService", model_package_arn=arn, is_known=is_known, mode="batch")


def _steps(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _steps(step.get("Arguments", {}).get(branch, []))
