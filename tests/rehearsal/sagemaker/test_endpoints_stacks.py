"""Endpoints in stacks: what a template means, as the stack's role."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import yaml
from botocore.exceptions import ClientError

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.resources.autoscaling import AUTOSCALING_TYPES
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, Hosting, Stage
from tests.waiting import until

CONFIG_NAME = "EndpointConfig.EndpointConfigName"

TEMPLATE = yaml.safe_dump(
    {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {
            "EndpointName": {"Type": "String"},
            "ModelDataUrl": {"Type": "String"},
            "RoleArn": {"Type": "String"},
            "Isolated": {"Type": "String", "Default": "true"},
            "Stage": {"Type": "String", "Default": "staging"},
            "Wait": {"Type": "Number", "Default": 30},
        },
        "Resources": {
            "Model": {
                "Type": "AWS::SageMaker::Model",
                "Properties": {
                    "ExecutionRoleArn": {"Ref": "RoleArn"},
                    "EnableNetworkIsolation": {"Ref": "Isolated"},
                    "PrimaryContainer": {
                        "Image": IMAGE,
                        "ModelDataUrl": {"Ref": "ModelDataUrl"},
                        "Environment": CODE,
                    },
                },
            },
            "EndpointConfig": {
                "Type": "AWS::SageMaker::EndpointConfig",
                "Properties": {
                    "ProductionVariants": [
                        {
                            "VariantName": "AllTraffic",
                            "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                            "InstanceType": "ml.m5.large",
                            "InitialInstanceCount": 2,
                            "InitialVariantWeight": 1,
                        }
                    ]
                },
            },
            "Endpoint": {
                "Type": "AWS::SageMaker::Endpoint",
                "Properties": {
                    "EndpointName": {"Ref": "EndpointName"},
                    "EndpointConfigName": {"Fn::GetAtt": CONFIG_NAME},
                    "RetainAllVariantProperties": True,
                    "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
                    "DeploymentConfig": {
                        "BlueGreenUpdatePolicy": {
                            "TrafficRoutingConfiguration": {
                                "Type": "CANARY",
                                "WaitIntervalInSeconds": {"Ref": "Wait"},
                                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                            }
                        },
                        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": {"Ref": "Errors"}}]},
                    },
                    "Tags": [{"Key": "stage", "Value": {"Ref": "Stage"}}],
                },
            },
            "Errors": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": {"Fn::Sub": "errors-of-${EndpointName}-${EndpointConfig.EndpointConfigName}"},
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "Invocation5XXErrors",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": {"Ref": "EndpointName"}},
                        {"Name": "VariantName", "Value": "AllTraffic"},
                        {
                            "Name": "EndpointConfigName",
                            "Value": {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]},
                        },
                    ],
                    "Statistic": "Sum",
                    "Period": 60,
                    "EvaluationPeriods": 1,
                    "Threshold": 1,
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "TreatMissingData": "notBreaching",
                },
            },
            "ScalableTarget": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ServiceNamespace": "sagemaker",
                    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                    "ResourceId": {"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/AllTraffic"},
                    "MinCapacity": 2,
                    "MaxCapacity": 4,
                },
            },
            "ScalingPolicy": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "InvocationsPerInstance",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "ScalableTarget"},
                    "TargetTrackingScalingPolicyConfiguration": {
                        "PredefinedMetricSpecification": {
                            "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                        },
                        "TargetValue": 200,
                    },
                },
            },
        },
        "Outputs": {
            "Endpoint": {"Value": {"Ref": "Endpoint"}},
            "Model": {"Value": {"Ref": "Model"}},
            "ModelName": {"Value": {"Fn::GetAtt": ["Model", "ModelName"]}},
        },
    }
)


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    services = [Hosting, SageMakerRuntime, ApplicationAutoScaling]
    return Stage(start_cloud(services, [*SAGEMAKER_TYPES, *AUTOSCALING_TYPES])).set()


class Stack:
    """One stack of the template above."""

    def __init__(self, stage: Stage, actor: Any = None) -> None:
        self.stage = stage
        self.name = f"stack-{uuid4().hex[:8]}"
        self.endpoint = f"endpoint-{uuid4().hex[:8]}"
        self.role = stage.role()
        self._client = stage.cloud.client("cloudformation", actor) if actor else stage.client("cloudformation")

    def create(self, answer: str, **parameters: str) -> str:
        self._client.create_stack(**self._arguments(answer, parameters))
        return self.settled()

    def update(self, answer: str, **parameters: str) -> str:
        self._client.update_stack(**self._arguments(answer, parameters))
        return self.settled()

    def delete(self) -> None:
        self._client.delete_stack(StackName=self.name)
        until(lambda: self.status() in (None, "DELETE_COMPLETE", "DELETE_FAILED"))

    def _arguments(self, answer: str, parameters: dict[str, str]) -> dict[str, Any]:
        given = {
            "EndpointName": self.endpoint,
            "ModelDataUrl": self.stage.artefact(answer),
            "RoleArn": self.role,
            **parameters,
        }
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        return {"StackName": self.name, "TemplateBody": TEMPLATE, "Parameters": listed}

    def settled(self) -> str:
        def done() -> str | None:
            status = self.status() or ""
            return status if not status.endswith("IN_PROGRESS") else None

        found: str = until(done)
        return found

    def status(self) -> str | None:
        try:
            status: str = self._client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]
        except ClientError:
            return None
        return status

    def outputs(self) -> dict[str, str]:
        stack = self._client.describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def alarms(self) -> list[str]:
        """Names of the alarms there are for the endpoint."""
        answer = self.stage.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"errors-of-{self.endpoint}-")
        return [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]

    def alarm_of_what_serves(self) -> str:
        """The name of the alarm that belongs to the configuration the endpoint serves."""
        described = self.stage.sagemaker.describe_endpoint(EndpointName=self.endpoint)
        return f"errors-of-{self.endpoint}-{described['EndpointConfigName']}"

    def reasons(self) -> str:
        events = self._client.describe_stack_events(StackName=self.name)["StackEvents"]
        return " | ".join(event.get("ResourceStatusReason", "") for event in events)


def test_a_stack_makes_an_endpoint_replaces_its_model_and_leaves_nothing(stage: Stage) -> None:
    stack = Stack(stage)
    assert stack.create("old") == "CREATE_COMPLETE", stack.reasons()
    first = stack.outputs()
    assert first["Endpoint"] == f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{stack.endpoint}"
    assert first["ModelName"].startswith("Model-")
    assert first["Model"].endswith(first["ModelName"].lower())
    assert stage.prediction(stack.endpoint) == "old"
    model = stage.sagemaker.describe_model(ModelName=first["ModelName"])
    assert model["EnableNetworkIsolation"] is True
    resource = f"endpoint/{stack.endpoint}/variant/AllTraffic"
    scaling = stage.client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    [policy] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 200

    assert stack.update("new", Stage="prod") == "UPDATE_COMPLETE", stack.reasons()
    second = stack.outputs()
    assert second["Endpoint"] == first["Endpoint"]
    assert second["ModelName"] != first["ModelName"]
    assert stage.prediction(stack.endpoint) == "new"
    tags = stage.sagemaker.list_tags(ResourceArn=first["Endpoint"])["Tags"]
    assert {"Key": "stage", "Value": "prod"} in tags
    with pytest.raises(ClientError, match="Could not find model"):
        until(lambda: not stage.sagemaker.describe_model(ModelName=first["ModelName"]))

    assert stack.alarms() == [stack.alarm_of_what_serves()]

    stack.delete()
    assert stack.alarms() == []
    assert stage.sagemaker.list_endpoints(NameContains=stack.endpoint)["Endpoints"] == []
    assert stage.sagemaker.list_models(NameContains=second["ModelName"])["Models"] == []
    assert (
        scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"] == []
    )


def test_an_endpoint_that_fails_fails_its_stack_and_is_not_left_behind(stage: Stage) -> None:
    stack = Stack(stage)
    stage.client("s3").put_object(Bucket="models", Key="no-archive.tar.gz", Body=b"text")
    assert stack.create("any", ModelDataUrl="s3://models/no-archive.tar.gz") == "ROLLBACK_COMPLETE"
    assert "Failed to extract model data" in stack.reasons()
    assert stage.sagemaker.list_endpoints(NameContains=stack.endpoint)["Endpoints"] == []


def test_another_deployment_config_alone_is_refused_because_the_configuration_serves_already(stage: Stage) -> None:
    stack, same = Stack(stage), stage.artefact("same")
    assert stack.create("", ModelDataUrl=same) == "CREATE_COMPLETE", stack.reasons()
    assert stack.update("", ModelDataUrl=same, Stage="prod") == "UPDATE_COMPLETE", "tags need no update"
    assert stack.update("", ModelDataUrl=same, Stage="prod", Wait="60") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot update endpoint with the currently in use endpoint configuration" in stack.reasons()
    assert stage.prediction(stack.endpoint) == "same"
    stack.delete()


def test_an_instance_type_cannot_change_while_the_variant_is_a_scalable_target(stage: Stage) -> None:
    stack = Stack(stage)
    assert stack.create("old") == "CREATE_COMPLETE", stack.reasons()
    variant = {"VariantName": "AllTraffic", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2}
    bigger = f"config-{uuid4().hex[:8]}"
    stage.sagemaker.create_endpoint_config(
        EndpointConfigName=bigger, ProductionVariants=[variant | {"ModelName": stack.outputs()["ModelName"]}]
    )
    with pytest.raises(ClientError, match="must be deregistered"):
        stage.sagemaker.update_endpoint(EndpointName=stack.endpoint, EndpointConfigName=bigger)
    stack.delete()


def test_a_stacks_actor_needs_the_rights_of_every_handler(stage: Stage) -> None:
    actor = stage.person(
        [
            "cloudformation:*",
            "cloudwatch:*",
            "sagemaker:AddTags",
            "sagemaker:CreateModel",
            "sagemaker:DeleteModel",
            "iam:PassRole",
        ]
    )
    stack = Stack(stage, actor)
    assert stack.create("old") == "ROLLBACK_COMPLETE"
    assert "sagemaker:CreateEndpointConfig" in stack.reasons()


def test_properties_given_as_text_are_typed_for_the_api() -> None:
    from rehearsal.cloud.resources.properties import typed
    from rehearsal.cloud.validation import ServiceShapes

    shape = ServiceShapes("us-east-1").model("sagemaker").operation_model("CreateEndpointConfig").input_shape
    variant = {"VariantName": "A", "InitialInstanceCount": "2", "InitialVariantWeight": "0.5"}
    given = {"ProductionVariants": [variant], "DataCaptureConfig": {"EnableCapture": "true"}, "Unknown": "1"}
    assert shape is not None
    assert typed(given, shape) == {
        "ProductionVariants": [{"VariantName": "A", "InitialInstanceCount": 2, "InitialVariantWeight": 0.5}],
        "DataCaptureConfig": {"EnableCapture": True},
        "Unknown": "1",
    }
    assert json.dumps(typed({"Key": 1}, shape))
