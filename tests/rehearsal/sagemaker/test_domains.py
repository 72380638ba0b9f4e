"""A Studio domain is found, told about, and tagged."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.sagemaker.domains import Domains
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.servicecatalog.catalog_lab import Lab

ROLE = "arn:aws:iam::123456789012:role/Studio"


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([ServiceCatalog, Domains])


def create(sagemaker: Any, name: str, **more: Any) -> Any:
    settings = {"ExecutionRole": ROLE}
    return sagemaker.create_domain(DomainName=name, AuthMode="IAM", DefaultUserSettings=settings, **more)


def test_a_domain_is_listed_described_and_tagged(cloud: Cloud) -> None:
    sagemaker = cloud.client("sagemaker", cloud.identity.root)

    made = create(sagemaker, "studio", Tags=[{"Key": "team", "Value": "ml"}])

    [listed] = sagemaker.list_domains()["Domains"]
    assert (listed["DomainId"], listed["DomainName"]) == (made["DomainId"], "studio")
    described = sagemaker.describe_domain(DomainId=made["DomainId"])
    assert (described["Status"], described["DefaultUserSettings"]["ExecutionRole"]) == ("InService", ROLE)
    sagemaker.add_tags(ResourceArn=made["DomainArn"], Tags=[{"Key": "sagemaker:x", "Value": "s3://b/"}])
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=made["DomainArn"])["Tags"]}
    assert tags == {"team": "ml", "sagemaker:x": "s3://b/"}


def test_a_name_is_used_once_and_what_is_not_there_or_not_played_is_said_so(cloud: Cloud) -> None:
    sagemaker = cloud.client("sagemaker", cloud.identity.root)
    create(sagemaker, "twice")
    with pytest.raises(ClientError, match=r"ResourceInUse.*twice already exists"):
        create(sagemaker, "twice")
    with pytest.raises(ClientError, match=r"d-nowhere does not exist"):
        sagemaker.describe_domain(DomainId="d-nowhere")
    with pytest.raises(ClientError, match=r"KmsKeyId of CreateDomain"):
        create(sagemaker, "encrypted", KmsKeyId="key")


def test_who_may_not_pass_the_role_creates_no_domain(cloud: Cloud) -> None:
    poor = Lab(cloud).role("poor", ["sagemaker:CreateDomain"])
    sagemaker = cloud.client("sagemaker", cloud.identity.session_of(poor, "eve"))
    with pytest.raises(ClientError, match=f"not authorized to perform: iam:PassRole on resource: {ROLE}"):
        create(sagemaker, "theirs")


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Duplicate tag keys found: a"),
        ([{"Key": "aws:x", "Value": "1"}], "Tag key aws:x begins with aws:, which is reserved"),
        ([{"Key": "AWS:x", "Value": "1"}], "Tag key AWS:x begins with aws:, which is reserved"),
    ],
)
def test_tags_are_unique_and_none_of_awss_own(cloud: Cloud, tags: list[dict[str, str]], words: str) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{words}"):
        create(cloud.client("sagemaker", cloud.identity.root), "tagged", Tags=tags)
