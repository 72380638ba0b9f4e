"""A grant that is missing stops the project exactly where it would on AWS."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import People, settle
from rehearsal.person import REPOSITORY_ROOT, Person
from tests.rehearsal.conftest import ENVIRONMENTS

LAUNCH_ROLE = "MLOpsProjectLaunchRole"


class Company:
    """An account in which the template is published."""

    def __init__(self, cloud: Cloud, people: People) -> None:
        self.cloud = cloud
        self.engineer = Person("platform-engineer", cloud, people.platform_engineer)
        self.scientist = Person("data-scientist", cloud, people.data_scientist)
        publish = ("-m", "service_catalog", "publish", "--studio-role-arn", people.studio_role_arn)
        self.engineer.run(sys.executable, *publish, folder=REPOSITORY_ROOT)

    def launch(self, name: str) -> dict[str, Any]:
        """Create a project and answer its description once the launch ended, well or badly."""
        catalog, sagemaker = self.scientist.client("servicecatalog"), self.scientist.client("sagemaker")
        product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
        version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
        details = {"ProductId": product, "ProvisioningArtifactId": version}
        sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)

        def ended() -> dict[str, Any] | None:
            project: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
            return project if project["ProjectStatus"] in ("CreateCompleted", "CreateFailed") else None

        return until(ended)


def until(question: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("no answer in time")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("company"), ENVIRONMENTS)) as cloud:
        yield Company(cloud, settle(cloud))


def test_a_powerless_launch_role_fails_at_the_stacks_first_resource(company: Company) -> None:
    iam = company.engineer.client("iam")
    inline = iam.list_role_policies(RoleName=LAUNCH_ROLE)["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=LAUNCH_ROLE)["AttachedPolicies"]
    taken = {name: iam.get_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name)["PolicyDocument"] for name in inline}
    stacks_only = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["cloudformation:*", "s3:GetObject"], "Resource": "*"}],
    }
    try:
        for name in inline:
            iam.delete_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name)
        for policy in attached:
            iam.detach_role_policy(RoleName=LAUNCH_ROLE, PolicyArn=policy["PolicyArn"])
        iam.put_role_policy(RoleName=LAUNCH_ROLE, PolicyName="stacks", PolicyDocument=json.dumps(stacks_only))
        project = company.launch("powerless")
    finally:
        iam.delete_role_policy(RoleName=LAUNCH_ROLE, PolicyName="stacks")
        for name, document in taken.items():
            iam.put_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name, PolicyDocument=json.dumps(document))
        for policy in attached:
            iam.attach_role_policy(RoleName=LAUNCH_ROLE, PolicyArn=policy["PolicyArn"])
    assert project["ProjectStatus"] == "CreateFailed"
    reason = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert f"assumed-role/{LAUNCH_ROLE}/" in reason
    assert "is not authorized to perform" in reason
    stacks = company.engineer.client("cloudformation").list_stacks()["StackSummaries"]
    stack = next(each for each in stacks if each["StackName"].startswith("SC-"))
    events = company.engineer.client("cloudformation").describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    finished = [each for each in events if each["ResourceStatus"] == "CREATE_COMPLETE"]
    assert [each for each in finished if each["ResourceType"] != "AWS::CloudFormation::Stack"] == []


def test_without_upload_archive_the_source_action_stops(company: Company) -> None:
    project = company.launch("no-archive")
    assert project["ProjectStatus"] == "CreateCompleted", project
    pipeline = f"sagemaker-no-archive-{project['ProjectId']}-modelbuild"
    codepipeline = company.engineer.client("codepipeline")
    role = codepipeline.get_pipeline(name=pipeline)["pipeline"]["roleArn"].rpartition("/")[2]
    removed = remove_action(company.engineer.client("iam"), role, "codecommit:UploadArchive")
    assert removed == 1, "the pipeline's role grants codecommit:UploadArchive in one place"
    execution = codepipeline.start_pipeline_execution(name=pipeline)["pipelineExecutionId"]

    def failed_action() -> dict[str, Any] | None:
        listed = codepipeline.list_action_executions(pipelineName=pipeline, filter={"pipelineExecutionId": execution})[
            "actionExecutionDetails"
        ]
        return next((each for each in listed if each["status"] == "Failed"), None)

    action = until(failed_action)
    assert action["stageName"] == "Source"
    message = action["output"]["executionResult"]["errorDetails"]["message"]
    assert "codecommit:UploadArchive" in message
    assert pipeline in message


def remove_action(iam: Any, role: str, action: str) -> int:
    """Take one action out of a role's inline policies; answers from how many statements it was taken."""
    found = 0
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if action in actions:
                found += 1
                statement["Action"] = [each for each in actions if each != action]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    return found
