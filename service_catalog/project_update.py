"""Brings a launched project to another version in place, with the parameters it has.

AWS does not promise that an update keeps parameters which are not given again, and CloudFormation does not keep them;
so each that the new version knows is given again.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateProject.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from service_catalog.errors import PublishError, code_of
from service_catalog.package import Say
from service_catalog.target import Client, Target
from service_catalog.waiting import wait

BY_SAGEMAKER = {"SageMakerProjectName", "SageMakerProjectId"}
HIDDEN = "****"
"""What CloudFormation tells instead of the value of a parameter with NoEcho."""
READY = {"CreateCompleted", "UpdateCompleted", "UpdateFailed"}
_IN_BUCKET = re.compile(r"(?P<before>.*/mlops-project-)(?P<version>[^/]+)(?P<after>\.yaml)")
_PARAMETER = re.compile(r"^  (\w+):", re.MULTILINE)


@dataclass(frozen=True)
class Version:
    """A version to update to: what it is called, and how UpdateProject names it."""

    name: str
    parameters: frozenset[str]
    request: Mapping[str, Any]


class LaunchedProject:
    """A project as SageMaker knows it now. Making one raises PublishError when there is none that can be updated."""

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._sagemaker = target.client("sagemaker")
        self.name = name
        try:
            self._described: dict[str, Any] = self._sagemaker.describe_project(ProjectName=name)
        except ClientError as error:
            if code_of(error) not in {"ResourceNotFound", "ValidationException"}:
                raise
            raise PublishError(
                f"There is no project {name!r} in {target.account}, {target.region}. 'aws sagemaker list-projects' "
                "tells which there are; --region and --profile say where to look."
            ) from error
        self.id = str(self._described["ProjectId"])

    @property
    def status(self) -> str:
        """SageMaker's word for it, such as CreateCompleted."""
        return str(self._described["ProjectStatus"])

    def update(self, version: str, say: Say, poll_seconds: float, timeout_seconds: float = 3600.0) -> bool:
        """Bring it to a version, or to the newest. Returns False when it is there already.

        Raises PublishError for a project that is not ready, a version that is not there, and an update that failed.
        """
        if self.status not in READY:
            raise PublishError(
                f"Project {self.name} is {self.status}, so it cannot be updated. Wait until that is over; a project "
                "whose launch failed is deleted and launched again."
            )
        wanted = self._version(version)
        if wanted is None:
            return False
        before = self._parameters()
        kept = {key: before[key] for key in sorted(before.keys() & wanted.parameters - BY_SAGEMAKER)}
        if hidden := [key for key, value in kept.items() if value == HIDDEN]:
            raise PublishError(
                f"CloudFormation does not tell the value of {', '.join(hidden)}, so it cannot be given again. Update "
                "the project in Studio, and fill it in there."
            )
        for key in sorted(before.keys() - wanted.parameters):
            say(f"WARNING {wanted.name} has no parameter {key}; {before[key]!r} goes")
        for key in sorted(wanted.parameters - before.keys() - BY_SAGEMAKER):
            say(f"{wanted.name} has a new parameter {key}; it takes its default")
        say(f"updating {self.name} to {wanted.name}, with " + ", ".join(f"{k}={v}" for k, v in kept.items()))
        given = [{"Key": key, "Value": value} for key, value in kept.items()]
        self._sagemaker.update_project(ProjectName=self.name, **_with(wanted.request, given))
        self._wait(poll_seconds, timeout_seconds)
        return True

    def version(self) -> str:
        """What the version that it has is called; empty when nobody can tell any more."""
        if "ServiceCatalogProvisioningDetails" in self._described:
            details = self._described["ServiceCatalogProvisioningDetails"]
            known = {each["Id"]: each["Name"] for each in self._published(details["ProductId"])}
            return str(known.get(details["ProvisioningArtifactId"], ""))
        place = _IN_BUCKET.fullmatch(self._provider["TemplateURL"])
        return place["version"] if place else ""

    # ---- what there is to update to

    def _version(self, name: str) -> Version | None:
        """None for the one that the project has."""
        if "ServiceCatalogProvisioningDetails" in self._described:
            return self._of_product(name)
        return self._in_s3(name)

    def _of_product(self, name: str) -> Version | None:
        details, catalog = self._described["ServiceCatalogProvisioningDetails"], self._target.client("servicecatalog")
        product = details["ProductId"]
        versions = self._published(product)
        known = {each["Name"]: each["Id"] for each in versions}
        name = name or str(max(versions, key=lambda each: each["CreatedTime"])["Name"])
        if name not in known:
            raise PublishError(f"Version {name} is not published in this account. There are: {', '.join(known)}.")
        if known[name] == details["ProvisioningArtifactId"] and self.status != "UpdateFailed":
            return None
        asked = {"ProductId": product, "ProvisioningArtifactId": known[name]}
        told = catalog.describe_provisioning_parameters(**asked)["ProvisioningArtifactParameters"]
        request = {"ServiceCatalogProvisioningUpdateDetails": {"ProvisioningArtifactId": known[name]}}
        return Version(name, frozenset(each["ParameterKey"] for each in told), request)

    def _published(self, product: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._target.client("servicecatalog").describe_product(Id=product)[
                "ProvisioningArtifacts"
            ]
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise PublishError(
                f"Service Catalog offers the product of {self.name} to others than {self._target.caller}. Update as "
                "the role that launched it, or as another one that the template is published to (--profile NAME)."
            ) from error
        return found

    def _in_s3(self, name: str) -> Version | None:
        detail = self._provider
        place = _IN_BUCKET.fullmatch(detail["TemplateURL"])
        if place is None or not name:
            raise PublishError(
                f"Project {self.name} was launched from {detail['TemplateURL']}. Say which version it is to have "
                "(VERSION=1.2.0); only templates that 'make publish TARGET=s3' uploaded have versions."
            )
        if place["version"] == name and self.status != "UpdateFailed":
            return None
        url = place["before"] + name + place["after"]
        request = {
            "TemplateProvidersToUpdate": [
                {"CfnTemplateProvider": {"TemplateName": detail["TemplateName"], "TemplateURL": url}}
            ]
        }
        return Version(name, self._declared(url), request)

    def _declared(self, url: str) -> frozenset[str]:
        """The parameters of a template in S3, which is one of ours and so has them two spaces below `Parameters:`."""
        host, _, key = url.removeprefix("https://").partition("/")
        try:
            body = self._target.client("s3").get_object(Bucket=host.partition(".")[0], Key=key)["Body"].read().decode()
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
            raise PublishError(f"{url} is not there: publish that version with 'make publish TARGET=s3'.") from error
        section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", body, re.MULTILINE)
        return frozenset(_PARAMETER.findall(section.group(1)) if section else ())

    # ---- what it has now

    def _parameters(self) -> dict[str, str]:
        described = self._cloudformation.describe_stacks(StackName=self._stack)["Stacks"][0]
        return {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}

    @property
    def _cloudformation(self) -> Client:
        return self._target.client("cloudformation")

    @property
    def _provider(self) -> dict[str, Any]:
        """Of a project that was launched from a template in S3."""
        found: dict[str, Any] = self._described["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
        return found

    @property
    def _stack(self) -> str:
        if "TemplateProviderDetails" in self._described:
            return str(self._provider["StackDetail"]["Name"])
        product = self._described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
        return f"SC-{self._target.account}-{product}"

    # ---- following it

    def _wait(self, poll_seconds: float, timeout_seconds: float) -> None:
        def settled() -> str | None:
            self._described = self._sagemaker.describe_project(ProjectName=self.name)
            return None if self.status.endswith("InProgress") else self.status

        gave_up = PublishError(
            f"The update of {self.name} has taken {timeout_seconds:.0f} s and goes on by itself. Look at its "
            f"stack: aws cloudformation describe-stack-events --stack-name {self._stack}"
        )
        if wait(settled, poll_seconds, timeout_seconds, gave_up) != "UpdateCompleted":
            raise PublishError(
                f"The update of {self.name} ended as {self.status}, and CloudFormation has put back what it had "
                f"changed. The cause: {self._message()}. Mend it, then update once more."
            )

    def _message(self) -> str:
        if "TemplateProviderDetails" in self._described:
            return str(self._provider["StackDetail"]["StatusMessage"])
        details = self._described["ServiceCatalogProvisionedProductDetails"]
        return str(details.get("ProvisionedProductStatusMessage", "not told"))


def _with(request: Mapping[str, Any], given: list[dict[str, str]]) -> dict[str, Any]:
    """A version's request with parameters, where the API wants them."""
    if "TemplateProvidersToUpdate" in request:
        [provider] = request["TemplateProvidersToUpdate"]
        return {
            "TemplateProvidersToUpdate": [
                {"CfnTemplateProvider": {**provider["CfnTemplateProvider"], "Parameters": given}}
            ]
        }
    details = request["ServiceCatalogProvisioningUpdateDetails"]
    return {"ServiceCatalogProvisioningUpdateDetails": {**details, "ProvisioningParameters": given}}
