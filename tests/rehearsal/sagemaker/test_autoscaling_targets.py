"""Scalable targets are checked against the endpoint they scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
TRACKING = {
    "TargetValue": 100.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime, ApplicationAutoScaling])).set()


@pytest.fixture(scope="module")
def endpoint(stage: Stage) -> Iterator[str]:
    name = stage.endpoint(stage.config(stage.model("yes")))
    yield name
    stage.sagemaker.delete_endpoint(EndpointName=name)


def address(endpoint: str, variant: str = "AllTraffic") -> dict[str, str]:
    resource = f"endpoint/{endpoint}/variant/{variant}"
    return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}


def register(client: Any, endpoint: str, **more: Any) -> str:
    given = {"MinCapacity": 1, "MaxCapacity": 4, **more}
    arn: str = client.register_scalable_target(**address(endpoint), **given)["ScalableTargetARN"]
    return arn


def test_a_target_is_registered_changed_and_deregistered(stage: Stage, endpoint: str) -> None:
    client = stage.client("application-autoscaling")
    arn = register(client, endpoint, Tags={"project": "claims"})
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"project": "claims"}
    assert register(client, endpoint, MaxCapacity=8) == arn
    resource = address(endpoint)["ResourceId"]
    [target] = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 8)
    client.put_scaling_policy(
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
        **address(endpoint),
    )
    assert client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"][0]["PolicyName"] == "load"
    client.deregister_scalable_target(**address(endpoint))
    assert client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    with pytest.raises(client.exceptions.ObjectNotFoundException):
        client.deregister_scalable_target(**address(endpoint))


@pytest.mark.parametrize(
    ("where", "message"),
    [(("nobody", "AllTraffic"), "endpoint not found"), ((None, "Nobody"), "variant not found")],
)
def test_a_target_that_does_not_exist_is_refused(
    stage: Stage, endpoint: str, where: tuple[str | None, str], message: str
) -> None:
    client = stage.client("application-autoscaling")
    with pytest.raises(ClientError, match=message):
        client.register_scalable_target(**address(where[0] or endpoint, where[1]), MinCapacity=1, MaxCapacity=2)


def test_a_range_upside_down_is_refused(stage: Stage, endpoint: str) -> None:
    with pytest.raises(ClientError, match="Maximum capacity cannot be less"):
        register(stage.client("application-autoscaling"), endpoint, MinCapacity=5, MaxCapacity=2)


def test_registering_needs_rights_on_the_endpoint_and_to_make_the_linked_role(start_cloud: StartCloud) -> None:
    stage = Stage(start_cloud([Hosting, SageMakerRuntime, ApplicationAutoScaling])).set()
    endpoint = stage.endpoint(stage.config(stage.model("yes")))
    needed = [
        "application-autoscaling:RegisterScalableTarget",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        "iam:CreateServiceLinkedRole",
    ]
    for missing in needed:
        person = stage.person([action for action in needed if action != missing])
        with pytest.raises(ClientError, match=missing):
            register(stage.cloud.client("application-autoscaling", person), endpoint)
    register(stage.cloud.client("application-autoscaling", stage.person(needed)), endpoint)
    register(stage.cloud.client("application-autoscaling", stage.person(needed[:-1])), endpoint)


def test_a_deleted_endpoints_targets_are_forgotten(stage: Stage) -> None:
    name = stage.endpoint(stage.config(stage.model("yes")))
    client = stage.client("application-autoscaling")
    register(client, name)
    stage.sagemaker.delete_endpoint(EndpointName=name)
    resource = address(name)["ResourceId"]
    until(
        lambda: (
            not client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])[
                "ScalableTargets"
            ]
        )
    )


def test_scaling_anything_else_is_refused_by_name(stage: Stage) -> None:
    with pytest.raises(ClientError, match="dynamodb:table:ReadCapacityUnits"):
        stage.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/t",
            ScalableDimension="dynamodb:table:ReadCapacityUnits",
            MinCapacity=1,
            MaxCapacity=2,
        )
