"""The administrator's half: portfolios, products and their versions, launch constraints, access."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.s3_urls import s3_location
from rehearsal.cloud.service import Call, Credentials, Document, Needs, Service, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


@dataclass
class Artifact:
    """A version of a product (Service Catalog calls it a provisioning artifact)."""

    id: str
    name: str
    description: str
    template_url: str
    template: str
    created: float
    active: bool = True


@dataclass
class Product:
    id: str
    name: str
    owner: str
    description: str
    tags: list[Document]
    created: float
    artifacts: dict[str, Artifact] = field(default_factory=dict)


@dataclass
class Portfolio:
    id: str
    name: str
    provider: str
    description: str
    tags: list[Document]
    created: float
    products: set[str] = field(default_factory=set)
    principals: dict[str, str] = field(default_factory=dict)
    """Who may launch from it: ARN or pattern, and whether it is one (`IAM`, `IAM_PATTERN`)."""


@dataclass
class Constraint:
    id: str
    type: str
    portfolio_id: str
    product_id: str
    description: str
    parameters: str


def _id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(7)[:13]}"


def _everything(action: str) -> Needs:
    """Catalog administration is authorised on `*` but for portfolios and products, which have ARNs.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsservicecatalog.html
    """

    def needs(service: Catalog, request: Document) -> list[Call]:
        call = f"servicecatalog:{action}"
        if request.get("PortfolioId") or (action.endswith("Portfolio") and request.get("Id")):
            return [Call(call, service.catalog_arn("portfolio", request.get("PortfolioId") or request["Id"]))]
        if request.get("ProductId"):
            return [Call(call, service.catalog_arn("product", request["ProductId"]))]
        return [Call(call)]

    return needs


class Catalog(Service):
    """Portfolios and products."""

    name = "servicecatalog"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.portfolios: dict[str, Portfolio] = {}
        self.products: dict[str, Product] = {}
        self.constraints: dict[str, Constraint] = {}
        self.lock = threading.RLock()

    def catalog_arn(self, kind: str, identifier: str) -> str:
        """Portfolio and product ARNs name the service `catalog`."""
        return f"arn:aws:catalog:{self.cloud.region}:{self.cloud.account}:{kind}/{identifier}"

    def portfolio(self, identifier: str) -> Portfolio:
        """Raises AwsError for no such portfolio."""
        if identifier not in self.portfolios:
            raise AwsError("ResourceNotFoundException", f"Portfolio {identifier} not found.")
        return self.portfolios[identifier]

    def product(self, identifier: str) -> Product:
        """Raises AwsError for no such product."""
        if identifier not in self.products:
            raise AwsError("ResourceNotFoundException", f"Product {identifier} not found.")
        return self.products[identifier]

    # ---- portfolios

    @operation("CreatePortfolio", needs=_everything("CreatePortfolio"))
    def create_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            made = Portfolio(
                _id("port"),
                request["DisplayName"],
                request["ProviderName"],
                request.get("Description", ""),
                request.get("Tags", []),
                self.cloud.clock.timestamp(),
            )
            self.portfolios[made.id] = made
        return {"PortfolioDetail": self._portfolio_detail(made), "Tags": made.tags}

    @operation("UpdatePortfolio", needs=_everything("UpdatePortfolio"))
    def update_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = self.portfolio(request["Id"])
            found.name = request.get("DisplayName", found.name)
            found.provider = request.get("ProviderName", found.provider)
            found.description = request.get("Description", found.description)
            removed = set(request.get("RemoveTags", []))
            added = request.get("AddTags", [])
            kept = [t for t in found.tags if t["Key"] not in removed | {tag["Key"] for tag in added}]
            found.tags = kept + added
        return {"PortfolioDetail": self._portfolio_detail(found), "Tags": found.tags}

    @operation("DescribePortfolio", needs=_everything("DescribePortfolio"))
    def describe_portfolio(self, request: Document, caller: Credentials) -> Document:
        found = self.portfolio(request["Id"])
        return {"PortfolioDetail": self._portfolio_detail(found), "Tags": found.tags}

    @operation("ListPortfolios", needs=_everything("ListPortfolios"))
    def list_portfolios(self, request: Document, caller: Credentials) -> Document:
        return {"PortfolioDetails": [self._portfolio_detail(each) for each in self.portfolios.values()]}

    @operation("DeletePortfolio", needs=_everything("DeletePortfolio"))
    def delete_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = self.portfolio(request["Id"])
            if found.products or found.principals:
                raise AwsError("ResourceInUseException", f"Portfolio {found.id} still has products or principals.")
            del self.portfolios[found.id]
        return {}

    def _portfolio_detail(self, portfolio: Portfolio) -> Document:
        return {
            "Id": portfolio.id,
            "ARN": self.catalog_arn("portfolio", portfolio.id),
            "DisplayName": portfolio.name,
            "Description": portfolio.description,
            "CreatedTime": portfolio.created,
            "ProviderName": portfolio.provider,
        }

    # ---- products

    @operation("CreateProduct", needs=_everything("CreateProduct"))
    def create_product(self, request: Document, caller: Credentials) -> Document:
        if request["ProductType"] != "CLOUD_FORMATION_TEMPLATE":
            raise NotImplementedHere(f"a Service Catalog product of type {request['ProductType']}")
        if "SourceConnection" in request:
            raise NotImplementedHere("a Service Catalog product synchronised from a repository (SourceConnection)")
        made = Product(
            _id("prod"),
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

    @operation("CreateProvisioningArtifact", needs=_everything("CreateProvisioningArtifact"))
    def create_provisioning_artifact(self, request: Document, caller: Credentials) -> Document:
        artifact = self._artifact(request["Parameters"], caller)
        with self.lock:
            self.product(request["ProductId"]).artifacts[artifact.id] = artifact
        return {"ProvisioningArtifactDetail": self._artifact_detail(artifact), "Info": {}, "Status": "AVAILABLE"}

    @operation("DeleteProvisioningArtifact", needs=_everything("DeleteProvisioningArtifact"))
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
            removed = set(request.get("RemoveTags", []))
            added = request.get("AddTags", [])
            kept = [t for t in found.tags if t["Key"] not in removed | {tag["Key"] for tag in added}]
            found.tags = kept + added
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
        found = self._by_id_or_name(request)
        return {
            "ProductViewDetail": self._product_detail(found),
            "ProvisioningArtifactSummaries": [
                {"Id": a.id, "Name": a.name, "Description": a.description, "CreatedTime": a.created}
                for a in found.artifacts.values()
            ],
            "Tags": found.tags,
        }

    @operation("ListProvisioningArtifacts", needs=_everything("ListProvisioningArtifacts"))
    def list_provisioning_artifacts(self, request: Document, caller: Credentials) -> Document:
        found = self.product(request["ProductId"])
        return {"ProvisioningArtifactDetails": [self._artifact_detail(each) for each in found.artifacts.values()]}

    @operation("SearchProductsAsAdmin", needs=_everything("SearchProductsAsAdmin"))
    def search_products_as_admin(self, request: Document, caller: Credentials) -> Document:
        if request.get("Filters"):
            raise NotImplementedHere("filters of SearchProductsAsAdmin")
        portfolio = request.get("PortfolioId")
        wanted = self.portfolio(portfolio).products if portfolio else set(self.products)
        return {"ProductViewDetails": [self._product_detail(self.products[each]) for each in sorted(wanted)]}

    def _by_id_or_name(self, request: Document) -> Product:
        if "Id" in request:
            return self.product(request["Id"])
        for each in self.products.values():
            if each.name == request.get("Name"):
                return each
        raise AwsError("ResourceNotFoundException", f"Product {request.get('Name')} not found.")

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
            _id("pa"),
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

    # ---- associations

    @operation("AssociateProductWithPortfolio", needs=_everything("AssociateProductWithPortfolio"))
    def associate_product_with_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).products.add(self.product(request["ProductId"]).id)
        return {}

    @operation("DisassociateProductFromPortfolio", needs=_everything("DisassociateProductFromPortfolio"))
    def disassociate_product_from_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).products.discard(request["ProductId"])
        return {}

    @operation("AssociatePrincipalWithPortfolio", needs=_everything("AssociatePrincipalWithPortfolio"))
    def associate_principal_with_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            principals = self.portfolio(request["PortfolioId"]).principals
            principals[request["PrincipalARN"]] = request["PrincipalType"]
        return {}

    @operation("DisassociatePrincipalFromPortfolio", needs=_everything("DisassociatePrincipalFromPortfolio"))
    def disassociate_principal_from_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).principals.pop(request["PrincipalARN"], None)
        return {}

    @operation("ListPrincipalsForPortfolio", needs=_everything("ListPrincipalsForPortfolio"))
    def list_principals_for_portfolio(self, request: Document, caller: Credentials) -> Document:
        principals = self.portfolio(request["PortfolioId"]).principals
        return {"Principals": [{"PrincipalARN": arn, "PrincipalType": kind} for arn, kind in principals.items()]}

    def portfolios_open_to(self, caller: Credentials, product_id: str) -> list[Portfolio]:
        """The portfolios through which a caller may launch a product: for a session, its role's ARN counts.

        https://docs.aws.amazon.com/servicecatalog/latest/adminguide/catalogs_portfolios_users.html
        """
        role = self.role_of(caller.principal_arn)
        return [
            portfolio
            for portfolio in self.portfolios.values()
            if product_id in portfolio.products
            and any(
                self.role_of(arn) == role
                if kind == "IAM"
                else fnmatchcase(role.partition("::")[2], arn.partition("::")[2])
                for arn, kind in portfolio.principals.items()
            )
        ]

    @staticmethod
    def role_of(arn: str) -> str:
        """A session's role by its bare name (a session's ARN does not carry the role's path); others as they are."""
        account = arn.split(":")[4]
        if ":assumed-role/" in arn:
            return f"{account}:role/{arn.split('/')[1]}"
        if ":role/" in arn:
            return f"{account}:role/{arn.rpartition('/')[2]}"
        return arn

    # ---- constraints

    @operation("CreateConstraint", needs=_everything("CreateConstraint"))
    def create_constraint(self, request: Document, caller: Credentials) -> Document:
        if request["Type"] != "LAUNCH":
            raise NotImplementedHere(f"a Service Catalog constraint of type {request['Type']}")
        parameters = json.loads(request["Parameters"])
        if "RoleArn" not in parameters and "LocalRoleName" not in parameters:
            raise AwsError("InvalidParametersException", "A launch constraint needs RoleArn or LocalRoleName.")
        portfolio, product = self.portfolio(request["PortfolioId"]), self.product(request["ProductId"])
        if product.id not in portfolio.products:
            raise AwsError("ResourceNotFoundException", f"Product {product.id} is not in portfolio {portfolio.id}.")
        made = Constraint(
            _id("cons"), "LAUNCH", portfolio.id, product.id, request.get("Description", ""), request["Parameters"]
        )
        with self.lock:
            if any(c.portfolio_id == portfolio.id and c.product_id == product.id for c in self.constraints.values()):
                raise AwsError("DuplicateResourceException", "The product has a launch constraint in this portfolio.")
            self.constraints[made.id] = made
        return self._constraint_answer(made)

    @operation("UpdateConstraint", needs=lambda s, r: [Call("servicecatalog:UpdateConstraint")])
    def update_constraint(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = self._constraint(request["Id"])
            found.description = request.get("Description", found.description)
            found.parameters = request.get("Parameters", found.parameters)
        return self._constraint_answer(found)

    @operation("DescribeConstraint", needs=lambda s, r: [Call("servicecatalog:DescribeConstraint")])
    def describe_constraint(self, request: Document, caller: Credentials) -> Document:
        return self._constraint_answer(self._constraint(request["Id"]))

    @operation("DeleteConstraint", needs=lambda s, r: [Call("servicecatalog:DeleteConstraint")])
    def delete_constraint(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            del self.constraints[self._constraint(request["Id"]).id]
        return {}

    @operation("ListConstraintsForPortfolio", needs=_everything("ListConstraintsForPortfolio"))
    def list_constraints_for_portfolio(self, request: Document, caller: Credentials) -> Document:
        found = [c for c in self.constraints.values() if c.portfolio_id == request["PortfolioId"]]
        return {"ConstraintDetails": [self._constraint_detail(each) for each in found]}

    def _constraint(self, identifier: str) -> Constraint:
        if identifier not in self.constraints:
            raise AwsError("ResourceNotFoundException", f"Constraint {identifier} not found.")
        return self.constraints[identifier]

    def _constraint_answer(self, constraint: Constraint) -> Document:
        return {
            "ConstraintDetail": self._constraint_detail(constraint),
            "ConstraintParameters": constraint.parameters,
            "Status": "AVAILABLE",
        }

    def _constraint_detail(self, constraint: Constraint) -> Document:
        return {
            "ConstraintId": constraint.id,
            "Type": constraint.type,
            "Description": constraint.description,
            "Owner": self.cloud.account,
            "ProductId": constraint.product_id,
            "PortfolioId": constraint.portfolio_id,
        }

    def launch_role(self, portfolio_id: str, product_id: str) -> str | None:
        """The role a launch through this portfolio acts as; None when the launcher's own rights are used."""
        for each in self.constraints.values():
            if (each.portfolio_id, each.product_id) == (portfolio_id, product_id):
                parameters = json.loads(each.parameters)
                arn: str | None = parameters.get("RoleArn")
                return arn or f"arn:aws:iam::{self.cloud.account}:role/{parameters['LocalRoleName']}"
        return None
