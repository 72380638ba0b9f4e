"""AWS::ServiceCatalog::* in stacks."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Call

SERVICE = "servicecatalog"


def _given(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    """The named properties that the template sets."""
    return {name: properties[name] for name in names if name in properties}


def _tag_changes(request: ResourceRequest) -> dict[str, Any]:
    before = {tag["Key"]: tag["Value"] for tag in request.previous_properties.get("Tags", [])}
    after = {tag["Key"]: tag["Value"] for tag in request.properties.get("Tags", [])}
    changes: dict[str, Any] = {}
    if added := [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]:
        changes["AddTags"] = added
    if removed := sorted(before.keys() - after.keys()):
        changes["RemoveTags"] = removed
    return changes


class Portfolio(ResourceProvider):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-servicecatalog-portfolio.html"""

    type_name = "AWS::ServiceCatalog::Portfolio"

    def create(self, request: ResourceRequest) -> Resource:
        given = _given(request.properties, "DisplayName", "ProviderName", "Description", "Tags", "AcceptLanguage")
        token = request.generated_name(60)
        made = self.call(request, SERVICE, "CreatePortfolio", {**given, "IdempotencyToken": token})
        return self._resource(made)

    def update(self, request: ResourceRequest) -> Resource:
        given = _given(request.properties, "DisplayName", "ProviderName", "Description", "AcceptLanguage")
        changes = {"Id": request.physical_id, **given, **_tag_changes(request)}
        return self._resource(self.call(request, SERVICE, "UpdatePortfolio", changes))

    def delete(self, request: ResourceRequest) -> None:
        self.call(request, SERVICE, "DeletePortfolio", {"Id": request.physical_id})

    @staticmethod
    def _resource(answer: dict[str, Any]) -> Resource:
        detail = answer["PortfolioDetail"]
        return Resource(detail["Id"], {"Id": detail["Id"], "PortfolioName": detail["DisplayName"]})


class CloudFormationProduct(ResourceProvider):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-servicecatalog-cloudformationproduct.html"""

    type_name = "AWS::ServiceCatalog::CloudFormationProduct"

    def create(self, request: ResourceRequest) -> Resource:
        first, *others = request.properties["ProvisioningArtifactParameters"]
        given = _given(
            request.properties, "Name", "Owner", "Description", "Distributor", "SupportDescription", "SupportEmail",
            "SupportUrl", "Tags", "SourceConnection", "AcceptLanguage",
        )  # fmt: skip
        made = self.call(
            request,
            SERVICE,
            "CreateProduct",
            {
                **given,
                "ProductType": request.properties.get("ProductType", "CLOUD_FORMATION_TEMPLATE"),
                "ProvisioningArtifactParameters": self._artifact(first),
                "IdempotencyToken": request.generated_name(60),
            },
        )
        product = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
        for each in others:
            self._add(request, product, each)
        return self._resource(request, product)

    def update(self, request: ResourceRequest) -> Resource:
        product = request.physical_id
        given = _given(request.properties, "Name", "Owner", "Description", "Distributor", "AcceptLanguage")
        self.call(request, SERVICE, "UpdateProduct", {"Id": product, **given, **_tag_changes(request)})
        before = request.previous_properties["ProvisioningArtifactParameters"]
        after = request.properties["ProvisioningArtifactParameters"]
        for each in after:
            if each not in before:
                self._add(request, product, each)
        gone = {each.get("Name") for each in before if each not in after}
        replace = str(request.properties.get("ReplaceProvisioningArtifacts", "false")).lower() == "true"
        if gone or replace:
            listed = self.call(request, SERVICE, "ListProvisioningArtifacts", {"ProductId": product})
            kept = {each.get("Name") for each in after}
            for artifact in listed["ProvisioningArtifactDetails"]:
                if artifact["Name"] in gone - kept:
                    which = {"ProductId": product, "ProvisioningArtifactId": artifact["Id"]}
                    self.call(request, SERVICE, "DeleteProvisioningArtifact", which)
        return self._resource(request, product)

    def delete(self, request: ResourceRequest) -> None:
        self.call(request, SERVICE, "DeleteProduct", {"Id": request.physical_id})

    @staticmethod
    def _artifact(properties: dict[str, Any]) -> dict[str, Any]:
        given = _given(properties, "Name", "Description", "Info", "Type")
        if "DisableTemplateValidation" in properties:
            given["DisableTemplateValidation"] = str(properties["DisableTemplateValidation"]).lower() == "true"
        return given

    def _add(self, request: ResourceRequest, product: str, properties: dict[str, Any]) -> None:
        arguments = {
            "ProductId": product,
            "Parameters": self._artifact(properties),
            "IdempotencyToken": request.generated_name(60),
        }
        self.call(request, SERVICE, "CreateProvisioningArtifact", arguments)

    def _resource(self, request: ResourceRequest, product: str) -> Resource:
        listed = self.call(request, SERVICE, "ListProvisioningArtifacts", {"ProductId": product})
        artifacts = listed["ProvisioningArtifactDetails"]
        return Resource(
            product,
            {
                "ProductName": request.properties["Name"],
                "ProvisioningArtifactIds": ",".join(each["Id"] for each in artifacts),
                "ProvisioningArtifactNames": ",".join(each["Name"] for each in artifacts),
            },
        )


class PortfolioProductAssociation(ResourceProvider):
    type_name = "AWS::ServiceCatalog::PortfolioProductAssociation"

    def create(self, request: ResourceRequest) -> Resource:
        which = _given(request.properties, "PortfolioId", "ProductId", "SourcePortfolioId")
        self.call(request, SERVICE, "AssociateProductWithPortfolio", which)
        return Resource(f"{which['PortfolioId']}|{which['ProductId']}")

    def delete(self, request: ResourceRequest) -> None:
        which = _given(request.properties, "PortfolioId", "ProductId")
        self.call(request, SERVICE, "DisassociateProductFromPortfolio", which)


class PortfolioPrincipalAssociation(ResourceProvider):
    type_name = "AWS::ServiceCatalog::PortfolioPrincipalAssociation"

    def create(self, request: ResourceRequest) -> Resource:
        which = _given(request.properties, "PortfolioId", "PrincipalARN", "PrincipalType")
        self.call(request, SERVICE, "AssociatePrincipalWithPortfolio", which)
        return Resource(f"{which['PortfolioId']}|{which['PrincipalARN']}")

    def delete(self, request: ResourceRequest) -> None:
        which = _given(request.properties, "PortfolioId", "PrincipalARN", "PrincipalType")
        self.call(request, SERVICE, "DisassociatePrincipalFromPortfolio", which)


class LaunchRoleConstraint(ResourceProvider):
    type_name = "AWS::ServiceCatalog::LaunchRoleConstraint"

    def create(self, request: ResourceRequest) -> Resource:
        arguments = {
            **_given(request.properties, "PortfolioId", "ProductId", "Description"),
            "Type": "LAUNCH",
            "Parameters": self._parameters(request),
            "IdempotencyToken": request.generated_name(60),
        }
        role = request.properties.get("RoleArn")
        if role:
            self._pass(request, role)
        made = self.call(request, SERVICE, "CreateConstraint", arguments)
        return Resource(made["ConstraintDetail"]["ConstraintId"])

    def update(self, request: ResourceRequest) -> Resource:
        changes = {
            "Id": request.physical_id,
            **_given(request.properties, "Description"),
            "Parameters": self._parameters(request),
        }
        self.call(request, SERVICE, "UpdateConstraint", changes)
        return Resource(request.physical_id)

    def delete(self, request: ResourceRequest) -> None:
        self.call(request, SERVICE, "DeleteConstraint", {"Id": request.physical_id})

    @staticmethod
    def _parameters(request: ResourceRequest) -> str:
        return json.dumps(_given(request.properties, "RoleArn", "LocalRoleName"))

    def _pass(self, request: ResourceRequest, role: str) -> None:
        """Whoever names a launch role hands it to Service Catalog.

        https://docs.aws.amazon.com/servicecatalog/latest/adminguide/constraints-launch.html
        """
        passed = Call("iam:PassRole", role, {"iam:PassedToService": "servicecatalog.amazonaws.com"})
        self.cloud.identity.require(request.actor, [Call("iam:GetRole", role), passed])


SERVICECATALOG_TYPES: tuple[type[ResourceProvider], ...] = (
    Portfolio,
    CloudFormationProduct,
    PortfolioProductAssociation,
    PortfolioPrincipalAssociation,
    LaunchRoleConstraint,
)
