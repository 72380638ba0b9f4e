"""What the role of a job must be allowed beside the calls that the job really makes here.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud import service_calls
from rehearsal.cloud.errors import AwsError

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
        require(credentials, service_calls.SAGEMAKER_OUTPUT_KEY, _key_arn(cloud, output_key))
    if volume_key:
        # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource
        through = {
            "kms:GrantIsForAWSResource": "true",
            "kms:ViaService": f"sagemaker.{cloud.region}.amazonaws.com",
            "kms:CallerAccount": cloud.account,
        }
        require(credentials, service_calls.SAGEMAKER_VOLUME_KEY, _key_arn(cloud, volume_key), through)
    if vpc:
        require(credentials, service_calls.SAGEMAKER_VPC)


def repository_arn(image: str) -> str:
    """The ECR repository of an image URI `<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`."""
    registry, _, rest = image.partition("/")
    account, region = registry.split(".")[0], registry.split(".")[3]
    return f"arn:aws:ecr:{region}:{account}:repository/{rest.split('@')[0].split(':')[0]}"


def _key_arn(cloud: Cloud, key: str) -> str:
    """Policies name keys, never aliases."""
    try:
        answer = cloud.client("kms", cloud.identity.root).describe_key(KeyId=key)
    except ClientError as problem:
        raise AwsError("ValidationException", f"KMS key {key}: {problem}") from problem
    arn: str = answer["KeyMetadata"]["Arn"]
    return arn
