"""What a person is offered: the products they may launch, and through which portfolio."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, in_pages
from rehearsal.cloud.servicecatalog.constraints import Constraints
from rehearsal.cloud.servicecatalog.portfolios import Portfolios
from rehearsal.cloud.servicecatalog.products import Products
from rehearsal.cloud.servicecatalog.records import Artifact, Portfolio, Product


def on_product(action: str) -> Callable[[Offers, Document], list[Call]]:
    """Asked for on the product that a request names."""

    def needs(service: Offers, request: Document) -> list[Call]:
        identifier = request.get("ProductId") or request.get("Id") or "*"
        return [Call(f"servicecatalog:{action}", service.catalog_arn("product", identifier))]

    return needs


def plain(action: str) -> Callable[[Offers, Document], list[Call]]:
    """Asked for on no resource: provisioned products have none in IAM."""
    return lambda service, request: [Call(f"servicecatalog:{action}")]


class Offers(Products, Portfolios, Constraints):
    """Looking around before a launch."""

    name = "servicecatalog"

    @operation("SearchProducts", needs=plain("SearchProducts"))
    @in_pages("ProductViewSummaries")
    def search_products(self, request: Document, caller: Credentials) -> Document:
        if request.get("Filters"):
            raise NotImplementedHere("filters of SearchProducts")
        visible = [each for each in self.products.values() if self.portfolios_open_to(caller, each.id)]
        return {"ProductViewSummaries": [self.product_summary(each) for each in visible], "ProductViewAggregations": {}}

    @operation("DescribeProduct", needs=on_product("DescribeProduct"))
    def describe_product(self, request: Document, caller: Credentials) -> Document:
        found = self.product_of(request)
        paths = self.portfolios_open_to(caller, found.id)
        if not paths:
            raise AwsError("ResourceNotFoundException", f"Product {found.id} not found.")
        return {
            "ProductViewSummary": self.product_summary(found),
            "ProvisioningArtifacts": [
                {
                    "Id": a.id,
                    "Name": a.name,
                    "Description": a.description,
                    "CreatedTime": a.created,
                    "Guidance": "DEFAULT",
                }
                for a in found.artifacts.values()
                if a.active
            ],
            "LaunchPaths": [{"Id": self.path(portfolio), "Name": portfolio.name} for portfolio in paths],
        }

    @operation("ListLaunchPaths", needs=on_product("ListLaunchPaths"))
    @in_pages("LaunchPathSummaries")
    def list_launch_paths(self, request: Document, caller: Credentials) -> Document:
        paths = self.portfolios_open_to(caller, self.product(request["ProductId"]).id)
        return {
            "LaunchPathSummaries": [
                {
                    "Id": self.path(each),
                    "Name": each.name,
                    "ConstraintSummaries": [{"Type": "LAUNCH"}],
                    "Tags": each.tags,
                }
                for each in paths
            ]
        }

    @operation("DescribeProvisioningParameters", needs=on_product("DescribeProvisioningParameters"))
    def describe_provisioning_parameters(self, request: Document, caller: Credentials) -> Document:
        """What a launch of a version, or an update to it, may be given. Only what needs no further constraint is told.

        https://docs.aws.amazon.com/servicecatalog/latest/dg/API_DescribeProvisioningParameters.html
        """
        named = {"Id": request["ProductId"]} if "ProductId" in request else {"Name": request["ProductName"]}
        product = self.product_of(named)
        artifact = self.artifact_of(product, request)
        self.chosen_path(product, request, caller)
        own = self.cloud.client("cloudformation", self.cloud.identity.root)
        parameters = own.get_template_summary(TemplateURL=artifact.template_url)["Parameters"]
        return {
            "ProvisioningArtifactParameters": [
                {
                    "ParameterKey": each["ParameterKey"],
                    "ParameterType": each["ParameterType"],
                    "IsNoEcho": each.get("NoEcho", False),
                    **({"DefaultValue": each["DefaultValue"]} if "DefaultValue" in each else {}),
                    **({"Description": each["Description"]} if each.get("Description") else {}),
                }
                for each in parameters
            ],
            "ConstraintSummaries": [{"Type": "LAUNCH"}],
        }

    @staticmethod
    def artifact_of(product: Product, request: Document) -> Artifact:
        """The version of a product that a request names. Raises AwsError for none."""
        wanted = request.get("ProvisioningArtifactId") or request.get("ProvisioningArtifactName")
        for artifact in product.artifacts.values():
            if wanted in (artifact.id, artifact.name):
                return artifact
        raise AwsError("ResourceNotFoundException", f"Provisioning artifact {wanted} of {product.id} not found.")

    @staticmethod
    def path(portfolio: Portfolio) -> str:
        return f"lpv3-{portfolio.id.removeprefix('port-')}"

    def chosen_path(self, product: Product, request: Document, caller: Credentials) -> Portfolio:
        """The portfolio through which a request reaches a product. Raises AwsError for none, or for several."""
        paths = self.portfolios_open_to(caller, product.id)
        if not paths:
            raise AwsError("ResourceNotFoundException", f"No launch paths found for resource: {product.id}")
        wanted = request.get("PathId")
        chosen = [each for each in paths if wanted in (None, self.path(each))]
        if not chosen or (wanted is None and len(paths) > 1):
            raise AwsError(INVALID, "A PathId is needed: the product has several launch paths.")
        return chosen[0]
