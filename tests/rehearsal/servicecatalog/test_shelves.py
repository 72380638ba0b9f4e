"""What the administrator puts on the shelves stays there as it was put."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import BUCKET, TOPIC, Lab


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    return Lab(start_cloud([ServiceCatalog])).set()


def versions(lab: Lab, product: str) -> list[str]:
    found = lab.catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]
    return [each["Name"] for each in found]


def add_version(lab: Lab, product: str, name: str) -> str:
    made = lab.catalog.create_provisioning_artifact(
        ProductId=product, Parameters={"Name": name, "Info": {"LoadTemplateFromURL": lab.template(TOPIC)}}
    )
    identifier: str = made["ProvisioningArtifactDetail"]["Id"]
    return identifier


def test_a_new_version_joins_the_old_ones(lab: Lab) -> None:
    product, _ = lab.product()
    add_version(lab, product, "v2")
    assert versions(lab, product) == ["v1", "v2"]


def test_the_last_version_of_a_product_stays(lab: Lab) -> None:
    product, first = lab.product()
    second = add_version(lab, product, "v2")
    lab.catalog.delete_provisioning_artifact(ProductId=product, ProvisioningArtifactId=first)
    assert versions(lab, product) == ["v2"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.catalog.delete_provisioning_artifact(ProductId=product, ProvisioningArtifactId=second)
    assert versions(lab, product) == ["v2"]


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (f"https://{BUCKET}.s3.us-east-1.amazonaws.com/nothing-here", "cannot be read"),
        ("Resources: [", "Template validation error"),
    ],
)
def test_a_template_that_cannot_be_used_makes_no_product(lab: Lab, template: str, complaint: str) -> None:
    url = template if template.startswith("https:") else lab.template(template)
    with pytest.raises(ClientError, match=complaint):
        lab.catalog.create_product(
            Name="unreadable",
            Owner="platform",
            ProductType="CLOUD_FORMATION_TEMPLATE",
            ProvisioningArtifactParameters={"Info": {"LoadTemplateFromURL": url}},
        )
    with pytest.raises(ClientError, match="not found"):
        lab.catalog.describe_product_as_admin(Name="unreadable")


def test_a_template_is_read_as_whoever_adds_it(lab: Lab) -> None:
    with pytest.raises(ClientError, match=r"cannot be read.*s3:GetObject"):
        lab.client("servicecatalog", lab.person()).create_product(
            Name="forbidden",
            Owner="platform",
            ProductType="CLOUD_FORMATION_TEMPLATE",
            ProvisioningArtifactParameters={"Info": {"LoadTemplateFromURL": lab.template(TOPIC)}},
        )


def test_tags_are_replaced_and_removed_by_key(lab: Lab) -> None:
    def as_dict(answer: Any) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}

    product, _ = lab.product()
    portfolio = lab.portfolio(product, None)
    for update, identifier in ((lab.catalog.update_product, product), (lab.catalog.update_portfolio, portfolio)):
        update(Id=identifier, AddTags=[{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}])
        found = update(Id=identifier, AddTags=[{"Key": "team", "Value": "b"}], RemoveTags=["cost"])
        assert as_dict(found) == {"team": "b"}


def test_what_is_in_use_is_not_deleted(lab: Lab) -> None:
    product, _ = lab.product()
    portfolio = lab.portfolio(product, None)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.catalog.delete_product(Id=product)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.catalog.delete_portfolio(Id=portfolio)
    lab.catalog.disassociate_product_from_portfolio(ProductId=product, PortfolioId=portfolio)
    lab.catalog.delete_product(Id=product)
    lab.catalog.delete_portfolio(Id=portfolio)
    with pytest.raises(ClientError, match="not found"):
        lab.catalog.describe_portfolio(Id=portfolio)


def test_a_product_has_one_launch_constraint_in_a_portfolio(lab: Lab) -> None:
    product, _ = lab.product()
    portfolio = lab.portfolio(product, None)
    wanted = {"PortfolioId": portfolio, "ProductId": product, "Type": "LAUNCH"}
    role = json.dumps({"LocalRoleName": "launcher"})
    made = lab.catalog.create_constraint(**wanted, Parameters=role)
    assert json.loads(made["ConstraintParameters"]) == {"LocalRoleName": "launcher"}
    with pytest.raises(ClientError, match="DuplicateResourceException"):
        lab.catalog.create_constraint(**wanted, Parameters=role)
    lab.catalog.delete_constraint(Id=made["ConstraintDetail"]["ConstraintId"])
    assert lab.catalog.list_constraints_for_portfolio(PortfolioId=portfolio)["ConstraintDetails"] == []


def test_the_same_token_makes_one_portfolio(lab: Lab) -> None:
    def made(token: str, name: str = "Tokens") -> str:
        answer = lab.catalog.create_portfolio(DisplayName=name, ProviderName="ml", IdempotencyToken=token)
        identifier: str = answer["PortfolioDetail"]["Id"]
        return identifier

    assert made("first") == made("first") != made("second")
    with pytest.raises(ClientError, match=r"InvalidParametersException.*used for a request with other parameters"):
        made("first", "Another")


def test_portfolios_come_in_pages(lab: Lab) -> None:
    for name in ("one", "two", "three"):
        lab.catalog.create_portfolio(DisplayName=name, ProviderName="ml")
    whole = [each["Id"] for each in lab.catalog.list_portfolios()["PortfolioDetails"]]

    pages = list(lab.catalog.get_paginator("list_portfolios").paginate(PaginationConfig={"PageSize": 2}))

    assert [len(page["PortfolioDetails"]) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert [each["Id"] for page in pages for each in page["PortfolioDetails"]] == whole
    with pytest.raises(ClientError, match=r"InvalidParametersException.*Invalid pagination token"):
        lab.catalog.list_portfolios(PageToken="made-up")
