"""A launched project whose deployments take seconds, and what its people do to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from rehearsal.inventory import running_builds
from rehearsal.mailbox import Mailbox
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.deploy_lab import with_update_digest
from tests.rehearsal.sagemaker.hosting import CODE, INFERENCE, archive
from tests.rehearsal.whole.company import Company
from tests.waiting import until

CHOICE = """\
version: 0.2
env:
  exported-variables:
    - DEPLOY
    - ASK_APPROVAL
    - MODEL_PACKAGE_ARN_RESOLVED
    - MODEL_PACKAGE_VERSION
    - CHALLENGER_MODEL_PACKAGE_ARN
    - CHALLENGER_KIND
    - CHALLENGER_TRAFFIC_PERCENT
"""
"""How a buildspec of the deploy repository begins: what its build tells the pipeline."""
QUICK_BUILD = (
    CHOICE
    + """\
phases:
  build:
    commands:
      - export DEPLOY=yes ASK_APPROVAL=no MODEL_PACKAGE_ARN_RESOLVED={package} MODEL_PACKAGE_VERSION=1
      - export CHALLENGER_MODEL_PACKAGE_ARN={beside} CHALLENGER_KIND={kind} CHALLENGER_TRAFFIC_PERCENT={percent}
artifacts:
  files: [endpoint-config-template.yml, staging-config-export.json, prod-config-export.json]
"""
)
"""It asks for nobody to be asked, in vain."""
QUICK_TEST = """\
version: 0.2
env:
  exported-variables: [GOLDEN_RECORDS_PASSED, LATENCY_P50_MS, LATENCY_P95_MS, STAGING_SUMMARY]
phases:
  build:
    commands:
      - export GOLDEN_RECORDS_PASSED=1 LATENCY_P50_MS=1 LATENCY_P95_MS=1 STAGING_SUMMARY=answers
"""
OVER = ("Succeeded", "Failed", "Stopped", "Superseded")
STAGES = {"staging": "EndpointInstanceCount=1", "prod": "EndpointInstanceCount=2"}


class Project:
    """A launched project whose deployments are quick: a tiny model, and builds that only say what is to be deployed."""

    def __init__(self, company: Company, *, first_builds_run: bool = False, **parameters: str) -> None:
        self.company = company
        self.name = f"p{uuid4().hex[:6]}"
        described = self.launch(**parameters)
        assert described["ProjectStatus"] == "CreateCompleted", described
        self.id = described["ProjectId"]
        self.prefix, self.group = f"sagemaker-{self.name}-{self.id}", f"{self.name}-{self.id}"
        self.bucket = next(
            bucket["Name"]
            for bucket in company.engineer.client("s3").list_buckets()["Buckets"]
            if self.id in bucket["Name"]
        )
        topic = f"arn:aws:sns:{company.cloud.region}:{company.cloud.account}:{self.prefix}-notifications"
        self.mailbox = Mailbox(company.engineer.client, company.cloud.account, company.cloud.region, topic)
        if not first_builds_run:
            self.stop_builds()

    def stop_builds(self) -> None:
        """What a launch, or a push to model-build, starts is another test's business, and takes long."""
        codepipeline, codebuild = (self.company.engineer.client(name) for name in ("codepipeline", "codebuild"))
        for pipeline in (f"{self.prefix}-modelbuild", f"{self.prefix}-modeldeploy"):
            for each in codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]:
                if each["status"] not in OVER:
                    codepipeline.stop_pipeline_execution(
                        pipelineName=pipeline,
                        pipelineExecutionId=each["pipelineExecutionId"],
                        abandon=True,
                        reason="This test needs none of what the launch starts",
                    )
        for build in running_builds(codebuild):
            if build.startswith(self.prefix):
                codebuild.stop_build(id=build)

    def launch(self, **parameters: str) -> dict[str, Any]:
        """Launch it, and wait for the end of that."""
        return self.company.launch(self.name, **parameters)

    # ---- what brings a project into a state

    def register(self, answer: str) -> str:
        """Register a tiny model that answers with one word; its package's ARN. It waits for its approval."""
        key = f"{self.group}/models/{answer}/model.tar.gz"
        body = archive({"code/inference.py": INFERENCE, "answer.txt": answer})
        self.company.engineer.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{self.bucket}/{key}", "Environment": CODE}
        arn: str = self.company.engineer.client("sagemaker").create_model_package(
            ModelPackageGroupName=self.group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )["ModelPackageArn"]
        return arn

    def push_deployment(self, package: str, **production: str) -> str:
        """Push what deploys this package to model-deploy; the execution that this starts."""
        scientist, codepipeline = self.company.scientist, self.company.engineer.client("codepipeline")
        clone = scientist.home / self.name
        if not clone.exists():
            url = self.company.engineer.client("codecommit").get_repository(repositoryName=f"{self.prefix}-modeldeploy")
            scientist.git("clone", "--quiet", url["repositoryMetadata"]["cloneUrlHttp"], str(clone))
        (clone / "buildspec.yml").write_text(
            QUICK_BUILD.format(
                package=package,
                beside=production.get("ChallengerModelPackageName", "none"),
                kind=production.get("Challenger", "none"),
                percent=production.get("ChallengerTrafficPercent", "none"),
            )
        )
        (clone / "test" / "buildspec.yml").write_text(QUICK_TEST)
        ignored = clone / ".gitignore"
        ignored.write_text("".join(line for line in ignored.open() if "export" not in line))
        for stage in STAGES:
            self._write_config(clone, stage, package, production if stage == "prod" else {})
        pipeline = f"{self.prefix}-modeldeploy"
        before = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
        scientist.git("add", "--all", folder=clone)
        scientist.git("commit", "--quiet", "--message", f"Deploy {package}", folder=clone)
        scientist.git("push", "--quiet", "origin", "main", folder=clone)

        def started() -> str | None:
            listed = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
            return str(listed[0]["pipelineExecutionId"]) if len(listed) > len(before) else None

        return str(until(started))

    def _write_config(self, clone: Path, stage: str, package: str, more: dict[str, str]) -> None:
        config = json.loads((clone / f"{stage}-config.json").read_text())
        parameters = {
            **{
                name: str(value).lower() if isinstance(value, bool) else str(value)
                for name, value in config["Parameters"].items()
            },
            "SageMakerProjectName": self.name,
            "SageMakerProjectId": self.id,
            "StageName": stage,
            "EndpointName": f"{self.name}-{stage}",
            "ModelPackageName": package,
            "ModelExecutionRoleArn": self.role("ModelExecution"),
            "DataCaptureS3Uri": f"s3://{self.bucket}/data-capture",
            "AsyncS3Uri": f"s3://{self.bucket}/async",
            **dict.fromkeys(("KmsKeyArn", "VpcSubnetIds", "VpcSecurityGroupIds"), ""),
            **more,
        }
        tags = {
            "sagemaker:project-name": self.name,
            "sagemaker:project-id": self.id,
            "sagemaker:deployment-stage": stage,
        }
        given = with_update_digest(parameters, clone / "endpoint-config-template.yml")
        (clone / f"{stage}-config-export.json").write_text(json.dumps({"Parameters": given, "Tags": tags}))

    def role(self, of: str) -> str:
        """The ARN of one of the project's roles, by the beginning of its logical id.

        Roles are named after the stack, so only their description tells whose they are.
        """
        pages = (
            self.company.engineer.client("iam").get_paginator("list_roles").paginate(PathPrefix="/sagemaker-projects/")
        )
        return next(
            str(each["Arn"])
            for page in pages
            for each in page["Roles"]
            if f"-{of}" in each["RoleName"] and self.name in each["Description"]
        )

    def answers(self, stage: str) -> str:
        """What the stage's endpoint answers with; "none" when there is none."""
        if self.endpoint_status(stage) == "none":
            return "none"
        answer = self.company.scientist.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=f"{self.name}-{stage}", Body=json.dumps({"records": [1]}), ContentType="application/json"
        )
        return str(json.loads(answer["Body"].read())["predictions"][0])

    def until_asked(self, execution: str) -> str:
        """Wait for the question before production; its token."""
        codepipeline = self.company.engineer.client("codepipeline")

        def token() -> str | None:
            state = codepipeline.get_pipeline_state(name=f"{self.prefix}-modeldeploy")
            stage = next(each for each in state["stageStates"] if each["stageName"] == "ApproveProduction")
            assert self.status(execution) == "InProgress", self.actions(execution)
            if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution:
                return None
            found: str | None = stage["actionStates"][0].get("latestExecution", {}).get("token")
            return found

        return str(until(token))

    def approve(self, execution: str) -> None:
        """Approve the version that an execution carries, and its deployment to production."""
        token = self.until_asked(execution)
        carried = next(
            output["outputVariables"]["MODEL_PACKAGE_ARN_RESOLVED"]
            for name, _, output in self.actions(execution)
            if name == "ResolvePackage"
        )
        self._approve_version(carried)
        self.company.approver.client("codepipeline").put_approval_result(
            pipelineName=f"{self.prefix}-modeldeploy",
            stageName="ApproveProduction",
            actionName="ApproveProduction",
            result={"summary": "yes", "status": "Approved"},
            token=token,
        )

    def _approve_version(self, package: str) -> None:
        """Approve a version that an execution carries which waits for its question.

        That starts another execution, which sees that, and stops.
        """
        client = self.company.approver.client
        if client("sagemaker").describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "Approved":
            return
        before = {each["pipelineExecutionId"] for each in self._executions()}
        client("sagemaker").update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")

        def stopped() -> bool:
            new = [each for each in self._executions() if each["pipelineExecutionId"] not in before]
            return bool(new) and all(each["status"] == "Stopped" for each in new)

        until(stopped)

    def _executions(self) -> list[dict[str, Any]]:
        listed = self.company.engineer.client("codepipeline").list_pipeline_executions(
            pipelineName=f"{self.prefix}-modeldeploy"
        )
        return list(listed["pipelineExecutionSummaries"])

    def foreign_role(self) -> str:
        """A role that the deployment may not hand to a model: the creation of production fails."""
        return f"arn:aws:iam::{self.company.cloud.account}:role/somebody-elses"

    def status(self, execution: str) -> str:
        found = self.company.engineer.client("codepipeline").get_pipeline_execution(
            pipelineName=f"{self.prefix}-modeldeploy", pipelineExecutionId=execution
        )
        return str(found["pipelineExecution"]["status"])

    def actions(self, execution: str) -> Any:
        listed = self.company.engineer.client("codepipeline").list_action_executions(
            pipelineName=f"{self.prefix}-modeldeploy", filter={"pipelineExecutionId": execution}
        )["actionExecutionDetails"]
        return [(each["actionName"], each["status"], each.get("output")) for each in listed]

    def ended(self, execution: str) -> str:
        """Wait for the end of an execution; its status."""

        def status() -> str | None:
            found = self.status(execution)
            return found if found in OVER else None

        return str(until(status))

    def stack_status(self, stage: str) -> str:
        stacks = self.company.engineer.client("cloudformation").describe_stacks(
            StackName=f"{self.prefix}-deploy-{stage}"
        )
        return str(stacks["Stacks"][0]["StackStatus"])

    def endpoint_status(self, stage: str) -> str:
        try:
            described = self.company.engineer.client("sagemaker").describe_endpoint(EndpointName=f"{self.name}-{stage}")
        except ClientError:
            return "none"
        return str(described["EndpointStatus"])

    # ---- its end

    def delete(self) -> str:
        """Ask for the deletion as the data scientist and wait for its end; the status."""
        sagemaker = self.company.scientist.client("sagemaker")
        sagemaker.delete_project(ProjectName=self.name)

        def ended() -> str | None:
            described = sagemaker.describe_project(ProjectName=self.name)
            status = str(described["ProjectStatus"])
            if status == "DeleteFailed":
                raise AssertionError(described["ServiceCatalogProvisionedProductDetails"])
            return status if status == "DeleteCompleted" else None

        return str(until(ended))

    def work(self) -> dict[str, bool]:
        """Which of the user's work is there."""
        client = self.company.engineer.client
        repositories = client("codecommit").list_repositories()["repositories"]
        groups = client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
        buckets = client("s3").list_buckets()["Buckets"]
        return {
            "repositories": sum(self.id in each["repositoryName"] for each in repositories) == 2,
            "models": any(each["ModelPackageGroupName"] == self.group for each in groups),
            "data": any(each["Name"] == self.bucket for each in buckets),
        }
