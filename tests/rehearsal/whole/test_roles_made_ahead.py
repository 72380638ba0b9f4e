"""Where SageMaker acknowledges no role of a template in S3, projects work with roles that were made ahead."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT
from service_catalog.publish import ROLES_STACK
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.light_seeds import WORD, lighten
from tests.rehearsal.whole.project_lab import Project
from tests.waiting import until

KEPT = {"repositories": True, "models": True, "data": True}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    settings = CloudSettings(tmp_path_factory.mktemp("company"), ENVIRONMENTS, acknowledge_roles=False)
    with new_cloud(settings) as cloud:
        yield Company(cloud, settle(cloud))


def publish(company: Company, *options: str) -> str:
    """Publish to S3; the address of the template."""
    verb = ("-m", "service_catalog", "publish", "--target", "s3", *options)
    said = company.engineer.run(sys.executable, *verb, folder=REPOSITORY_ROOT)
    return said.partition("template https://")[2].partition(",")[0]


class FromS3(Project):
    """A project that is launched from a template in S3."""

    url = ""

    def launch(self, **parameters: str) -> dict[str, Any]:
        sagemaker = self.company.scientist.client("sagemaker")
        role = f"arn:aws:iam::{self.company.cloud.account}:role/MLOpsProjectLaunchRole"
        provider = {
            "TemplateName": "mlops-project",
            "TemplateURL": f"https://{parameters.get('url', self.url)}",
            "RoleARN": role,
        }
        sagemaker.create_project(ProjectName=self.name, TemplateProviders=[{"CfnTemplateProvider": provider}])

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = sagemaker.describe_project(ProjectName=self.name)
            return None if found["ProjectStatus"] == "CreateInProgress" else found

        return dict(until(ended))

    def train(self, word: str) -> str:
        """Push a model that answers with a word; the package that its build registers."""
        scientist, client = self.company.scientist, self.company.engineer.client
        clone, name = scientist.home / f"{self.name}-build", f"{self.prefix}-modelbuild"
        url = client("codecommit").get_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"]
        scientist.git("clone", "--quiet", url, str(clone))
        (clone / WORD).write_text(word)
        scientist.git("add", WORD, folder=clone)
        scientist.git("commit", "--quiet", "--message", word, folder=clone)
        scientist.git("push", "--quiet", "origin", "main", folder=clone)

        def registered() -> str | None:
            packages = client("sagemaker").list_model_packages(ModelPackageGroupName=self.group)[
                "ModelPackageSummaryList"
            ]
            newest = client("codepipeline").list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][0]
            assert newest["status"] != "Failed", newest
            return str(packages[0]["ModelPackageArn"]) if packages else None

        return str(until(registered))

    def deploy(self, package: str) -> str:
        """Approve a version, and the question before production; how its deployment ended."""
        self.company.approver.client("sagemaker").update_model_package(
            ModelPackageArn=package, ModelApprovalStatus="Approved"
        )

        def asked() -> str | None:
            for each in self._executions():
                if each["status"] == "InProgress":
                    return str(each["pipelineExecutionId"])
            return None

        execution = str(until(asked))
        self.approve(execution)
        return self.ended(execution)


def test_a_template_with_roles_is_refused_and_one_with_roles_made_ahead_carries_a_model_to_production(
    company: Company,
) -> None:
    whole, FromS3.url = publish(company), publish(company, "--roles-ahead")
    assert "/roles-made-ahead/" in FromS3.url
    lighten(company)
    with pytest.raises(AssertionError, match="Requires capabilities"):
        FromS3(company, url=whole)

    project = FromS3(company)

    client = company.engineer.client
    detail = client("sagemaker").describe_project(ProjectName=project.name)["TemplateProviderDetails"][0]
    stack = detail["CfnTemplateProviderDetail"]["StackDetail"]["Name"]
    made = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack).build_full_result()
    kinds = {each["ResourceType"] for each in made["StackResourceSummaries"]}
    assert len(kinds) > 10
    assert not [each for each in kinds if each.startswith("AWS::IAM::")]

    assert project.deploy(project.train("hello")) == "Succeeded"

    answer = company.scientist.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=f"{project.name}-prod", Body=json.dumps({"records": [{}]}), ContentType="application/json"
    )
    assert json.loads(answer["Body"].read())["predictions"] == ["hello"]
    roles = client("iam").list_roles(PathPrefix="/sagemaker-projects/")["Roles"]
    session = company.cloud.identity.session_of(
        next(each["Arn"] for each in roles if each["RoleName"].endswith("-PipelineExecutionRole")), "a-job"
    )
    for key, allowed in ((f"{project.group}/x", True), ("x", False)):
        call = company.cloud.client("s3", session).put_object
        if allowed:
            call(Bucket=project.bucket, Key=key, Body=b"")
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                call(Bucket=project.bucket, Key=key, Body=b"")

    assert project.delete() == "DeleteCompleted"
    assert project.work() == KEPT
    assert (
        client("cloudformation").describe_stacks(StackName=ROLES_STACK)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    )
