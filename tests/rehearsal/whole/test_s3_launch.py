"""One template, two publishers: what is launched from S3 is what Service Catalog launches."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.people import STUDIO_ROLE
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.watch import StoryError
from tests.rehearsal.whole.company import Company
from tests.waiting import until

LOCATION = "sagemaker:projectS3TemplatesLocation"


@pytest.fixture(scope="module")
def domain(company: Company) -> str:
    """The ARN of the company's Studio domain."""
    root = company.cloud.client("sagemaker", company.cloud.identity.root)
    settings = {"ExecutionRole": f"arn:aws:iam::{company.cloud.account}:role/{STUDIO_ROLE}"}
    return str(root.create_domain(DomainName="studio", AuthMode="IAM", DefaultUserSettings=settings)["DomainArn"])


def what_studio_shows(company: Company, domain: str) -> list[str]:
    """The addresses of the templates that Studio shows the data scientist: it goes by tags, with their rights."""
    tags = company.cloud.client("sagemaker", company.cloud.identity.root).list_tags(ResourceArn=domain)["Tags"]
    location = next(tag["Value"] for tag in tags if tag["Key"] == LOCATION)
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    s3, found = company.scientist.client("s3"), []
    for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        tagged = s3.get_object_tagging(Bucket=bucket, Key=each["Key"])["TagSet"]
        if {"Key": "sagemaker:studio-visibility", "Value": "true"} in tagged:
            found.append(f"https://{bucket}.s3.{company.cloud.region}.amazonaws.com/{each['Key']}")
    return found


def launch_from_s3(company: Company, name: str, url: str) -> Any:
    sagemaker = company.scientist.client("sagemaker")
    role = f"arn:aws:iam::{company.cloud.account}:role/MLOpsProjectLaunchRole"
    provider = {"TemplateName": "mlops-project", "TemplateURL": url, "RoleARN": role}
    sagemaker.create_project(ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": provider}])
    return ended(company, name)


def ended(company: Company, name: str, what: str = "Create") -> Any:
    """The project once its creation, or its deletion, has ended, well or badly."""
    sagemaker = company.scientist.client("sagemaker")

    def project() -> Any:
        found = sagemaker.describe_project(ProjectName=name)
        return found if found["ProjectStatus"] in (f"{what}Completed", f"{what}Failed") else None

    return until(project)


def preflight(company: Company) -> list[str]:
    """What the platform engineer is told, of S3 only. That quotas are not played ends it with another status."""
    verb = (sys.executable, "-m", "service_catalog", "preflight", "--target", "s3")
    with pytest.raises(StoryError, match="failed with 2") as told:
        company.engineer.run(*verb, folder=REPOSITORY_ROOT)
    lines = str(told.value).splitlines()
    assert sum(line.startswith("ok") for line in lines) > 10
    return lines


def resources(company: Company, stack: str) -> dict[str, str]:
    pages = company.engineer.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: each["ResourceType"] for page in pages for each in page["StackResourceSummaries"]
    }


def test_a_launch_from_s3_makes_the_very_stack_that_service_catalog_makes_and_goes_with_its_project(
    company: Company, domain: str
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):  # until it is published there
        launch_from_s3(company, "too-early", "https://b.s3.us-east-1.amazonaws.com/t.yaml")

    both = ("-m", "service_catalog", "publish", "--target", "both")
    company.engineer.run(sys.executable, *both, folder=REPOSITORY_ROOT)

    assert [line for line in preflight(company) if line.startswith("FIX")] == []

    [url] = what_studio_shows(company, domain)
    in_s3 = launch_from_s3(company, "from-s3", url)
    assert in_s3["ProjectStatus"] == "CreateCompleted", in_s3
    product = company.launch("from-catalog")
    assert product["ProjectStatus"] == "CreateCompleted", product
    stack = in_s3["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]["Name"]
    assert stack.startswith("SP-")
    provisioned = product["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    made = resources(company, stack)
    assert made == resources(company, f"SC-{company.cloud.account}-{provisioned}")
    assert len(made) > 20
    templates = [
        company.engineer.client("cloudformation").get_template(StackName=each)["TemplateBody"]
        for each in (stack, f"SC-{company.cloud.account}-{provisioned}")
    ]
    assert templates[0] == templates[1]

    company.scientist.client("sagemaker").delete_project(ProjectName="from-s3")

    assert ended(company, "from-s3", "Delete")["ProjectStatus"] == "DeleteCompleted"
