"""Every policy that AWS manages is there, in the version that AWS publishes, and grants what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Call
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import TRUST

ARN = "arn:aws:iam::aws:policy/service-role/AmazonSageMakerServiceCatalogProductsEventsServiceRolePolicy"
PIPELINES = "arn:aws:codepipeline:us-east-1:123456789012"


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


@pytest.fixture(scope="module")
def iam(cloud: Cloud) -> Any:
    return cloud.client("iam", cloud.identity.root)


def test_a_managed_policy_has_the_document_aws_publishes(iam: Any) -> None:
    policy = iam.get_policy(PolicyArn=ARN)["Policy"]
    found = iam.get_policy_version(PolicyArn=ARN, VersionId=policy["DefaultVersionId"])["PolicyVersion"]["Document"]
    assert (policy["Path"], policy["DefaultVersionId"]) == ("/service-role/", "v1")
    assert found["Statement"][0]["Action"] == "codepipeline:StartPipelineExecution"


def test_a_role_may_what_its_managed_policy_says_and_no_more(cloud: Cloud, iam: Any) -> None:
    made = iam.create_role(RoleName="managed", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="managed", PolicyArn=ARN)
    session = cloud.identity.session_of(made, "somebody")
    calls = [Call("codepipeline:StartPipelineExecution", f"{PIPELINES}:{name}") for name in ("sagemaker-a", "other")]
    allowed, refused = cloud.base.refusals(session.access_key_id, calls)
    assert not allowed
    assert refused == "because no identity-based policy allows the codepipeline:StartPipelineExecution action"


def test_a_policy_that_aws_does_not_manage_is_not_there(iam: Any) -> None:
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/NobodyHasThis")
