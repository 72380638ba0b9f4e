"""People launch what they were given access to, as the role that the administrator chose."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.service import Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import QUEUE_AND_TOPIC, TOPIC, TOPICS, Lab


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    return Lab(start_cloud([ServiceCatalog])).set()


def test_who_has_no_access_sees_nothing_and_launches_nothing(lab: Lab) -> None:
    offer = lab.offer(to=lab.person(), role=lab.role("launcher", TOPICS))
    stranger = lab.person()
    catalog = lab.client("servicecatalog", stranger)
    assert catalog.search_products()["ProductViewSummaries"] == []
    assert catalog.list_launch_paths(ProductId=offer.product)["LaunchPathSummaries"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        catalog.describe_product(Id=offer.product)
    with pytest.raises(ClientError, match="No launch paths found"):
        lab.launch(stranger, offer)


def test_who_has_access_finds_the_product_and_its_path(lab: Lab) -> None:
    ada = lab.person()
    offer = lab.offer(to=ada)
    catalog = lab.client("servicecatalog", ada)
    assert [each["ProductId"] for each in catalog.search_products()["ProductViewSummaries"]] == [offer.product]
    described = catalog.describe_product(Id=offer.product)
    assert [each["Id"] for each in described["ProvisioningArtifacts"]] == [offer.artifact]
    assert len(described["LaunchPaths"]) == 1


@pytest.mark.parametrize(
    ("pattern", "open_to_her"),
    [("role/person-*", True), ("role/*", True), ("role/team/person-*", False), ("role/admin-*", False)],
)
def test_access_can_be_given_by_a_pattern_of_roles(lab: Lab, pattern: str, open_to_her: bool) -> None:
    ada, offer = lab.person(), lab.offer()
    principal = {"PrincipalARN": f"arn:aws:iam:::{pattern}", "PrincipalType": "IAM_PATTERN"}
    lab.catalog.associate_principal_with_portfolio(PortfolioId=offer.portfolio, **principal)
    found = lab.client("servicecatalog", ada).search_products()["ProductViewSummaries"]
    assert [each["ProductId"] for each in found] == ([offer.product] if open_to_her else [])
    lab.catalog.disassociate_principal_from_portfolio(PortfolioId=offer.portfolio, **principal)
    assert lab.client("servicecatalog", ada).search_products()["ProductViewSummaries"] == []


def test_a_launch_acts_as_the_constraints_role(lab: Lab) -> None:
    ada, role = lab.person(), lab.role("launcher", TOPICS)
    given = [{"Key": "Colour", "Value": "green"}]
    record = lab.finished(lab.launch(ada, lab.offer(to=ada, role=role), ProvisioningParameters=given))
    assert (record["Status"], record["RecordErrors"]) == ("SUCCEEDED", [])
    assert record["LaunchRoleArn"] == role
    topic = lab.client("sns").get_topic_attributes(TopicArn=record["Outputs"]["Topic"])["Attributes"]
    assert topic["DisplayName"] == "green"
    product = lab.catalog.describe_provisioned_product(Id=record["ProvisionedProductId"])["ProvisionedProductDetail"]
    assert product["Status"] == "AVAILABLE"
    creators = {each.principal for each in lab.cloud.identity.decisions() if each.action == "sns:CreateTopic"}
    assert role.rpartition("/")[2] in creators


def test_without_a_constraint_a_launch_acts_as_whoever_launches(lab: Lab) -> None:
    poor, rich = lab.person(), lab.person(*TOPICS)
    offer = lab.offer(to=poor)
    refused = lab.finished(lab.launch(poor, offer))
    assert refused["Status"] == "FAILED"
    assert "cloudformation:GetTemplateSummary" in refused["RecordErrors"][0]["Description"]
    assert lab.finished(lab.launch(rich, lab.offer(to=rich)))["Status"] == "SUCCEEDED"


def test_a_launch_role_that_does_not_trust_service_catalog_is_of_no_use(lab: Lab) -> None:
    ada = lab.person()
    role = lab.role("for-builds", TOPICS, service="codebuild.amazonaws.com")
    record = lab.finished(lab.launch(ada, lab.offer(to=ada, role=role)))
    assert record["Status"] == "FAILED"
    assert (
        "servicecatalog.amazonaws.com is not authorized to perform: sts:AssumeRole"
        in (record["RecordErrors"][0]["Description"])
    )


def test_a_name_is_used_once(lab: Lab) -> None:
    ada = lab.person()
    offer = lab.offer(to=ada, role=lab.role("launcher", TOPICS))
    lab.finished(lab.launch(ada, offer, "mine"))
    with pytest.raises(ClientError, match="DuplicateResourceException"):
        lab.launch(ada, offer, "mine")


def test_two_portfolios_are_two_paths_to_choose_from(lab: Lab) -> None:
    ada = lab.person()
    offer = lab.offer(to=ada, role=lab.role("launcher", TOPICS))
    lab.portfolio(offer.product, ada)
    with pytest.raises(ClientError, match="PathId is needed"):
        lab.launch(ada, offer)
    paths = lab.client("servicecatalog", ada).list_launch_paths(ProductId=offer.product)["LaunchPathSummaries"]
    path = next(each["Id"] for each in paths if each["Id"].endswith(offer.portfolio.removeprefix("port-")))
    assert lab.finished(lab.launch(ada, offer, PathId=path))["Status"] == "SUCCEEDED"


def test_a_failed_launch_says_the_first_cause(lab: Lab) -> None:
    ada = lab.person()
    record = lab.finished(lab.launch(ada, lab.offer(QUEUE_AND_TOPIC, to=ada, role=lab.role("launcher", TOPICS))))
    assert record["Status"] == "FAILED"
    why = record["RecordErrors"][0]["Description"]
    assert why.startswith("Second (AWS::SQS::Queue): ")
    assert "sqs:CreateQueue" in why
    product = lab.catalog.describe_provisioned_product(Id=record["ProvisionedProductId"])["ProvisionedProductDetail"]
    assert (product["Status"], product["StatusMessage"]) == ("ERROR", why)


def test_terminating_removes_the_stack_and_the_product(lab: Lab) -> None:
    ada = lab.person()
    record = lab.finished(lab.launch(ada, lab.offer(to=ada, role=lab.role("launcher", TOPICS))))
    catalog = lab.client("servicecatalog", ada)
    identifier = record["ProvisionedProductId"]
    ended = lab.finished(catalog.terminate_provisioned_product(ProvisionedProductId=identifier)["RecordDetail"])
    assert ended["Status"] == "SUCCEEDED"
    stack = lab.client("cloudformation").describe_stacks(StackName=record["Outputs"]["CloudformationStackARN"])
    assert stack["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    topics = [each["TopicArn"] for each in lab.client("sns").list_topics()["Topics"]]
    assert record["Outputs"]["Topic"] not in topics
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        catalog.describe_provisioned_product(Id=identifier)


def test_a_stack_that_cannot_be_removed_leaves_the_product_tainted(lab: Lab) -> None:
    ada = lab.person()
    role = lab.role("keeper", [action for action in TOPICS if action != "cloudformation:DeleteStack"])
    record = lab.finished(lab.launch(ada, lab.offer(to=ada, role=role)))
    identifier = record["ProvisionedProductId"]
    ended = lab.catalog.terminate_provisioned_product(ProvisionedProductId=identifier)["RecordDetail"]
    assert "cloudformation:DeleteStack" in lab.finished(ended)["RecordErrors"][0]["Description"]
    product = lab.catalog.describe_provisioned_product(Id=identifier)["ProvisionedProductDetail"]
    assert product["Status"] == "TAINTED"


def test_a_launch_that_made_no_stack_can_be_terminated(lab: Lab) -> None:
    ada = lab.person()
    role = lab.role("no-stacks", [action for action in TOPICS if action != "cloudformation:CreateStack"])
    record = lab.finished(lab.launch(ada, lab.offer(TOPIC, to=ada, role=role)))
    assert "cloudformation:CreateStack" in record["RecordErrors"][0]["Description"]
    ended = lab.catalog.terminate_provisioned_product(ProvisionedProductId=record["ProvisionedProductId"])
    assert lab.finished(ended["RecordDetail"])["Status"] == "SUCCEEDED"


def test_what_was_launched_is_listed_to_its_launcher_and_to_the_whole_account_when_asked(lab: Lab) -> None:
    ada, bob = lab.person(), lab.person()
    offer = lab.offer(to=ada, role=lab.role("launcher", TOPICS))
    record = lab.finished(lab.launch(ada, offer))

    def listed(who: Credentials, **level: str) -> bool:
        asked = {"AccessLevelFilter": {"Value": "self", **level}} if level else {}
        found = lab.client("servicecatalog", who).scan_provisioned_products(**asked)["ProvisionedProducts"]
        return record["ProvisionedProductId"] in [each["Id"] for each in found]

    assert listed(ada)
    assert listed(ada, Key="Role")
    assert not listed(bob)
    assert not listed(bob, Key="Role")
    assert listed(bob, Key="Account")
    with pytest.raises(ClientError, match="only supported value"):
        listed(bob, Key="User", Value="ada")
