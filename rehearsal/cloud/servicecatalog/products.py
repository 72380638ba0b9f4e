"""Products and their versions."""

from __future__ import annotations

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.s3_urls import s3_location
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, Catalog, in_pages, on_catalog
from rehearsal.cloud.servicecatalog.records import Artifact, Product, merged_tags, new_id


class Products(Catalog):
    """Products, each a list of templates under one name."""

    name = "servicecatalog"

    @operation("CreateProduct", needs=on_catalog("CreateProduct"))
    @once("IdempotencyToken", INVALID)
    def create_product(self, request: Document, caller: Credentials) -> Document:
        if request["ProductType"] != "CLOUD_FORMATION_TEMPLATE":
            raise NotImplementedHere(f"a Service Catalog product of type {request['ProductType']}")
        if "SourceConnection" in request:
            raise NotImplementedHere("a Service Catalog product synchronised from a repository (SourceConnection)")
        made = Product(
            new_id("prod"),
            request["Name"],
            request["Owner"],
            request.get("Description", ""),
            request.get("Tags", []),
            self.cloud.clock.timestamp(),
        )
        artifact = self._artifact(request["ProvisioningArtifactParameters"], caller)
        made.artifacts[artifact.id] = artifact
        with self.lock:
            self.products[made.id] = made
        return {
            "ProductViewDetail": self._product_detail(made),
            "ProvisioningArtifactDetail": self._artifact_detail(artifact),
            "Tags": made.tags,
        }

    @operation("CreateProvisioningArtifact", needs=on_catalog("CreateProvisioningArtifact"))
    @once("IdempotencyToken", INVALID)
    def create_provisioning_artifact(self, request: Document, caller: Credentials) -> Document:
        artifact = self._artifact(request["Parameters"], caller)
        with self.lock:
            self.product(request["ProductId"]).artifacts[artifact.id] = artifact
        return {
            "ProvisioningArtifactDetail": self._artifact_detail(artifact),
            "Info": {"TemplateUrl": request["Parameters"]["Info"]["LoadTemplateFromURL"]},
            "Status": "AVAILABLE",
        }

    @operation("DeleteProvisioningArtifact", needs=on_catalog("DeleteProvisioningArtifact"))
    def delete_provisioning_artifact(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            artifacts = self.product(request["ProductId"]).artifacts
            if request["ProvisioningArtifactId"] not in artifacts:
                raise AwsError("ResourceNotFoundException", f"{request['ProvisioningArtifactId']} not found.")
            if len(artifacts) == 1:
                raise AwsError("ResourceInUseException", "The last provisioning artifact of a product stays.")
            del artifacts[request["ProvisioningArtifactId"]]
        return {}

    @operation(
        "UpdateProduct", needs=lambda s, r: [Call("servicecatalog:UpdateProduct", s.catalog_arn("product", r["Id"]))]
    )
    def update_product(self, request: Document, caller: Credentials) -> Document:
        if "SourceConnection" in request:
            raise NotImplementedHere("a Service Catalog product synchronised from a repository (SourceConnection)")
        with self.lock:
            found = self.product(request["Id"])
            found.name = request.get("Name", found.name)
            found.owner = request.get("Owner", found.owner)
            found.description = request.get("Description", found.description)
            found.tags = merged_tags(found.tags, request.get("AddTags", []), request.get("RemoveTags", []))
        return {"ProductViewDetail": self._product_detail(found), "Tags": found.tags}

    @operation(
        "DeleteProduct", needs=lambda s, r: [Call("servicecatalog:DeleteProduct", s.catalog_arn("product", r["Id"]))]
    )
    def delete_product(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = self.product(request["Id"])
            if any(found.id in portfolio.products for portfolio in self.portfolios.values()):
                raise AwsError("ResourceInUseException", f"Product {found.id} is still associated with a portfolio.")
            del self.products[found.id]
        return {}

    @operation(
        "DescribeProductAsAdmin",
        needs=lambda s, r: [Call("servicecatalog:DescribeProductAsAdmin", s.catalog_arn("product", r.get("Id", "*")))],
    )
    def describe_product_as_admin(self, request: Document, caller: Credentials) -> Document:
        found = self.product_of(request)
        return {
            "ProductViewDetail": self._product_detail(found),
            "ProvisioningArtifactSummaries": [
                {"Id": a.id, "Name": a.name, "Description": a.description, "CreatedTime": a.created}
                for a in found.artifacts.values()
            ],
            "Tags": found.tags,
        }

    @operation("ListProvisioningArtifacts", needs=on_catalog("ListProvisioningArtifacts"))
    def list_provisioning_artifacts(self, request: Document, caller: Credentials) -> Document:
        found = self.product(request["ProductId"])
        return {"ProvisioningArtifactDetails": [self._artifact_detail(each) for each in found.artifacts.values()]}

    @operation("SearchProductsAsAdmin", needs=on_catalog("SearchProductsAsAdmin"))
    @in_pages("ProductViewDetails")
    def search_products_as_admin(self, request: Document, caller: Credentials) -> Document:
        if request.get("Filters"):
            raise NotImplementedHere("filters of SearchProductsAsAdmin")
        portfolio = request.get("PortfolioId")
        wanted = self.portfolio(portfolio).products if portfolio else set(self.products)
        return {"ProductViewDetails": [self._product_detail(self.products[each]) for each in sorted(wanted)]}

    def _artifact(self, parameters: Document, caller: Credentials) -> Artifact:
        """A version, its template read as whoever adds it, and looked through as Service Catalog does."""
        if parameters.get("Type", "CLOUD_FORMATION_TEMPLATE") != "CLOUD_FORMATION_TEMPLATE":
            raise NotImplementedHere(f"a provisioning artifact of type {parameters['Type']}")
        url = parameters["Info"].get("LoadTemplateFromURL")
        if not url:
            raise NotImplementedHere("a provisioning artifact that is not given by LoadTemplateFromURL")
        bucket, key = s3_location(url)
        try:
            template = self.cloud.client("s3", caller).get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except Exception as problem:
            raise AwsError(
                "InvalidParametersException", f"The template at {url} cannot be read: {problem}"
            ) from problem
        if not parameters.get("DisableTemplateValidation"):
            self.cloud.resources.check_template(template)
        return Artifact(
            new_id("pa"),
            parameters.get("Name", "v1"),
            parameters.get("Description", ""),
            url,
            template,
            self.cloud.clock.timestamp(),
        )

    def product_summary(self, product: Product) -> Document:
        """A product as people see it."""
        return {
            "Id": f"prodview-{product.id.removeprefix('prod-')}",
            "ProductId": product.id,
            "Name": product.name,
            "Owner": product.owner,
            "ShortDescription": product.description,
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "HasDefaultPath": False,
        }

    def _product_detail(self, product: Product) -> Document:
        return {
            "ProductViewSummary": self.product_summary(product),
            "Status": "AVAILABLE",
            "ProductARN": self.catalog_arn("product", product.id),
            "CreatedTime": product.created,
        }

    @staticmethod
    def _artifact_detail(artifact: Artifact) -> Document:
        return {
            "Id": artifact.id,
            "Name": artifact.name,
            "Description": artifact.description,
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "CreatedTime": artifact.created,
            "Active": artifact.active,
        }
