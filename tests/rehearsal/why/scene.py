"""A project in which things fail: two repositories, two pipelines, builds that run, endpoints and steps that break."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Credentials
from rehearsal.person import Person
from rehearsal.watch import wait_until
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import archive
from tests.waiting import PATIENCE

BUILD_REPO = Path(__file__).parents[3] / "build_repo"
NAME, ID = "claims", "p-abc123def456"
PREFIX = f"sagemaker-{NAME}-{ID}"
BUCKET = "claims-artifacts"
SERVICES = ("cloudformation", "codebuild", "codepipeline", "sagemaker")
ENDED = ("Failed", "Succeeded", "Stopped")

ENDPOINT_TEMPLATE = {
    "Resources": {
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {
                "ExecutionRoleArn": f"arn:aws:iam::123456789012:role/{PREFIX}",
                "PrimaryContainer": {
                    "Image": IMAGE,
                    "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz",
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                    },
                },
            },
        },
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ProductionVariants": [
                    {
                        "VariantName": "AllTraffic",
                        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                        "InstanceType": "ml.m5.large",
                        "InitialInstanceCount": 1,
                        "InitialVariantWeight": 1,
                    }
                ]
            },
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": f"{NAME}-staging",
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        },
    }
}


def buildspec(*commands: str) -> str:
    """A buildspec with these commands; the variable by which a build says what it started is exported."""
    return json.dumps(
        {
            "version": 0.2,
            "env": {"exported-variables": ["PIPELINE_EXECUTION_ARN"]},
            "phases": {"build": {"commands": list(commands)}},
        }
    )


class Scene:
    """The project, and its owner, who may do everything."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.owner = Person("owner", cloud, cloud.identity.root)
        self.role = self._role(PREFIX, [{"Effect": "Allow", "Action": "*", "Resource": "*"}])
        self.owner.client("s3").create_bucket(Bucket=BUCKET)
        self.owner.client("codebuild").create_project(
            name=f"{PREFIX}-modelbuild",
            source={"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=self.role,
        )
        self._clones = {kind: self._repository(f"{PREFIX}-{kind}") for kind in ("modelbuild", "modeldeploy")}
        self._made: set[str] = set()

    def _role(self, name: str, statements: list[dict[str, Any]]) -> str:
        iam = self.owner.client("iam")
        trust = [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
            for service in SERVICES
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=policy)
        return arn

    def somebody(self, name: str, *actions: str) -> Credentials:
        """A person who may do these things and nothing else."""
        role = self._role(name, [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}])
        return self.cloud.identity.session_of(role, name)

    def _repository(self, name: str) -> Path:
        made = self.owner.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]
        folder = self.owner.home / name
        self.owner.git("clone", "--quiet", made["cloneUrlHttp"], str(folder))
        return folder

    # ---- pipelines

    def run(self, kind: str, files: dict[str, str]) -> str:
        """Push these files and run the pipeline of this kind to its end; the execution's id."""
        folder = self._clones[kind]
        for path, text in files.items():
            (folder / path).write_text(text)
        self.owner.git("add", "--all", folder=folder)
        self.owner.git("commit", "--quiet", "--allow-empty", "--message", "Try something", folder=folder)
        self.owner.git("push", "--quiet", "origin", "HEAD:main", folder=folder)
        pipelines, name = self.owner.client("codepipeline"), f"{PREFIX}-{kind}"
        if kind in self._made:
            execution = pipelines.start_pipeline_execution(name=name)["pipelineExecutionId"]
        else:
            pipelines.create_pipeline(pipeline=self._declaration(kind))
            self._made.add(kind)
            listed = pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
            execution = listed[0]["pipelineExecutionId"]

        def ended() -> bool:
            found = pipelines.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
            return found["pipelineExecution"]["status"] in ENDED

        wait_until(ended, f"the end of {name}", PATIENCE)
        return str(execution)

    def _declaration(self, kind: str) -> dict[str, Any]:
        source = {
            "name": "Source",
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
            "configuration": {
                "RepositoryName": f"{PREFIX}-{kind}",
                "BranchName": "main",
                "PollForSourceChanges": "false",
            },
            "outputArtifacts": [{"name": "SourceCode"}],
        }
        build = {
            "name": "TrainAndRegister",
            "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            "configuration": {"ProjectName": f"{PREFIX}-modelbuild"},
            "inputArtifacts": [{"name": "SourceCode"}],
        }
        deploy = {
            "name": "DeployStaging",
            "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1"},
            "configuration": {
                "ActionMode": "REPLACE_ON_FAILURE",
                "StackName": f"{PREFIX}-deploy-staging",
                "RoleArn": self.role,
                "TemplatePath": "SourceCode::template.json",
            },
            "inputArtifacts": [{"name": "SourceCode"}],
        }
        stages = {"modelbuild": ("Build", build), "modeldeploy": ("DeployStaging", deploy)}
        return {
            "name": f"{PREFIX}-{kind}",
            "roleArn": self.role,
            "artifactStore": {"type": "S3", "location": BUCKET},
            "pipelineType": "V2",
            "stages": [
                {"name": "Source", "actions": [source]},
                {"name": stages[kind][0], "actions": [stages[kind][1]]},
            ],
        }

    # ---- what fails

    def failed_training(self, script: str) -> str:
        """Run a SageMaker pipeline whose only step runs this script in a container; its execution's ARN."""
        sagemaker = self.owner.client("sagemaker")
        arguments = {
            "RoleArn": self.role,
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", "-c"],
                "ContainerArguments": [script],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        }
        steps = [{"Name": "Preprocess", "Type": "Processing", "Arguments": arguments}]
        sagemaker.create_pipeline(
            PipelineName=f"{NAME}-{ID}",
            RoleArn=self.role,
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": steps}),
        )
        started = sagemaker.start_pipeline_execution(PipelineName=f"{NAME}-{ID}")["PipelineExecutionArn"]
        describe = sagemaker.describe_pipeline_execution
        wait_until(
            lambda: describe(PipelineExecutionArn=started)["PipelineExecutionStatus"] in ENDED,
            "the end of the SageMaker pipeline",
            60,
        )
        return str(started)

    def put_model(self, inference: str) -> None:
        """A model artefact whose server is this code."""
        body = archive({"code/inference.py": inference})
        self.owner.client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=body)

    # ---- asking

    def why(self, *arguments: str, credentials: Credentials | None = None, **variables: str) -> tuple[int, str, str]:
        """`python -m project_tools.why` as somebody: its exit status, what it printed, and what it complained."""
        environment = {
            **self.owner.environment(),
            **(self.cloud.environment(credentials) if credentials else {}),
            "SAGEMAKER_PROJECT_NAME": NAME,
            "SAGEMAKER_PROJECT_ID": ID,
            "COLUMNS": "100",
            **variables,
        }
        command = [sys.executable, "-m", "project_tools.why", *arguments]
        done = subprocess.run(command, cwd=BUILD_REPO, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, shlex.join(command) + "\n" + done.stderr
        return done.returncode, done.stdout, done.stderr
