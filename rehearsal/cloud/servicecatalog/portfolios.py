"""Portfolios: what is on offer together, and to whom."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, Catalog, in_pages, on_catalog
from rehearsal.cloud.servicecatalog.records import Portfolio, merged_tags, new_id


class Portfolios(Catalog):
    """Portfolios, the products in them, and the principals they are open to."""

    name = "servicecatalog"

    @operation("CreatePortfolio", needs=on_catalog("CreatePortfolio"))
    @once("IdempotencyToken", INVALID)
    def create_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            made = Portfolio(
                new_id("port"),
                request["DisplayName"],
                request["ProviderName"],
                request.get("Description", ""),
                request.get("Tags", []),
                self.cloud.clock.timestamp(),
            )
            self.portfolios[made.id] = made
        return {"PortfolioDetail": self._portfolio_detail(made), "Tags": made.tags}

    @operation("UpdatePortfolio", needs=on_catalog("UpdatePortfolio"))
    def update_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = self.portfolio(request["Id"])
            found.name = request.get("DisplayName", found.name)
            found.provider = request.get("ProviderName", found.provider)
            found.description = request.get("Description", found.description)
            found.tags = merged_tags(found.tags, request.get("AddTags", []), request.get("RemoveTags", []))
        return {"PortfolioDetail": self._portfolio_detail(found), "Tags": found.tags}

    @operation("DescribePortfolio", needs=on_catalog("DescribePortfolio"))
    def describe_portfolio(self, request: Document, caller: Credentials) -> Document:
        found = self.portfolio(request["Id"])
        return {"PortfolioDetail": self._portfolio_detail(found), "Tags": found.tags}

    @operation("ListPortfolios", needs=on_catalog("ListPortfolios"))
    @in_pages("PortfolioDetails")
    def list_portfolios(self, request: Document, caller: Credentials) -> Document:
        return {"PortfolioDetails": [self._portfolio_detail(each) for each in self.portfolios.values()]}

    @operation("DeletePortfolio", needs=on_catalog("DeletePortfolio"))
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

    # ---- associations

    @operation("AssociateProductWithPortfolio", needs=on_catalog("AssociateProductWithPortfolio"))
    def associate_product_with_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).products.add(self.product(request["ProductId"]).id)
        return {}

    @operation("DisassociateProductFromPortfolio", needs=on_catalog("DisassociateProductFromPortfolio"))
    def disassociate_product_from_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).products.discard(request["ProductId"])
        return {}

    @operation("AssociatePrincipalWithPortfolio", needs=on_catalog("AssociatePrincipalWithPortfolio"))
    def associate_principal_with_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            principals = self.portfolio(request["PortfolioId"]).principals
            principals[request["PrincipalARN"]] = request["PrincipalType"]
        return {}

    @operation("DisassociatePrincipalFromPortfolio", needs=on_catalog("DisassociatePrincipalFromPortfolio"))
    def disassociate_principal_from_portfolio(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.portfolio(request["PortfolioId"]).principals.pop(request["PrincipalARN"], None)
        return {}

    @operation("ListPrincipalsForPortfolio", needs=on_catalog("ListPrincipalsForPortfolio"))
    @in_pages("Principals")
    def list_principals_for_portfolio(self, request: Document, caller: Credentials) -> Document:
        principals = self.portfolio(request["PortfolioId"]).principals
        return {"Principals": [{"PrincipalARN": arn, "PrincipalType": kind} for arn, kind in principals.items()]}

    def portfolios_open_to(self, caller: Credentials, product_id: str) -> list[Portfolio]:
        """The portfolios through which a caller may launch a product: for a session, its role's ARN counts.

        https://docs.aws.amazon.com/servicecatalog/latest/adminguide/catalogs_portfolios_users.html
        """
        return [
            portfolio
            for portfolio in self.portfolios.values()
            if product_id in portfolio.products
            and any(self._covers(arn, kind, caller) for arn, kind in portfolio.principals.items())
        ]

    def _covers(self, arn: str, kind: str, caller: Credentials) -> bool:
        """Patterns name no account, and may name a path: `arn:aws:iam:::role/team/*`.

        https://docs.aws.amazon.com/servicecatalog/latest/dg/API_AssociatePrincipalWithPortfolio.html
        """
        if kind == "IAM":
            return self.role_of(arn) == self.role_of(caller.principal_arn)
        own = caller.principal_arn
        if ":assumed-role/" in own:  # a session's ARN does not carry the role's path
            iam = self.cloud.client("iam", self.cloud.identity.root)
            own = iam.get_role(RoleName=own.split("/")[1])["Role"]["Arn"]
        return fnmatchcase(own.split(":", 5)[5], arn.split(":", 5)[5])

    @staticmethod
    def role_of(arn: str) -> str:
        """A session's role by its bare name (a session's ARN does not carry the role's path); others as they are."""
        account = arn.split(":")[4]
        if ":assumed-role/" in arn:
            return f"{account}:role/{arn.split('/')[1]}"
        if ":role/" in arn:
            return f"{account}:role/{arn.rpartition('/')[2]}"
        return arn
