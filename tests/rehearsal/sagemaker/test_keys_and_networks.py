"""Keys and networks of one's own: asked of who uses them, kept and shown, and never made."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.sagemaker.keys_and_networks import require_network
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, Hosting, Stage

VPC = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
EC2 = "arn:aws:ec2:us-east-1:123456789012"
MANAGED = ["ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface*"]
JOINS: list[dict[str, Any]] = [
    {
        "Effect": "Allow",
        "Action": "ec2:CreateNetworkInterface",
        "Resource": f"{EC2}:subnet/*",
        "Condition": {"StringEquals": {"ec2:SubnetID": ["subnet-1", "subnet-2"]}},
    },
    {
        "Effect": "Allow",
        "Action": "ec2:CreateNetworkInterface",
        "Resource": f"{EC2}:security-group/*",
        "Condition": {"StringEquals": {"ec2:SecurityGroupID": "sg-1"}},
    },
    {
        "Effect": "Allow",
        "Action": MANAGED,
        "Resource": f"{EC2}:network-interface/*",
        "Condition": {"StringLike": {"ec2:Subnet": ["*/subnet-1", "*/subnet-2"]}},
    },
    {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
]


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting])).set()


@pytest.fixture(scope="module")
def key(stage: Stage) -> str:
    arn: str = stage.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


def model_in(stage: Stage, vpc: dict[str, Any], sagemaker: Any = None, role: str = "") -> str:
    name = f"model-{uuid4().hex[:8]}"
    (sagemaker or stage.sagemaker).create_model(
        ModelName=name,
        ExecutionRoleArn=role or stage.role(),
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": stage.artefact("yes"), "Environment": CODE},
        VpcConfig=vpc,
    )
    return name


# ---- networks


def test_a_model_shows_the_network_it_was_given(stage: Stage) -> None:
    assert stage.sagemaker.describe_model(ModelName=model_in(stage, VPC))["VpcConfig"] == VPC


def test_policies_can_ask_which_network_a_model_is_in(stage: Stage) -> None:
    person = stage.person_with(
        {
            "Effect": "Allow",
            "Action": ["sagemaker:CreateModel", "iam:PassRole"],
            "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"sagemaker:VpcSecurityGroupIds": "sg-1"}},
        }
    )
    sagemaker = stage.cloud.client("sagemaker", person)
    model_in(stage, VPC, sagemaker)
    with pytest.raises(ClientError, match="sagemaker:CreateModel"):
        model_in(stage, {**VPC, "SecurityGroupIds": ["sg-2"]}, sagemaker)


def test_an_endpoint_whose_role_may_not_join_the_network_fails_and_says_so(stage: Stage) -> None:
    name = stage.endpoint(stage.config(model_in(stage, VPC)), wait="Failed")
    reason = stage.sagemaker.describe_endpoint(EndpointName=name)["FailureReason"]
    assert "does not have permission to join the model's VPC" in reason
    assert f"ec2:CreateNetworkInterface on resource: {EC2}:subnet/subnet-1" in reason


@pytest.mark.parametrize(
    ("vpc", "missing"),
    [
        (VPC, None),
        ({**VPC, "Subnets": ["subnet-1", "subnet-3"]}, f"{EC2}:subnet/subnet-3"),
        ({**VPC, "SecurityGroupIds": ["sg-1", "sg-2"]}, f"{EC2}:security-group/sg-2"),
    ],
)
def test_a_role_joins_only_the_subnets_and_groups_its_policy_names(
    stage: Stage, vpc: dict[str, Any], missing: str | None
) -> None:
    role = stage.person_with(JOINS[0])
    name = role.principal_arn.split("/")[1]
    for number, statement in enumerate(JOINS):
        document = f'{{"Version": "2012-10-17", "Statement": {[statement]!r}}}'.replace("'", '"')
        stage.client("iam").put_role_policy(RoleName=name, PolicyName=f"join-{number}", PolicyDocument=document)
    if missing is None:
        require_network(stage.cloud, role, vpc)
        return
    with pytest.raises(AccessDenied, match=missing):
        require_network(stage.cloud, role, vpc)


# ---- keys of volumes


def test_an_endpoint_configuration_shows_its_key_and_a_key_that_is_not_there_is_refused(stage: Stage, key: str) -> None:
    config = stage.config(stage.model("yes"), KmsKeyId=key)
    assert stage.sagemaker.describe_endpoint_config(EndpointConfigName=config)["KmsKeyId"] == key
    with pytest.raises(ClientError, match="KMS key"):
        stage.config(stage.model("yes"), KmsKeyId=key[:-4] + "0000")


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        ({"StringEquals": {"kms:ViaService": "sagemaker.us-east-1.amazonaws.com"}}, True),
        ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, True),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, False),
    ],
)
def test_who_makes_an_endpoint_lets_its_volumes_be_encrypted_through_sagemaker(
    stage: Stage, key: str, granted: dict[str, Any], allowed: bool
) -> None:
    config = stage.config(stage.model("yes"), KmsKeyId=key)
    person = stage.person(["sagemaker:*"])
    statement = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key, "Condition": granted}
    stage.client("iam").put_role_policy(
        RoleName=person.principal_arn.split("/")[1],
        PolicyName="key",
        PolicyDocument=f'{{"Version": "2012-10-17", "Statement": {[statement]!r}}}'.replace("'", '"'),
    )
    sagemaker, name = stage.cloud.client("sagemaker", person), f"endpoint-{uuid4().hex[:8]}"
    if allowed:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        stage.until_status(name, "InService")
        return
    with pytest.raises(ClientError, match=f"kms:CreateGrant on resource: {key}"):
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
