"""What publishing left in an account and region, who still lives from it, and what has to stay."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from service_catalog.bucket_removal import Contents, contents
from service_catalog.catalog import STACK, Catalog, read_catalog
from service_catalog.errors import code_of
from service_catalog.publish import ACCOUNT_STACK, LAUNCH_ROLE, ROLES_STACK
from service_catalog.s3_templates import S3Templates
from service_catalog.seed_bucket import SeedBucket
from service_catalog.stacks import Stacks
from service_catalog.target import Client, Target

PROJECT_PATH = "/sagemaker-projects/"
"""Where every role of a launched project stands (`cloudformation/project.yaml`)."""
PROJECT_TAG = "sagemaker:project-name"
_PRODUCT = "AWS::ServiceCatalog::CloudFormationProduct"
_PORTFOLIO = "AWS::ServiceCatalog::Portfolio"
_GONE = {"DeleteCompleted"}


@dataclass(frozen=True)
class Holdings:
    """Everything, as it was found. `living` are projects that stop a teardown; `kept` is what it leaves, and why."""

    stacks: dict[str, tuple[str, ...]]
    product: str
    portfolio: str
    versions: tuple[str, ...]
    principals: tuple[str, ...]
    bucket: str
    contents: Contents | None
    domains: tuple[str, ...]
    """Studio domains that show the templates in the bucket."""
    living: tuple[str, ...]
    kept: tuple[str, ...]
    account_setup_stays: str
    """Why the account's set-up has to stay; empty when it may go."""

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to remove."""
        removable = set(self.stacks) - ({ACCOUNT_STACK, ROLES_STACK} if self.account_setup_stays else set())
        return not removable and self.contents is None and not self.domains

    def lines(self) -> Iterator[str]:
        """The list, as people read it."""
        for name, resources in self.stacks.items():
            yield f"stack {name}"
            yield from (f"  {each}" for each in resources)
        if self.product:
            yield f"product {self.product}: {len(self.versions)} versions ({', '.join(self.versions)})"
        if self.portfolio:
            yield f"portfolio {self.portfolio}, open to {', '.join(self.principals) or 'nobody'}"
        if self.contents is not None:
            yield f"bucket s3://{self.bucket}: {self.contents}"
        yield from (f"tag of {arn}, which shows the bucket's templates in Studio" for arn in self.domains)


def look(target: Target) -> Holdings:
    """Look around in the account and region; nothing is changed."""
    seed_bucket = SeedBucket(target)
    bucket = seed_bucket.name
    cloudformation = target.client("cloudformation")
    resources = {
        name: found for name in (STACK, ROLES_STACK, ACCOUNT_STACK) if (found := _resources(cloudformation, name))
    }
    product = _physical(resources.get(STACK, []), _PRODUCT)
    portfolio = _physical(resources.get(STACK, []), _PORTFOLIO)
    catalog = target.client("servicecatalog")
    return Holdings(
        stacks={name: tuple(_described(each) for each in found) for name, found in resources.items()},
        product=product,
        portfolio=portfolio,
        versions=_versions(catalog, product) if product else (),
        principals=_principals(catalog, portfolio) if portfolio else (),
        bucket=bucket,
        contents=contents(target.client("s3"), bucket, target.account),
        domains=tuple(S3Templates(target, seed_bucket).shown_by()),
        living=tuple(_living(target, product, bucket)),
        kept=tuple(_kept_by_projects(target)),
        account_setup_stays=_who_needs_the_account_setup(
            target,
            bucket,
            set_up_here=ACCOUNT_STACK in resources,
            made_ahead={each.get("PhysicalResourceId", "") for each in resources.get(ROLES_STACK, [])},
        ),
    )


def added_by_hand(holdings: Holdings, stacks: Stacks) -> tuple[str, ...]:
    """Principals of the portfolio that its stack does not know of, and so would not take away."""
    known: Catalog = read_catalog(stacks.template(STACK))
    return tuple(arn for arn in holdings.principals if arn not in known.principals)


def _resources(cloudformation: Client, stack: str) -> list[dict[str, Any]]:
    """The stack's resources; a stack without any answers for itself, one that is not there with nothing."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if found["StackStatus"] == "DELETE_COMPLETE":
            return []
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        listed = [each for page in pages for each in page["StackResourceSummaries"]]
    except ClientError as error:
        if code_of(error) == "ValidationError":
            return []
        raise
    standing = [each for each in listed if each["ResourceStatus"] != "DELETE_COMPLETE"]
    return standing or [{"ResourceType": f"nothing, in {found['StackStatus']}"}]


def _described(resource: dict[str, Any]) -> str:
    return " ".join(filter(None, [resource["ResourceType"], resource.get("PhysicalResourceId", "")]))


def _physical(resources: list[dict[str, Any]], kind: str) -> str:
    return next((each.get("PhysicalResourceId", "") for each in resources if each["ResourceType"] == kind), "")


def _versions(catalog: Client, product: str) -> tuple[str, ...]:
    found = catalog.describe_product_as_admin(Id=product)["ProvisioningArtifactSummaries"]
    return tuple(each["Name"] for each in found)


def _principals(catalog: Client, portfolio: str) -> tuple[str, ...]:
    pages = catalog.get_paginator("list_principals_for_portfolio").paginate(PortfolioId=portfolio)
    return tuple(each["PrincipalARN"] for page in pages for each in page["Principals"])


def _living(target: Target, product: str, bucket: str) -> Iterator[str]:
    """Projects made from the product or from a template in the bucket, launches that failed included."""
    named = set()
    sagemaker = target.client("sagemaker")
    for page in sagemaker.get_paginator("list_projects").paginate():
        for each in page["ProjectSummaryList"]:
            if each["ProjectStatus"] in _GONE:
                continue
            described = sagemaker.describe_project(ProjectName=each["ProjectName"])
            if product in _origins(described) or any(bucket in origin for origin in _origins(described)):
                details = described.get("ServiceCatalogProvisionedProductDetails", {})
                named.add(details.get("ProvisionedProductId", ""))
                yield f"project {each['ProjectName']} ({each['ProjectId']}): {each['ProjectStatus']}"
    if not product:
        return
    # Launched past SageMaker, or forgotten by it. Level Account shows those of everybody:
    # https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ScanProvisionedProducts.html
    everybody = {"Key": "Account", "Value": "self"}
    pages = target.client("servicecatalog").get_paginator("scan_provisioned_products")
    for page in pages.paginate(AccessLevelFilter=everybody):
        for each in page["ProvisionedProducts"]:
            if each["ProductId"] == product and each["Id"] not in named:
                yield f"provisioned product {each['Name']} ({each['Id']}): {each['Status']}"


def _origins(project: dict[str, Any]) -> list[str]:
    """The product id or the addresses of templates that a project was made from."""
    product = project.get("ServiceCatalogProvisioningDetails", {}).get("ProductId", "")
    providers = project.get("TemplateProviderDetails", [])
    urls = [each.get("CfnTemplateProviderDetail", {}).get("TemplateURL", "") for each in providers]
    return [each for each in (product, *urls) if each]


def _kept_by_projects(target: Target) -> Iterator[str]:
    """What projects have kept on purpose: repositories, buckets, model versions, logs. Not this program's to delete."""
    pages = target.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": PROJECT_TAG}]):
        for each in page["ResourceTagMappingList"]:
            name = next(tag["Value"] for tag in each["Tags"] if tag["Key"] == PROJECT_TAG)
            yield f"{each['ResourceARN']} (of project {name})"


def _who_needs_the_account_setup(target: Target, bucket: str, *, set_up_here: bool, made_ahead: set[str]) -> str:
    """Roles and the boundary belong to all regions: another region's catalog and projects need them, too."""
    iam = target.client("iam")
    if not set_up_here:
        try:
            iam.get_role(RoleName=LAUNCH_ROLE)
        except ClientError as error:
            if code_of(error) == "NoSuchEntity":
                return ""
            raise
        return f"the account was not set up from {target.region}"
    mine = bucket.removesuffix(target.region)
    listed = target.client("s3").list_buckets()["Buckets"]
    elsewhere = sorted(each["Name"] for each in listed if each["Name"].startswith(mine) and each["Name"] != bucket)
    if elsewhere:
        return f"the template is published in {', '.join(each.removeprefix(mine) for each in elsewhere)} too"
    pages = iam.get_paginator("list_roles").paginate(PathPrefix=PROJECT_PATH)
    others = sorted({role["RoleName"] for page in pages for role in page["Roles"]} - made_ahead)
    roles = [each for each in others if _bounded(iam, each)]
    if roles:
        return f"{len(roles)} roles of projects live within its boundary or one that it allows, {roles[0]} among them"
    return ""


def _bounded(iam: Client, role: str) -> bool:
    """Whether a role stands within the account set-up's boundary, or is a project's within one that it allows.

    Listing roles does not tell. https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
    """
    found = iam.get_role(RoleName=role)["Role"]
    boundary = found.get("PermissionsBoundary")
    of_project = PROJECT_TAG in {tag["Key"] for tag in found.get("Tags", [])}
    return "MLOpsProjectBoundary" in json.dumps(boundary) or bool(boundary and of_project)
