"""A project whose launch, update or deletion failed: SageMaker's word, Service Catalog's, and the stack's events."""

from collections.abc import Iterator
from typing import Any

from project_tools import stacks
from project_tools.aws import Aws
from project_tools.endings import Ending
from project_tools.findings import Trail
from project_tools.project import Project

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeProject.html
BOUNDARY_PARAMETER = "PermissionsBoundaryArn"
OWN_BOUNDARY = "MLOpsProjectBoundary"
FAILED = {"CreateFailed": "launch", "UpdateFailed": "update", "DeleteFailed": "deletion"}


def endings(aws: Aws, project: Project) -> Iterator[Ending]:
    """The failure of the project itself, if its last change failed."""
    found = aws.ask("sagemaker", "DescribeProject", ProjectName=project.name)
    if found is None or found["ProjectId"] != project.id or found["ProjectStatus"] not in FAILED:
        return
    kind = FAILED[found["ProjectStatus"]]
    details = found.get("ServiceCatalogProvisionedProductDetails", {})

    def explain() -> Trail:
        trail = Trail()
        trail.at("project", f"{project.name} ({project.id}), {found['ProjectStatus']}")
        trail.says(details.get("ProvisionedProductStatusMessage", ""))
        provisioned = details.get("ProvisionedProductId", "")
        if provisioned:
            _record(aws, trail, provisioned)
        for stack in _of_providers(found):
            trail.says(stack.get("StatusMessage", ""))
        for name in _stacks(found):
            stacks.follow(aws, trail, name)
        return trail

    at = found.get("LastModifiedTime") or found["CreationTime"]
    yield Ending(f"the {kind} of the project", at, current=True, since="", explain=explain)


def boundary(aws: Aws, project: Project) -> str:
    """The permissions boundary that the project's roles carry; empty where that cannot be read."""
    found = aws.ask("sagemaker", "DescribeProject", ProjectName=project.name) or {}
    for name in _stacks(found):
        described = aws.ask("cloudformation", "DescribeStacks", StackName=name) or {"Stacks": []}
        for stack in described["Stacks"]:
            chosen = {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])}
            return chosen.get(BOUNDARY_PARAMETER) or OWN_BOUNDARY
    return ""


def _stacks(found: dict[str, Any]) -> Iterator[str]:
    """Names or ids of the project's stacks: one of them, as it was launched from Service Catalog or from S3."""
    provisioned = found.get("ServiceCatalogProvisionedProductDetails", {}).get("ProvisionedProductId", "")
    if provisioned:
        # https://docs.aws.amazon.com/servicecatalog/latest/adminguide/troubleshooting.html
        yield f"SC-{found['ProjectArn'].split(':')[4]}-{provisioned}"
    yield from (stack["Id"] for stack in _of_providers(found) if stack.get("Id"))


def _of_providers(found: dict[str, Any]) -> list[dict[str, Any]]:
    providers = found.get("TemplateProviderDetails", [])
    return [each.get("CfnTemplateProviderDetail", {}).get("StackDetail", {}) for each in providers]


def _record(aws: Aws, trail: Trail, provisioned: str) -> None:
    """What Service Catalog noted; nothing for a product that is somebody else's."""
    described = aws.ask("servicecatalog", "DescribeProvisionedProduct", Id=provisioned) or {}
    record = described.get("ProvisionedProductDetail", {}).get("LastRecordId", "")
    if not record:
        return
    detail = (aws.ask("servicecatalog", "DescribeRecord", Id=record) or {}).get("RecordDetail", {})
    trail.at("record", f"{record} of Service Catalog, {detail.get('Status', '')}")
    for error in detail.get("RecordErrors", []):
        trail.says(f"{error.get('Code', '')}: {error.get('Description', '')}")
