"""The smallest project in which approving a model package deploys it: registry, rule, pipeline, stack, endpoint."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.codepipeline.pipeline_lab import Lab, ScriptedBuilds, action, approve, only_when, stage
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, Hosting, Stage
from tests.waiting import until

SERVICES = [CodeCommit, CodePipeline, ScriptedBuilds, Hosting, SageMakerRuntime]
PROVIDERS = SAGEMAKER_TYPES
GROUP, ENDPOINT, STACK, PIPELINE = "claims", "claims-prod", "claims-deploy", "deploys-1"
NOTHING = "nothing"
VARIABLE = "#{variables.MODEL_PACKAGE_ARN}"


def template(role: str) -> str:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    container = {"ModelPackageName": {"Ref": "ModelPackage"}}
    resources = {
        "Model": ("Model", {"ExecutionRoleArn": role, "PrimaryContainer": container}),
        "EndpointConfig": ("EndpointConfig", {"ProductionVariants": [variant]}),
        "Endpoint": (
            "Endpoint",
            {
                "EndpointName": ENDPOINT,
                "EndpointConfigName": {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]},
                "RetainAllVariantProperties": True,
            },
        ),
    }
    return json.dumps(
        {
            "Parameters": {"ModelPackage": {"Type": "String"}},
            "Resources": {
                name: {"Type": f"AWS::SageMaker::{kind}", "Properties": properties}
                for name, (kind, properties) in resources.items()
            },
        }
    )


class Project:
    """Versions are registered with `register`, approved with `approve`, and deployed once a person says yes."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.lab = Lab(cloud)
        self.stage = Stage(cloud).set()
        self.s3 = self.stage.client("s3")
        self.s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        self.stage.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        self.lab.commit({"template.yml": template(self.stage.role())}, "Deploy me")
        self._make_pipeline()
        self._make_rule()

    def _make_pipeline(self) -> None:
        rights = ["sagemaker:*", "iam:PassRole"]
        configuration = {
            "ActionMode": "REPLACE_ON_FAILURE",
            "StackName": STACK,
            "RoleArn": self.lab.make_role("StackRole", "cloudformation.amazonaws.com", rights),
            "TemplatePath": "SourceCode::template.yml",
            "ParameterOverrides": json.dumps({"ModelPackage": VARIABLE}),
        }
        deploy = action(
            "Deploy",
            "Deploy",
            "CloudFormation",
            configuration=configuration,
            inputArtifacts=[{"name": "SourceCode"}],
        )
        something = only_when(VARIABLE, NOTHING, operator="NE")
        declaration = self.lab.declaration(
            "deploys",
            stage("Approve", approve(CustomData=VARIABLE), beforeEntry=something),
            stage("Deploy", deploy, beforeEntry=something),
            variables=[{"name": "MODEL_PACKAGE_ARN", "defaultValue": NOTHING}],
            executionMode="SUPERSEDED",
        )
        assert declaration["name"] == PIPELINE
        assert self.lab.finished(PIPELINE, self.lab.create(declaration))["status"] == "Succeeded"

    def _make_rule(self) -> None:
        events = self.stage.client("events")
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelApprovalStatus": ["Approved"], "UpdatedModelPackageFields": ["ModelApprovalStatus"]},
        }
        events.put_rule(Name="approved", EventPattern=json.dumps(pattern))
        role = self.lab.make_role("RuleRole", "events.amazonaws.com", ["codepipeline:StartPipelineExecution"])
        target = {
            "Id": "pipeline",
            "Arn": f"arn:aws:codepipeline:{self.cloud.region}:{self.cloud.account}:{PIPELINE}",
            "RoleArn": role,
            "InputTransformer": {
                "InputPathsMap": {"arn": "$.detail.ModelPackageArn"},
                "InputTemplate": '{"variables": [{"name": "MODEL_PACKAGE_ARN", "value": "<arn>"}]}',
            },
        }
        assert events.put_targets(Rule="approved", Targets=[target])["FailedEntryCount"] == 0

    # ---- what people do

    def register(self, answer: str) -> str:
        """A version of a model that always answers `answer`; its ARN."""
        container = {"Image": IMAGE, "ModelDataUrl": self.stage.artefact(answer), "Environment": CODE}
        arn: str = self.stage.sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )["ModelPackageArn"]
        until(lambda: self.package(arn)["ModelPackageStatus"] == "Completed")
        return arn

    def package(self, arn: str) -> dict[str, Any]:
        return dict(self.stage.sagemaker.describe_model_package(ModelPackageName=arn))

    def approve(self, arn: str) -> None:
        self.stage.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    def say_yes(self) -> str:
        """Answer the approval that waits now, and wait until its execution ended; the execution's id."""
        token = self.lab.token(PIPELINE)
        execution = str(self.lab.stage(PIPELINE, "Approve")["latestExecution"]["pipelineExecutionId"])
        self.lab.answer(PIPELINE, token)
        self.lab.finished(PIPELINE, execution)
        return execution

    def say_yes_to_all(self) -> None:
        """Answer every approval until no execution is on its way any more."""

        def waiting() -> str:
            state = self.lab.stage(PIPELINE, "Approve")
            runs = [each.get("latestExecution", {}) for each in state["actionStates"]]
            return next((str(run["token"]) for run in runs if run.get("status") == "InProgress" and "token" in run), "")

        def over() -> bool:
            token = waiting()
            if token:
                self.lab.answer(PIPELINE, token)
            return not any(each["status"] == "InProgress" for each in self.executions())

        until(over)

    # ---- what they see

    def executions(self) -> list[dict[str, Any]]:
        """The executions that an approval started, oldest first, each with the package it deploys."""
        found = []
        for summary in reversed(self.lab.executions(PIPELINE)):
            detail = self.lab.pipelines.get_pipeline_execution(
                pipelineName=PIPELINE, pipelineExecutionId=summary["pipelineExecutionId"]
            )["pipelineExecution"]
            package = next(each["resolvedValue"] for each in detail["variables"])
            if package != NOTHING:
                found.append({**summary, "package": package})
        return found

    def endpoint_changes(self) -> list[str]:
        """What CloudFormation did to the endpoint, in order: CREATE_COMPLETE, UPDATE_COMPLETE, ..."""
        events = self.stage.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        done = [each for each in events if each["LogicalResourceId"] == "Endpoint"]
        return [each["ResourceStatus"] for each in reversed(done) if each["ResourceStatus"].endswith("_COMPLETE")]

    def deploy_reason(self) -> str:
        """Why the last deployment failed."""
        return str(self.lab.action(PIPELINE, "Deploy", "Deploy")["errorDetails"]["message"])

    def served(self) -> str:
        return self.stage.prediction(ENDPOINT)
