"""A project is a product somebody launched: it comes, is told about, and goes with its stack."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.project_updates import ProjectUpdates
from rehearsal.cloud.service import Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from rehearsal.cloud.servicecatalog.product_stack import ProductStack
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import (
    QUEUE_AND_TOPIC,
    RENAMED_TOPIC_AND_QUEUE,
    TOPIC,
    TOPICS,
    TWO_TOPICS,
    Lab,
    Offer,
)
from tests.waiting import PATIENCE, until


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    return Lab(start_cloud([ServiceCatalog, ProjectUpdates])).set()


@pytest.fixture(scope="module")
def ada(lab: Lab) -> Credentials:
    return lab.person()


def create(lab: Lab, who: Credentials, name: str, text: str = TOPIC) -> Any:
    offer = lab.offer(text, to=who, role=lab.role("launcher", TOPICS))
    details = {"ProductId": offer.product, "ProvisioningArtifactId": offer.artifact}
    given = [{"Key": "Colour", "Value": "red"}] if text == TOPIC else []
    return lab.client("sagemaker", who).create_project(
        ProjectName=name,
        ProjectDescription="claims",
        ServiceCatalogProvisioningDetails={**details, "ProvisioningParameters": given},
        Tags=[{"Key": "team", "Value": "claims"}],
    )


def settled(lab: Lab, name: str) -> Any:
    def at_rest() -> Any:
        found = lab.client("sagemaker").describe_project(ProjectName=name)
        return None if found["ProjectStatus"].endswith("InProgress") else found

    return until(at_rest, f"an end of {name}'s launch")


def test_a_project_is_launched_with_its_name_and_id_and_deleted_with_its_stack(lab: Lab, ada: Credentials) -> None:
    made = create(lab, ada, "Claims")
    assert made["ProjectArn"].endswith(":project/claims")
    found = settled(lab, "Claims")
    assert (found["ProjectStatus"], found["ProjectId"]) == ("CreateCompleted", made["ProjectId"])
    assert found["ProjectDescription"] == "claims"
    provisioned = found["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    [stack] = lab.client("cloudformation").describe_stacks(StackName=f"SC-{lab.cloud.account}-{provisioned}")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert parameters == {
        "Colour": "red",
        "SageMakerProjectName": "Claims",
        "SageMakerProjectId": made["ProjectId"],
    }
    tags = lab.client("sagemaker").list_tags(ResourceArn=made["ProjectArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "claims"}]

    lab.client("sagemaker", ada).delete_project(ProjectName="Claims")
    assert settled(lab, "Claims")["ProjectStatus"] == "DeleteCompleted"
    [stack] = lab.client("cloudformation").describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def test_a_project_in_progress_says_so_until_its_stack_has_settled(
    lab: Lab, ada: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker, settle, go_on = lab.client("sagemaker", ada), ProductStack._settled, threading.Event()

    def hold(stack: ProductStack, name: str) -> Any:
        assert go_on.wait(PATIENCE)
        return settle(stack, name)

    def in_progress() -> tuple[str, str, str]:
        """What is said of the project, of its product, and of the record of what is done to it."""
        project = sagemaker.describe_project(ProjectName="held")
        details = project["ServiceCatalogProvisionedProductDetails"]
        product = lab.catalog.describe_provisioned_product(Id=details["ProvisionedProductId"])
        found = product["ProvisionedProductDetail"]
        record = lab.catalog.describe_record(Id=found["LastRecordId"])["RecordDetail"]
        return project["ProjectStatus"], found["Status"], record["Status"]

    def then() -> str:
        go_on.set()
        status = str(settled(lab, "held")["ProjectStatus"])
        go_on.clear()
        return status

    monkeypatch.setattr(ProductStack, "_settled", hold)
    create(lab, ada, "held")
    assert in_progress() == ("CreateInProgress", "UNDER_CHANGE", "IN_PROGRESS")
    assert then() == "CreateCompleted"
    newer = lab.version(product_of(lab, settled(lab, "held"))[0], TWO_TOPICS)
    update = {"ProvisioningArtifactId": newer}
    sagemaker.update_project(ProjectName="held", ServiceCatalogProvisioningUpdateDetails=update)
    assert in_progress() == ("UpdateInProgress", "UNDER_CHANGE", "IN_PROGRESS")
    assert then() == "UpdateCompleted"

    def fail(_stack: ProductStack) -> None:
        raise AwsError("ResourceOperationFailed", "a bucket is not empty")

    with monkeypatch.context() as once:
        once.setattr(ProductStack, "delete", fail)
        sagemaker.delete_project(ProjectName="held")
        assert then() == "DeleteFailed"
    sagemaker.delete_project(ProjectName="held")
    assert in_progress() == ("DeleteInProgress", "UNDER_CHANGE", "IN_PROGRESS")
    assert then() == "DeleteCompleted"


def product_of(lab: Lab, project: Any) -> tuple[Offer, str]:
    """What a project was made from, and its stack."""
    details = project["ServiceCatalogProvisioningDetails"]
    provisioned = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    offer = Offer(details["ProductId"], "", details["ProvisioningArtifactId"])
    return offer, f"SC-{lab.cloud.account}-{provisioned}"


def test_a_project_is_updated_to_another_version_of_its_product_with_its_name_and_id(
    lab: Lab, ada: Credentials
) -> None:
    made = create(lab, ada, "better")
    offer, stack = product_of(lab, settled(lab, "better"))
    newer = lab.version(offer, TWO_TOPICS)
    sagemaker = lab.client("sagemaker", ada)

    update = {"ProvisioningArtifactId": newer, "ProvisioningParameters": [{"Key": "Colour", "Value": "green"}]}
    sagemaker.update_project(
        ProjectName="better", ProjectDescription="better", ServiceCatalogProvisioningUpdateDetails=update
    )

    found = settled(lab, "better")
    assert (found["ProjectStatus"], found["ProjectDescription"]) == ("UpdateCompleted", "better")
    assert found["ServiceCatalogProvisioningDetails"] == {"ProductId": offer.product, **update}
    assert found["LastModifiedBy"]["IamIdentity"]["Arn"] == ada.principal_arn
    assert found["LastModifiedTime"] >= found["CreationTime"]
    assert lab.topics(stack) == {"News": "green", "More": "more"}
    [told] = lab.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in told["Parameters"]}
    assert (given["SageMakerProjectName"], given["SageMakerProjectId"]) == ("better", made["ProjectId"])

    newest = lab.version(offer, TWO_TOPICS.replace("more}", "most}"))
    sagemaker.update_project(ProjectName="better", ServiceCatalogProvisioningUpdateDetails={})

    found = settled(lab, "better")
    assert found["ServiceCatalogProvisioningDetails"]["ProvisioningArtifactId"] == newest
    assert lab.topics(stack) == {"News": "blue", "More": "most"}, "the default, because no colour was given"


def test_a_project_whose_update_fails_is_what_it_was_and_says_why(lab: Lab, ada: Credentials) -> None:
    create(lab, ada, "steady")
    offer, stack = product_of(lab, settled(lab, "steady"))
    sagemaker = lab.client("sagemaker", ada)
    failing = {"ProvisioningArtifactId": lab.version(offer, RENAMED_TOPIC_AND_QUEUE)}
    sagemaker.update_project(ProjectName="steady", ServiceCatalogProvisioningUpdateDetails=failing)

    found = settled(lab, "steady")

    assert found["ProjectStatus"] == "UpdateFailed"
    why = found["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert why.startswith("Second (AWS::SQS::Queue): ")
    assert found["ServiceCatalogProvisioningDetails"]["ProvisioningArtifactId"] == offer.artifact
    assert lab.topics(stack) == {"News": "red"}
    sagemaker.delete_project(ProjectName="steady")
    assert settled(lab, "steady")["ProjectStatus"] == "DeleteCompleted"
    with pytest.raises(ClientError, match="has been deleted"):
        sagemaker.update_project(ProjectName="steady", ServiceCatalogProvisioningUpdateDetails=failing)


def test_a_description_alone_changes_nothing_else(lab: Lab, ada: Credentials) -> None:
    create(lab, ada, "described")
    settled(lab, "described")
    lab.client("sagemaker", ada).update_project(ProjectName="described", ProjectDescription="new")
    found = lab.client("sagemaker").describe_project(ProjectName="described")
    assert (found["ProjectDescription"], found["ProjectStatus"]) == ("new", "CreateCompleted")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags of UpdateProject"),
        (
            {
                "TemplateProvidersToUpdate": [
                    {"CfnTemplateProvider": {"TemplateName": "t", "TemplateURL": "https://b.s3.amazonaws.com/t"}}
                ]
            },
            "was not made from a template in S3",
        ),
        ({"ServiceCatalogProvisioningUpdateDetails": {"ProvisioningArtifactId": "pa-none"}}, "not found"),
    ],
)
def test_an_update_that_cannot_be_is_refused_at_once(
    lab: Lab, ada: Credentials, given: dict[str, Any], why: str
) -> None:
    name = f"refused-{len(why)}"
    create(lab, ada, name)
    settled(lab, name)
    with pytest.raises(ClientError, match=why):
        lab.client("sagemaker", ada).update_project(ProjectName=name, **given)
    assert settled(lab, name)["ProjectStatus"] == "CreateCompleted"


def test_projects_are_listed_oldest_first_in_pages_and_found_by_a_part_of_their_name(
    lab: Lab, ada: Credentials
) -> None:
    for name in ("b-in-list", "a-in-list"):
        create(lab, ada, name)
        settled(lab, name)
    sagemaker = lab.client("sagemaker")

    def names(**asked: Any) -> list[str]:
        listed = sagemaker.list_projects(NameContains="in-list", **asked)["ProjectSummaryList"]
        return [each["ProjectName"] for each in listed]

    assert names() == ["b-in-list", "a-in-list"]
    assert names(SortOrder="Descending") == ["a-in-list", "b-in-list"]
    assert names(SortBy="Name") == ["a-in-list", "b-in-list"]
    first = sagemaker.list_projects(NameContains="in-list", MaxResults=1)
    assert [each["ProjectName"] for each in first["ProjectSummaryList"]] == ["b-in-list"]
    earlier = first["ProjectSummaryList"][0]["CreationTime"] - timedelta(hours=1)
    assert names(NextToken=first["NextToken"], MaxResults=1) == ["a-in-list"]
    assert names(CreationTimeBefore=earlier) == []
    assert names(CreationTimeAfter=earlier) == ["b-in-list", "a-in-list"]
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid pagination token"):
        names(NextToken="made-up")


def test_a_name_is_used_once_whatever_its_case(lab: Lab, ada: Credentials) -> None:
    create(lab, ada, "twice")
    with pytest.raises(ClientError, match="already exists"):
        create(lab, ada, "Twice")


def test_the_reason_of_a_failure_reaches_whoever_asks_for_the_project(lab: Lab, ada: Credentials) -> None:
    create(lab, ada, "unlucky", QUEUE_AND_TOPIC)
    found = settled(lab, "unlucky")
    assert found["ProjectStatus"] == "CreateFailed"
    message = found["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert message.startswith("Second (AWS::SQS::Queue): ")


def test_who_may_create_projects_but_has_no_access_to_the_product_gets_none(lab: Lab, ada: Credentials) -> None:
    stranger = lab.person()
    offer = lab.offer(to=ada)
    with pytest.raises(ClientError, match="No launch paths found"):
        lab.client("sagemaker", stranger).create_project(
            ProjectName="strange",
            ServiceCatalogProvisioningDetails={"ProductId": offer.product, "ProvisioningArtifactId": offer.artifact},
        )
    with pytest.raises(ClientError, match="does not exist"):
        lab.client("sagemaker").describe_project(ProjectName="strange")


def test_a_project_that_does_not_exist_is_said_so(lab: Lab) -> None:
    with pytest.raises(ClientError, match="Project nobody does not exist"):
        lab.client("sagemaker").delete_project(ProjectName="nobody")
