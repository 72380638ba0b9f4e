"""Keys and networks of one's own: what SageMaker asks of roles and callers before it uses them.

No network is made here: a container sees this machine's, whatever its `VpcConfig` says. That it is allowed to join the
one it names is decided all the same, and the request is kept and shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud import service_calls
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.sagemaker.tags import Context
    from rehearsal.cloud.service import Credentials


def through_sagemaker(cloud: Cloud) -> dict[str, str | list[str]]:
    """What KMS is told of a call that SageMaker makes for somebody.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    return {"kms:ViaService": f"sagemaker.{cloud.region}.amazonaws.com", "kms:CallerAccount": cloud.account}


def granting(cloud: Cloud, key: str) -> Call:
    """Letting the volumes of instances be encrypted with a key.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource
    """
    return Call(
        "kms:CreateGrant", key_arn(cloud, key), {**through_sagemaker(cloud), "kms:GrantIsForAWSResource": "true"}
    )


def key_arn(cloud: Cloud, key: str) -> str:
    """Policies name keys, never aliases. Raises AwsError for a key that is not there."""
    try:
        answer = cloud.client("kms", cloud.identity.root).describe_key(KeyId=key)
    except ClientError as problem:
        raise AwsError("ValidationException", f"KMS key {key}: {problem}") from problem
    arn: str = answer["KeyMetadata"]["Arn"]
    return arn


def network_conditions(vpc: Mapping[str, Any] | None) -> Context:
    """The condition keys of a request that names a network.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
    """
    if not vpc:
        return {}
    return {
        "sagemaker:VpcSubnets": list(vpc["Subnets"]),
        "sagemaker:VpcSecurityGroupIds": list(vpc["SecurityGroupIds"]),
    }


def require_network(cloud: Cloud, credentials: Credentials, vpc: Mapping[str, Any]) -> None:
    """What joining a network asks of the role. Raises AccessDenied for the first right that it lacks.

    An interface is made in one subnet, with all security groups, and is then looked at, lent to SageMaker and removed.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
    """
    here = f"arn:aws:ec2:{cloud.region}:{cloud.account}"
    interface = f"{here}:network-interface/*"
    calls = []
    for subnet in vpc["Subnets"]:
        arn = f"{here}:subnet/{subnet}"
        calls.append(Call("ec2:CreateNetworkInterface", arn, {"ec2:SubnetID": subnet}))
        for action in ("ec2:CreateNetworkInterface", *service_calls.SAGEMAKER_VPC_INTERFACES.actions):
            calls.append(Call(action, interface, {"ec2:Subnet": arn}))
    for group in vpc["SecurityGroupIds"]:
        arn = f"{here}:security-group/{group}"
        calls.append(Call("ec2:CreateNetworkInterface", arn, {"ec2:SecurityGroupID": group}))
    looks = [Call(action) for action in service_calls.SAGEMAKER_VPC_LOOKS.actions]
    cloud.identity.require(credentials, [*calls, *looks])
