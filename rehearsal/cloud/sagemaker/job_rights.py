"""What the role of a job must be allowed beside the calls that the job really makes here.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.cloud import service_calls
from rehearsal.cloud.sagemaker.keys_and_networks import granting, key_arn, require_network, through_sagemaker

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.service import Credentials


def require_rights(
    cloud: Cloud,
    credentials: Credentials,
    image: str,
    log_group: str,
    output_key: str | None,
    volume_key: str | None,
    vpc: Mapping[str, Any] | None,
) -> None:
    """Raises AccessDenied for the first right that the role lacks: image, metrics, log streams, keys, network."""
    require = cloud.identity.require_service_calls
    require(credentials, service_calls.SAGEMAKER_ECR_LOGIN)
    require(credentials, service_calls.SAGEMAKER_ECR_PULL, repository_arn(image))
    require(credentials, service_calls.SAGEMAKER_JOB_METRICS, context={"cloudwatch:namespace": log_group})
    require(
        credentials,
        service_calls.SAGEMAKER_JOB_LOGS,
        f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:{log_group}:log-stream:",
    )
    if output_key:
        key = key_arn(cloud, output_key)
        require(credentials, service_calls.SAGEMAKER_OUTPUT_KEY, key, through_sagemaker(cloud))
    if volume_key:
        cloud.identity.require(credentials, [granting(cloud, volume_key)])
    if vpc:
        require_network(cloud, credentials, vpc)


def repository_arn(image: str) -> str:
    """The ECR repository of an image URI `<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`."""
    registry, _, rest = image.partition("/")
    account, region = registry.split(".")[0], registry.split(".")[3]
    return f"arn:aws:ecr:{region}:{account}:repository/{rest.split('@')[0].split(':')[0]}"
