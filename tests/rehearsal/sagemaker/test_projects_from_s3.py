"""A project is a template in S3 somebody launched, with a role they hand over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.project_updates import ProjectUpdates
from rehearsal.cloud.service import Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import (
    QUEUE_AND_TOPIC,
    RENAMED_TOPIC_AND_QUEUE,
    TOPIC,
    TOPICS,
    TWO_TOPICS,
    Lab,
)
from tests.waiting import until

LAUNCHING = [
    "sts:AssumeRole",
    "iam:PassRole",
    "s3:GetObject",
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "cloudformation:UpdateStack",
]


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    return Lab(start_cloud([ServiceCatalog, ProjectUpdates])).set()


@pytest.fixture(scope="module")
def role(lab: Lab) -> str:
    return lab.role("launcher", TOPICS, "cloudformation.amazonaws.com")


@pytest.fixture(scope="module")
def ada(lab: Lab) -> Credentials:
    return lab.person(*LAUNCHING)


def create(lab: Lab, who: Credentials, name: str, role: str, text: str = TOPIC) -> Any:
    provider = {
        "TemplateName": "the-template",
        "TemplateURL": lab.template(text),
        "RoleARN": role,
        "Parameters": [{"Key": "Colour", "Value": "red"}] if text == TOPIC else [],
    }
    return lab.client("sagemaker", who).create_project(
        ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": provider}]
    )


def settled(lab: Lab, name: str) -> Any:
    def at_rest() -> Any:
        found = lab.client("sagemaker").describe_project(ProjectName=name)
        return None if found["ProjectStatus"].endswith("InProgress") else found

    return until(at_rest, f"an end of {name}'s launch")


def stack_of(project: Any) -> Any:
    [provider] = project["TemplateProviderDetails"]
    return provider["CfnTemplateProviderDetail"]


def test_a_template_in_s3_is_launched_with_name_and_id_and_deleted_with_its_stack(
    lab: Lab, ada: Credentials, role: str
) -> None:
    made = create(lab, ada, "Claims", role)

    found = settled(lab, "Claims")
    assert (found["ProjectStatus"], found["ProjectId"]) == ("CreateCompleted", made["ProjectId"])
    assert "ServiceCatalogProvisioningDetails" not in found
    detail = stack_of(found)
    assert (detail["TemplateName"], detail["RoleARN"]) == ("the-template", role)
    assert detail["StackDetail"]["Name"].startswith("SP-")
    assert detail["StackDetail"]["StatusMessage"] == "CREATE_COMPLETE"
    [stack] = lab.client("cloudformation").describe_stacks(StackName=detail["StackDetail"]["Id"])["Stacks"]
    assert stack["RoleARN"] == role
    assert {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]} == {
        "Colour": "red",
        "SageMakerProjectName": "Claims",
        "SageMakerProjectId": made["ProjectId"],
    }

    lab.client("sagemaker", ada).delete_project(ProjectName="Claims")

    assert settled(lab, "Claims")["ProjectStatus"] == "DeleteCompleted"
    [stack] = lab.client("cloudformation").describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def test_a_template_in_s3_is_updated_with_the_role_it_was_launched_with_or_stays_as_it_was(
    lab: Lab, ada: Credentials, role: str
) -> None:
    create(lab, ada, "better", role)
    stack = stack_of(settled(lab, "better"))["StackDetail"]["Name"]

    def update(text: str, name: str = "the-template") -> Any:
        provider = {"TemplateName": name, "TemplateURL": lab.template(text)}
        lab.client("sagemaker", ada).update_project(
            ProjectName="better", TemplateProvidersToUpdate=[{"CfnTemplateProvider": provider}]
        )
        return settled(lab, "better"), provider["TemplateURL"]

    found, url = update(TWO_TOPICS)
    assert found["ProjectStatus"] == "UpdateCompleted"
    assert (stack_of(found)["TemplateURL"], stack_of(found)["RoleARN"]) == (url, role)
    assert lab.topics(stack) == {"News": "blue", "More": "more"}

    failed, _ = update(RENAMED_TOPIC_AND_QUEUE)
    assert failed["ProjectStatus"] == "UpdateFailed"
    assert stack_of(failed)["StackDetail"]["StatusMessage"].startswith("Second (AWS::SQS::Queue): ")
    assert stack_of(failed)["TemplateURL"] == url
    assert lab.topics(stack) == {"News": "blue", "More": "more"}

    with pytest.raises(ClientError, match="has no template another"):
        update(TWO_TOPICS, "another")


def test_the_role_makes_the_stack_and_what_it_may_not_make_fails_the_project_with_the_reason(
    lab: Lab, ada: Credentials, role: str
) -> None:
    create(lab, ada, "unlucky", role, QUEUE_AND_TOPIC)

    found = settled(lab, "unlucky")

    assert found["ProjectStatus"] == "CreateFailed"
    assert stack_of(found)["StackDetail"]["StatusMessage"].startswith("Second (AWS::SQS::Queue): ")
    lab.client("sagemaker", ada).delete_project(ProjectName="unlucky")
    assert settled(lab, "unlucky")["ProjectStatus"] == "DeleteCompleted"


@pytest.mark.parametrize("missing", ["sts:AssumeRole", "iam:PassRole"])
def test_who_may_not_hand_the_role_over_creates_nothing(lab: Lab, role: str, missing: str) -> None:
    poor = lab.person(*(each for each in LAUNCHING if each != missing))

    with pytest.raises(ClientError, match=f"AccessDenied.*not authorized to perform: {missing} on resource: {role}"):
        create(lab, poor, "poor", role)

    with pytest.raises(ClientError, match="does not exist"):
        lab.client("sagemaker").describe_project(ProjectName="poor")


@pytest.mark.parametrize("missing", ["s3:GetObject", "cloudformation:CreateStack"])
def test_who_may_not_make_the_stack_gets_a_project_that_failed(lab: Lab, role: str, missing: str) -> None:
    poor = lab.person(*(each for each in LAUNCHING if each != missing))
    name = f"poor-{missing.partition(':')[0]}"

    create(lab, poor, name, role)

    found = settled(lab, name)
    assert found["ProjectStatus"] == "CreateFailed"
    assert "Id" not in stack_of(found)["StackDetail"]
    lab.client("sagemaker", poor).delete_project(ProjectName=name)
    assert settled(lab, name)["ProjectStatus"] == "DeleteCompleted"


def test_a_role_that_does_not_trust_cloudformation_makes_nothing(lab: Lab, ada: Credentials) -> None:
    create(lab, ada, "untrusting", lab.role("untrusting", TOPICS, "servicecatalog.amazonaws.com"))

    assert settled(lab, "untrusting")["ProjectStatus"] == "CreateFailed"


@pytest.mark.parametrize("given", [{}, {"both": True}, {"TemplateProviders": [{}]}])
def test_a_project_has_either_a_product_or_a_template(lab: Lab, ada: Credentials, given: dict[str, Any]) -> None:
    if "both" in given:
        template = {"TemplateName": "t", "TemplateURL": "https://b.s3.amazonaws.com/t.yaml"}
        given = {
            "ServiceCatalogProvisioningDetails": {"ProductId": "prod-1"},
            "TemplateProviders": [{"CfnTemplateProvider": template}],
        }
    with pytest.raises(ClientError, match=r"ValidationException"):
        lab.client("sagemaker", ada).create_project(ProjectName="neither", **json.loads(json.dumps(given)))
