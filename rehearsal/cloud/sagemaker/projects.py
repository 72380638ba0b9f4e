"""SageMaker projects: what Studio launches, a Service Catalog product or a template in S3 with a name."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.tags import Tags, creating, tag_map
from rehearsal.cloud.sagemaker.template_stack import LONGEST_MESSAGE, TemplateStack, provider_calls
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

POLL_SECONDS = 0.05
ID_CHARACTERS = string.ascii_lowercase + string.digits


@dataclass
class Project:
    """One project. Behind it is a product, `provisioned`, or a template in S3: `template`, and its `stack`."""

    name: str
    id: str
    arn: str
    description: str
    creator: str
    created: datetime
    status: str = "Pending"
    details: Document | None = None
    provisioned: str = ""
    template: Document | None = None
    stack: TemplateStack | None = None
    message: str = ""

    updated: datetime | None = None
    updater: str = ""

    @property
    def modified(self) -> datetime:
        return self.updated or self.created


def on_project(action: str) -> Needs:
    """Asked for on the project that a request names, with what its templates need."""

    def needs(service: Projects, request: Document) -> list[Call]:
        arn = service.project_arn(request["ProjectName"])
        if action == "CreateProject":
            return [*creating(action, arn, request), *provider_calls(request)]
        return [Call(f"sagemaker:{action}", arn, service.resource_tags(arn))]

    return needs


class Projects(Tags):
    """CreateProject, DescribeProject, ListProjects, DeleteProject."""

    name = "sagemaker"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.projects: dict[str, Project] = {}
        self.projects_lock = threading.Lock()

    def project_arn(self, name: str) -> str:
        """SageMaker lower-cases names in ARNs."""
        return self.arn(f"project/{name.lower()}")

    @operation("CreateProject", needs=on_project("CreateProject"))
    def create_project(self, request: Document, caller: Credentials) -> Document:
        """Provisions the product, or makes the template's stack, as the caller, who therefore needs rights for it.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProject.html
        """
        details, providers = request.get("ServiceCatalogProvisioningDetails"), request.get("TemplateProviders")
        if bool(details) == bool(providers):
            raise AwsError(
                "ValidationException",
                "Exactly one of ServiceCatalogProvisioningDetails and TemplateProviders is required.",
            )
        template = providers[0].get("CfnTemplateProvider") if providers else None
        if providers and not template:
            raise AwsError("ValidationException", "A template provider needs a CfnTemplateProvider.")
        name = request["ProjectName"]
        with self.projects_lock:
            if name.lower() in (each.lower() for each in self.projects):
                raise AwsError("ValidationException", f"Project {name} already exists.")
            project = Project(
                name,
                "p-" + "".join(secrets.choice(ID_CHARACTERS) for _ in range(12)),
                self.project_arn(name),
                request.get("ProjectDescription", ""),
                caller.principal_arn,
                self.cloud.clock.now(),
                details=details,
                template=template,
            )
            follow = self._make_stack(project, caller) if template else self._provision(project, caller)
            project.status = "CreateInProgress"
            self.projects[name] = project
            self.tags[project.arn] = tag_map(request.get("Tags"))
        follow()
        return {"ProjectArn": project.arn, "ProjectId": project.id}

    def _provision(self, project: Project, caller: Credentials) -> Callable[[], object]:
        """Provision the product; answers what follows it."""
        details = project.details or {}
        launch = {
            "ProductId": details["ProductId"],
            "ProvisioningArtifactId": details.get("ProvisioningArtifactId"),
            "PathId": details.get("PathId"),
            "ProvisionedProductName": f"{project.name}-{project.id}",
            "ProvisioningParameters": self.parameters(project, details.get("ProvisioningParameters", [])),
            "ProvisionToken": secrets.token_hex(16),
        }
        record = self.cloud.call(
            caller, "servicecatalog", "ProvisionProduct", {k: v for k, v in launch.items() if v is not None}
        )["RecordDetail"]
        project.provisioned = record["ProvisionedProductId"]
        return lambda: self.in_background(project, self.follow, record["RecordId"], "CreateCompleted", "CreateFailed")

    def _make_stack(self, project: Project, caller: Credentials) -> Callable[[], object]:
        """Prepare the template's stack; answers what makes it."""
        template = project.template or {}
        own = self.cloud.client("cloudformation", self.cloud.identity.root)
        stack = TemplateStack(
            f"SP-{self.cloud.account}-{project.id}",
            own,
            self.cloud.stopping,
            acknowledge_roles=self.cloud.settings.acknowledge_roles,
        )
        project.stack, project.message = stack, "The stack is about to be created."
        given = self.parameters(project, template.get("Parameters", []))
        theirs = self.cloud.client("cloudformation", caller)
        return lambda: self.in_background(
            project,
            self.carry_out,
            lambda: stack.create(theirs, template, given),
            "CreateCompleted",
            "CreateFailed",
        )

    @staticmethod
    def parameters(project: Project, given: list[Document]) -> list[Document]:
        """Those that were given, and the two that SageMaker adds.

        https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
        """
        parameters = [{"Key": each["Key"], "Value": each.get("Value", "")} for each in given]
        parameters.append({"Key": "SageMakerProjectName", "Value": project.name})
        parameters.append({"Key": "SageMakerProjectId", "Value": project.id})
        return parameters

    def in_background(self, project: Project, work: Callable[..., None], *arguments: object) -> None:
        """Go on with a project's stack after the request is answered."""
        self.cloud.background(f"project {project.name}", work, project, *arguments)

    def carry_out(
        self, project: Project, work: Callable[[], str], good: str, bad: str, new: Document | None = None
    ) -> None:
        """Do something to the project's stack. When it went well, `new` is what the project is made from."""
        try:
            project.message = work()
            project.template = new or project.template
            project.status = good
        except AwsError as problem:
            project.message, project.status = problem.message[:LONGEST_MESSAGE], bad

    @operation("DeleteProject", needs=on_project("DeleteProject"))
    def delete_project(self, request: Document, caller: Credentials) -> Document:
        project = self.project(request["ProjectName"])
        # The API's documentation names ConflictException and no wording; that a deleted project is not deleted again
        # is not verified. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteProject.html
        if project.status.endswith("InProgress"):
            raise AwsError("ConflictException", f"Project {project.name} cannot be deleted: it is {project.status}.")
        if project.status == "DeleteCompleted":
            raise AwsError("ValidationException", f"Project {project.name} has been deleted already.")
        if project.stack is not None:
            stack, theirs = project.stack, self.cloud.client("cloudformation", caller)
            project.status = "DeleteInProgress"
            self.in_background(project, self.carry_out, lambda: stack.delete(theirs), "DeleteCompleted", "DeleteFailed")
            return {}
        record = self.cloud.call(
            caller,
            "servicecatalog",
            "TerminateProvisionedProduct",
            {"ProvisionedProductId": project.provisioned, "TerminateToken": secrets.token_hex(16)},
        )["RecordDetail"]
        project.status = "DeleteInProgress"
        self.in_background(project, self.follow, record["RecordId"], "DeleteCompleted", "DeleteFailed")
        return {}

    def follow(self, project: Project, record_id: str, good: str, bad: str, new: Document | None = None) -> None:
        """SageMaker itself watches the record; the caller needs no right for that.

        When it went well, `new` is what the project is made from.
        """
        while not self.cloud.stopping.wait(POLL_SECONDS):
            record = self.cloud.call(self.cloud.identity.root, "servicecatalog", "DescribeRecord", {"Id": record_id})
            detail = record["RecordDetail"]
            if detail["Status"] == "SUCCEEDED":
                project.details = new or project.details
                project.status, project.message = good, ""
                return
            if detail["Status"] == "FAILED":
                project.message = "; ".join(error["Description"] for error in detail["RecordErrors"])
                project.status = bad
                return

    @operation("DescribeProject", needs=on_project("DescribeProject"))
    def describe_project(self, request: Document, caller: Credentials) -> Document:
        project = self.project(request["ProjectName"])
        return {
            "ProjectArn": project.arn,
            "ProjectName": project.name,
            "ProjectId": project.id,
            "ProjectDescription": project.description or None,
            **self._behind(project),
            "ProjectStatus": project.status,
            "CreatedBy": {"IamIdentity": {"Arn": project.creator}},
            "CreationTime": project.created,
            "LastModifiedTime": project.updated,
            "LastModifiedBy": {"IamIdentity": {"Arn": project.updater}} if project.updated else None,
        }

    @staticmethod
    def _behind(project: Project) -> Document:
        """What a description tells of the product or the template that a project was made from."""
        if project.stack is not None:
            stack = {"Name": project.stack.name, "Id": project.stack.id or None, "StatusMessage": project.message}
            detail = {**(project.template or {}), "StackDetail": stack}
            return {"TemplateProviderDetails": [{"CfnTemplateProviderDetail": detail}]}
        return {
            "ServiceCatalogProvisioningDetails": project.details,
            "ServiceCatalogProvisionedProductDetails": {
                "ProvisionedProductId": project.provisioned,
                "ProvisionedProductStatusMessage": project.message[:2000] or None,
            },
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

    def project(self, name: str) -> Project:
        """Raises AwsError for no such project."""
        project = self.projects.get(name)
        if project is None:
            raise AwsError("ResourceNotFound", f"Project {name} does not exist.")
        return project
