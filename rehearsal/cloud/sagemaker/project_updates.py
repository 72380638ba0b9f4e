"""UpdateProject: another version of the product, or another template in S3, for a project that is there already."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.projects import Project, Projects, on_project
from rehearsal.cloud.service import Credentials, Document, operation

DONE, FAILED = "UpdateCompleted", "UpdateFailed"


class ProjectUpdates(Projects):
    """Updates of projects."""

    name = "sagemaker"

    @operation("UpdateProject", needs=on_project("UpdateProject"))
    def update_project(self, request: Document, caller: Credentials) -> Document:
        """Updates the product, or the template's stack, as the caller, who therefore needs rights for it.

        Parameters that are not given fall back to the template's defaults, as in an update of a stack: the API's
        reference does not say that they are kept. SageMaker gives the project's name and id itself. What is not
        verified either: that a project without a new version of its product named takes the newest one the caller sees.
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateProject.html
        """
        if request.get("Tags"):
            raise NotImplementedHere("Tags of UpdateProject, which need a tag update constraint")
        details, providers = (
            request.get("ServiceCatalogProvisioningUpdateDetails"),
            request.get("TemplateProvidersToUpdate"),
        )
        if details is not None and providers:
            raise AwsError(
                "ValidationException",
                "Only one of ServiceCatalogProvisioningUpdateDetails and TemplateProvidersToUpdate can be given.",
            )
        with self.projects_lock:
            project = self.project(request["ProjectName"])
            if project.status.endswith("InProgress"):
                raise AwsError(
                    "ConflictException", f"Project {project.name} cannot be updated: it is {project.status}."
                )
            if project.status == "DeleteCompleted":
                raise AwsError("ValidationException", f"Project {project.name} has been deleted.")
            follow: Callable[[], object] | None = None
            if details is not None:
                follow = self._update_product(project, details, caller)
            elif providers:
                follow = self._update_stack(project, providers, caller)
            project.description = request.get("ProjectDescription", project.description)
            project.updated, project.updater = self.cloud.clock.now(), caller.principal_arn
            if follow:
                project.status = "UpdateInProgress"
        if follow:
            follow()
        return {"ProjectArn": project.arn}

    def _update_product(self, project: Project, details: Document, caller: Credentials) -> Callable[[], object]:
        """Begin to update the product; answers what follows it."""
        if project.details is None:
            raise AwsError(
                "ValidationException", f"Project {project.name} was not made from a Service Catalog product."
            )
        product = project.details["ProductId"]
        artifact = details.get("ProvisioningArtifactId") or self._newest(product, caller)
        update = {
            "ProvisionedProductId": project.provisioned,
            "ProductId": product,
            "ProvisioningArtifactId": artifact,
            "ProvisioningParameters": self.parameters(project, details.get("ProvisioningParameters", [])),
            "UpdateToken": secrets.token_hex(16),
        }
        if project.details.get("PathId"):
            update["PathId"] = project.details["PathId"]
        record = self.cloud.call(caller, "servicecatalog", "UpdateProvisionedProduct", update)["RecordDetail"]
        given = (
            {"ProvisioningParameters": details["ProvisioningParameters"]} if "ProvisioningParameters" in details else {}
        )
        kept = {key: value for key, value in project.details.items() if key != "ProvisioningParameters"}
        new = {**kept, "ProvisioningArtifactId": artifact, **given}
        return lambda: self.in_background(project, self.follow, record["RecordId"], DONE, FAILED, new)

    def _newest(self, product: str, caller: Credentials) -> str:
        versions = self.cloud.call(caller, "servicecatalog", "DescribeProduct", {"Id": product})[
            "ProvisioningArtifacts"
        ]
        return str(max(versions, key=lambda each: each["CreatedTime"])["Id"])

    def _update_stack(self, project: Project, providers: list[Document], caller: Credentials) -> Callable[[], object]:
        """Prepare the update of the template's stack; answers what begins it."""
        wanted = providers[0].get("CfnTemplateProvider")
        if wanted is None:
            raise AwsError("ValidationException", "A template provider needs a CfnTemplateProvider.")
        if project.stack is None or project.template is None:
            raise AwsError("ValidationException", f"Project {project.name} was not made from a template in S3.")
        if wanted["TemplateName"] != project.template["TemplateName"]:
            raise AwsError("ValidationException", f"Project {project.name} has no template {wanted['TemplateName']}.")
        stack, theirs = project.stack, self.cloud.client("cloudformation", caller)
        given = self.parameters(project, wanted.get("Parameters", []))
        kept = {key: value for key, value in project.template.items() if key != "Parameters"}
        return lambda: self.in_background(
            project,
            self.carry_out,
            lambda: stack.update(theirs, wanted["TemplateURL"], given),
            DONE,
            FAILED,
            {**kept, **wanted},
        )
