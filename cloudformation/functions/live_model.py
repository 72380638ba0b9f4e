"""Which model package an endpoint serves."""

import logging

from botocore.exceptions import ClientError

from aws import Client, explained, is_denied, is_missing

# A failed endpoint can only be deleted, so what it was meant to serve is not live.
NOT_LIVE = frozenset({"Creating", "Failed", "Deleting"})

log = logging.getLogger(__name__)


def served_package(sagemaker: Client, endpoint_name: str) -> str | None:
    """The ARN of the model package that answers at this moment; None when none does.

    While an endpoint is being updated, SageMaker still names the configuration that serves now.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
    """
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    if endpoint["EndpointStatus"] in NOT_LIVE:
        return None
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model_name = config["ProductionVariants"][0].get("ModelName")
        if model_name is None:
            return None
        model = sagemaker.describe_model(ModelName=model_name)
    except ClientError as error:
        if not (is_missing(error) or is_denied(error)):
            raise
        log.warning(
            "Nobody can tell which version %s serves: its configuration or its model was deleted by hand, or has lost "
            "the project's tags. %s",
            endpoint_name,
            explained(error),
        )
        return None
    containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", [])
    found = (container["ModelPackageName"] for container in containers if "ModelPackageName" in container)
    return next(found, None)


def same_package(one: str | None, other: str | None) -> bool:
    """Whether two ARNs name the same version: SageMaker writes a group's name in lower case into some."""
    return one is not None and other is not None and one.lower() == other.lower()


def version_of(package_arn: str) -> str:
    """`7` of `arn:aws:sagemaker:<region>:<account>:model-package/fraud/7`."""
    return package_arn.rpartition("/")[2]
