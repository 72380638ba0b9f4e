"""Which model package a stage serves: its endpoint, or the pipeline of a stage of mode batch, which has its name."""

import logging
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, explained, is_denied, is_missing
from batch_stage import model_names

# A failed endpoint can only be deleted, so what it was meant to serve is not live.
NOT_LIVE = frozenset({"Creating", "Failed", "Deleting"})
NO_PACKAGE = "no model package that can be told"
CHAMPION, CHALLENGER = "AllTraffic", "Challenger"
"""The variants of the model-deploy repository's template. The second is there to be compared with the first."""

log = logging.getLogger(__name__)


def served_package(sagemaker: Client, endpoint_name: str) -> str | None:
    """The ARN of the model package that answers at this moment; None when none does, or nobody can tell.

    Where a challenger answers or shadows besides, it is the champion's.
    """
    found = sorted(_served(sagemaker, endpoint_name), key=lambda each: each[0] != CHAMPION)
    return next((each["ModelPackageName"] for _, each in found if "ModelPackageName" in each), None)


def challenging_package(sagemaker: Client, endpoint_name: str) -> str | None:
    """The ARN of the model package that is compared with the one that answers; None when there is none."""
    found = _served(sagemaker, endpoint_name)
    return next((each.get("ModelPackageName") for name, each in found if name == CHALLENGER), None)


def serves_besides(sagemaker: Client, endpoint_name: str, package_arn: str, challenger_arn: str) -> list[str]:
    """What an endpoint serves that is not this model package, in words; empty when all of it is that package.

    Every variant counts, those that only shadow included, and every container of its model. The variant `Challenger`
    may serve the challenger that was judged, whatever was decided about that since: it is what was let in.
    """
    containers = _served(sagemaker, endpoint_name)
    if not containers:
        return [NO_PACKAGE]
    found = [(name, each.get("ModelPackageName", NO_PACKAGE)) for name, each in containers]
    others = {(name, arn) for name, arn in found if not same_package(arn, package_arn)}
    return sorted({arn for name, arn in others if not (name == CHALLENGER and same_package(arn, challenger_arn))})


def _served(sagemaker: Client, endpoint_name: str) -> list[tuple[str, dict[str, Any]]]:
    """The containers of every variant that answers at this moment, by its name; none when nobody can tell.

    While an endpoint is being updated, SageMaker still names the configuration that serves now. A variant that names no
    model holds inference components: an empty container stands for it.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
    """
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if is_missing(error):
            return _of_batch(sagemaker, endpoint_name)
        raise
    if endpoint["EndpointStatus"] in NOT_LIVE:
        return []
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
        return [
            (each["VariantName"], container)
            for each in variants
            for container in _containers(sagemaker, each.get("ModelName"))
        ]
    except ClientError as error:
        return _nobody_can_tell(endpoint_name, error)


def _of_batch(sagemaker: Client, name: str) -> list[tuple[str, dict[str, Any]]]:
    """The containers of every model that the runs of a stage of mode batch use; none where there is no such stage."""
    try:
        names = model_names(sagemaker, name) or []
        return [(CHAMPION, container) for each in names for container in _containers(sagemaker, each)]
    except ClientError as error:
        return _nobody_can_tell(name, error)


def _nobody_can_tell(name: str, error: ClientError) -> list[tuple[str, dict[str, Any]]]:
    if not (is_missing(error) or is_denied(error)):
        raise error
    log.warning(
        "Nobody can tell which version %s serves: its configuration or its model was deleted by hand, or has lost "
        "the project's tags. %s",
        name,
        explained(error),
    )
    return []


def _containers(sagemaker: Client, model_name: str | None) -> list[dict[str, Any]]:
    if model_name is None:
        return [{}]
    model = sagemaker.describe_model(ModelName=model_name)
    found: list[dict[str, Any]] = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model["Containers"]
    return found


def same_package(one: str | None, other: str | None) -> bool:
    """Whether two ARNs name the same version: SageMaker writes a group's name in lower case into some."""
    return one is not None and other is not None and one.lower() == other.lower()


def version_of(package_arn: str) -> str:
    """`7` of `arn:aws:sagemaker:<region>:<account>:model-package/fraud/7`."""
    return package_arn.rpartition("/")[2]
