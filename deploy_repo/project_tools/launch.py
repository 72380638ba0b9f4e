"""A project whose launch, update or deletion failed: SageMaker's word, Service Catalog's, and the stack's events."""

from collections.abc import Iterator

from project_tools import stacks
from project_tools.aws import Aws
from project_tools.endings import Ending
from project_tools.findings import Trail
from project_tools.project import Project

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeProject.html
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
            account = found["ProjectArn"].split(":")[4]
            _record(aws, trail, provisioned)
            # https://docs.aws.amazon.com/servicecatalog/latest/adminguide/troubleshooting.html
            stacks.follow(aws, trail, f"SC-{account}-{provisioned}")
        for provider in found.get("TemplateProviderDetails", []):
            stack = provider.get("CfnTemplateProviderDetail", {}).get("StackDetail", {})
            trail.says(stack.get("StatusMessage", ""))
            if stack.get("Id"):
                stacks.follow(aws, trail, stack["Id"])
        return trail

    at = found.get("LastModifiedTime") or found["CreationTime"]
    yield Ending(f"the {kind} of the project", at, current=True, since="", explain=explain)


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
