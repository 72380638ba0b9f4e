"""What was launched is updated in place, as the role that the administrator chose, or stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.service import Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import (
    RENAMED_TOPIC_AND_QUEUE,
    TOPICS,
    TWO_TOPICS,
    Lab,
    Offer,
)

RED = [{"Key": "Colour", "Value": "red"}]


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    return Lab(start_cloud([ServiceCatalog])).set()


@pytest.fixture(scope="module")
def ada(lab: Lab) -> Credentials:
    return lab.person()


@pytest.fixture
def offer(lab: Lab, ada: Credentials) -> Offer:
    return lab.offer(to=ada, role=lab.role("launcher", TOPICS))


@pytest.fixture
def launched(lab: Lab, ada: Credentials, offer: Offer) -> Any:
    """The record of a launch in red."""
    record = lab.finished(lab.launch(ada, offer, ProvisioningParameters=RED))
    assert record["Status"] == "SUCCEEDED", record
    return record


def update(lab: Lab, who: Credentials, launched: Any, **more: Any) -> Any:
    identifier = launched["ProvisionedProductId"]
    return lab.client("servicecatalog", who).update_provisioned_product(ProvisionedProductId=identifier, **more)[
        "RecordDetail"
    ]


def detail(lab: Lab, launched: Any) -> Any:
    return lab.catalog.describe_provisioned_product(Id=launched["ProvisionedProductId"])["ProvisionedProductDetail"]


def stack(lab: Lab, launched: Any) -> str:
    return f"SC-{lab.cloud.account}-{launched['ProvisionedProductId']}"


def test_another_version_changes_the_stack_in_place(lab: Lab, ada: Credentials, offer: Offer, launched: Any) -> None:
    topic, newer = launched["Outputs"]["Topic"], lab.version(offer, TWO_TOPICS)

    record = lab.finished(
        update(
            lab,
            ada,
            launched,
            ProvisioningArtifactId=newer,
            ProvisioningParameters=[{"Key": "Colour", "UsePreviousValue": True}],
        )
    )

    assert (record["Status"], record["RecordType"]) == ("SUCCEEDED", "UPDATE_PROVISIONED_PRODUCT")
    assert (record["ProvisioningArtifactId"], record["Outputs"]["Topic"]) == (newer, topic)
    assert lab.topics(stack(lab, launched)) == {"News": "red", "More": "more"}
    found = detail(lab, launched)
    assert (found["Status"], found["ProvisioningArtifactId"]) == ("AVAILABLE", newer)


def test_a_parameter_that_is_not_given_again_falls_back_to_its_default(
    lab: Lab, ada: Credentials, offer: Offer, launched: Any
) -> None:
    newer = lab.version(offer, TWO_TOPICS)
    assert lab.finished(update(lab, ada, launched, ProvisioningArtifactId=newer))["Status"] == "SUCCEEDED"
    assert lab.topics(stack(lab, launched)) == {"News": "blue", "More": "more"}


def test_an_update_that_fails_half_way_leaves_what_was_there_and_says_why(
    lab: Lab, ada: Credentials, offer: Offer, launched: Any
) -> None:
    failing = lab.version(offer, RENAMED_TOPIC_AND_QUEUE)

    record = lab.finished(update(lab, ada, launched, ProvisioningArtifactId=failing, ProvisioningParameters=RED))

    assert record["Status"] == "FAILED"
    assert record["RecordErrors"][0]["Description"].startswith("Second (AWS::SQS::Queue): ")
    assert lab.topics(stack(lab, launched)) == {"News": "red"}
    found = detail(lab, launched)
    assert (found["Status"], found["ProvisioningArtifactId"]) == ("TAINTED", offer.artifact)

    newer = lab.version(offer, TWO_TOPICS)
    assert lab.finished(update(lab, ada, launched, ProvisioningArtifactId=newer))["Status"] == "SUCCEEDED"
    assert detail(lab, launched)["Status"] == "AVAILABLE"


def test_the_cause_of_a_failure_is_the_newest_operations_own(
    lab: Lab, ada: Credentials, offer: Offer, launched: Any
) -> None:
    first = lab.version(offer, RENAMED_TOPIC_AND_QUEUE)
    second = lab.version(offer, RENAMED_TOPIC_AND_QUEUE.replace("Second", "Third"))
    said = [
        lab.finished(update(lab, ada, launched, ProvisioningArtifactId=each))["RecordErrors"][0]["Description"]
        for each in (first, second)
    ]
    assert [each.partition(" ")[0] for each in said] == ["Second", "Third"]


def test_an_update_acts_as_the_role_of_the_constraint_whoever_asks(
    lab: Lab, ada: Credentials, offer: Offer, launched: Any
) -> None:
    [constraint] = lab.catalog.list_constraints_for_portfolio(PortfolioId=offer.portfolio)["ConstraintDetails"]
    poor = lab.role("poor", [each for each in TOPICS if each != "cloudformation:UpdateStack"])
    lab.catalog.update_constraint(Id=constraint["ConstraintId"], Parameters=f'{{"RoleArn": "{poor}"}}')
    record = lab.finished(update(lab, ada, launched, ProvisioningArtifactId=lab.version(offer, TWO_TOPICS)))
    assert "cloudformation:UpdateStack" in record["RecordErrors"][0]["Description"]
    assert record["LaunchRoleArn"] == poor


def test_an_update_that_changes_nothing_fails_as_cloudformation_does(lab: Lab, ada: Credentials, launched: Any) -> None:
    record = lab.finished(update(lab, ada, launched, ProvisioningParameters=RED))
    assert (record["Status"], record["RecordErrors"][0]["Description"]) == ("FAILED", "No updates are to be performed.")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"ProvisioningArtifactId": "pa-none"}, "pa-none of .* not found"),
        ({"ProvisioningParameters": [{"Key": "Colour", "Value": "red", "UsePreviousValue": True}]}, "Cannot specify"),
        ({"PathId": "lpv3-none"}, "A PathId is needed"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags of UpdateProvisionedProduct"),
        ({"ProductName": "another"}, "to another product"),
    ],
)
def test_what_cannot_be_updated_is_refused_at_once(
    lab: Lab, ada: Credentials, launched: Any, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(ClientError, match=why):
        update(lab, ada, launched, **more)
    assert detail(lab, launched)["Status"] == "AVAILABLE"


def test_who_may_update_only_their_own_updates_nobody_elses(lab: Lab, ada: Credentials, launched: Any) -> None:
    own = [
        {
            "Effect": "Allow",
            "Action": "servicecatalog:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"servicecatalog:userLevel": "self"}},
        }
    ]
    other = lab.limited_person(own)
    with pytest.raises(ClientError, match="AccessDenied"):
        update(lab, other, launched)
