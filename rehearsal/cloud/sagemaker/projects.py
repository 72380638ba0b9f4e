"""SageMaker projects: what Studio launches, a Service Catalog product with a name."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.tags import Tags, creating, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

POLL_SECONDS = 0.05
ID_CHARACTERS = string.ascii_lowercase + string.digits


@dataclass
class Project:
    """One project. `provisioned` is the provisioned product behind it."""

    name: str
    id: str
    arn: str
    description: str
    details: Document
    creator: str
    created: datetime
    status: str = "Pending"
    provisioned: str = ""
    message: str = ""

    @property
    def modified(self) -> datetime:
        return self.created


def _on_project(action: str) -> Needs:
    def needs(service: Projects, request: Document) -> list[Call]:
        arn = service.project_arn(request["ProjectName"])
        if action == "CreateProject":
            return creating(action, arn, request)
        return [Call(f"sagemaker:{action}", arn, service.resource_tags(arn))]

    return needs


class Projects(Tags):
    """CreateProject, DescribeProject, ListProjects, DeleteProject."""

    name = "sagemaker"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.projects: dict[str, Project] = {}
        self._projects_lock = threading.Lock()

    def project_arn(self, name: str) -> str:
        """SageMaker lower-cases names in ARNs."""
        return self.arn(f"project/{name.lower()}")

    @operation("CreateProject", needs=_on_project("CreateProject"))
    def create_project(self, request: Document, caller: Credentials) -> Document:
        """Provisions the product as the caller, who therefore needs `servicecatalog:ProvisionProduct` too.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProject.html
        """
        if "TemplateProviders" in request:
            raise NotImplementedHere("CreateProject from an S3 template (TemplateProviders)")
        details = request.get("ServiceCatalogProvisioningDetails")
        if not details:
            raise AwsError("ValidationException", "ServiceCatalogProvisioningDetails is required.")
        name = request["ProjectName"]
        with self._projects_lock:
            if name.lower() in (each.lower() for each in self.projects):
                raise AwsError("ValidationException", f"Project {name} already exists.")
            identifier = "p-" + "".join(secrets.choice(ID_CHARACTERS) for _ in range(12))
            project = Project(
                name,
                identifier,
                self.project_arn(name),
                request.get("ProjectDescription", ""),
                details,
                caller.principal_arn,
                self.cloud.clock.now(),
            )
            parameters = [
                {"Key": each["Key"], "Value": each.get("Value", "")}
                for each in details.get("ProvisioningParameters", [])
            ]
            parameters += [
                {"Key": "SageMakerProjectName", "Value": name},
                {"Key": "SageMakerProjectId", "Value": identifier},
            ]
            launch = {
                "ProductId": details["ProductId"],
                "ProvisioningArtifactId": details.get("ProvisioningArtifactId"),
                "PathId": details.get("PathId"),
                "ProvisionedProductName": f"{name}-{identifier}",
                "ProvisioningParameters": parameters,
                "ProvisionToken": secrets.token_hex(16),
            }
            record = self.cloud.call(
                caller, "servicecatalog", "ProvisionProduct", {k: v for k, v in launch.items() if v is not None}
            )["RecordDetail"]
            project.status, project.provisioned = "CreateInProgress", record["ProvisionedProductId"]
            self.projects[name] = project
            self.tags[project.arn] = tag_map(request.get("Tags"))
        self.cloud.background(
            f"project {name}", self._follow, project, record["RecordId"], "CreateCompleted", "CreateFailed"
        )
        return {"ProjectArn": project.arn, "ProjectId": identifier}

    @operation("DeleteProject", needs=_on_project("DeleteProject"))
    def delete_project(self, request: Document, caller: Credentials) -> Document:
        project = self._project(request["ProjectName"])
        # The API's documentation names ConflictException and no wording; that a deleted project is not deleted again
        # is not verified. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteProject.html
        if project.status.endswith("InProgress"):
            raise AwsError("ConflictException", f"Project {project.name} cannot be deleted: it is {project.status}.")
        if project.status == "DeleteCompleted":
            raise AwsError("ValidationException", f"Project {project.name} has been deleted already.")
        record = self.cloud.call(
            caller,
            "servicecatalog",
            "TerminateProvisionedProduct",
            {"ProvisionedProductId": project.provisioned, "TerminateToken": secrets.token_hex(16)},
        )["RecordDetail"]
        project.status = "DeleteInProgress"
        self.cloud.background(
            f"project {project.name}",
            self._follow,
            project,
            record["RecordId"],
            "DeleteCompleted",
            "DeleteFailed",
        )
        return {}

    def _follow(self, project: Project, record_id: str, good: str, bad: str) -> None:
        """SageMaker itself watches the record; the caller needs no right for that."""
        while not self.cloud.stopping.wait(POLL_SECONDS):
            record = self.cloud.call(self.cloud.identity.root, "servicecatalog", "DescribeRecord", {"Id": record_id})
            detail = record["RecordDetail"]
            if detail["Status"] == "SUCCEEDED":
                project.status, project.message = good, ""
                return
            if detail["Status"] == "FAILED":
                project.message = "; ".join(error["Description"] for error in detail["RecordErrors"])
                project.status = bad
                return

    @operation("DescribeProject", needs=_on_project("DescribeProject"))
    def describe_project(self, request: Document, caller: Credentials) -> Document:
        project = self._project(request["ProjectName"])
        return {
            "ProjectArn": project.arn,
            "ProjectName": project.name,
            "ProjectId": project.id,
            "ProjectDescription": project.description or None,
            "ServiceCatalogProvisioningDetails": project.details,
            "ServiceCatalogProvisionedProductDetails": {
                "ProvisionedProductId": project.provisioned,
                "ProvisionedProductStatusMessage": project.message[:2000] or None,
            },
            "ProjectStatus": project.status,
            "CreatedBy": {"IamIdentity": {"Arn": project.creator}},
            "CreationTime": project.created,
        }

    @operation("ListProjects", needs=lambda s, r: [Call("sagemaker:ListProjects")])
    def list_projects(self, request: Document, caller: Credentials) -> Document:
        """Oldest first unless asked otherwise.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListProjects.html
        """
        found, token = listing(self.projects.values(), request, order="Ascending")
        summaries = [
            {
                "ProjectName": each.name,
                "ProjectDescription": each.description or None,
                "ProjectArn": each.arn,
                "ProjectId": each.id,
                "CreationTime": each.created,
                "ProjectStatus": each.status,
            }
            for each in found
        ]
        return page("ProjectSummaryList", summaries, token)

    def _project(self, name: str) -> Project:
        project = self.projects.get(name)
        if project is None:
            raise AwsError("ResourceNotFound", f"Project {name} does not exist.")
        return project
