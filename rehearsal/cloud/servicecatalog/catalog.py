"""What all parts of Service Catalog share: the portfolios, products and constraints, and how they are found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.pages import Handler, paged
from rehearsal.cloud.service import Call, Document, Needs, Service
from rehearsal.cloud.servicecatalog.records import Constraint, Portfolio, Product

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


INVALID = "InvalidParametersException"


def in_pages(member: str) -> Callable[[Handler], Handler]:
    """A list of Service Catalog, 20 to a page.

    https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ListPortfolios.html
    """
    return paged(member, 20, asked="PageToken", answered="NextPageToken", limit="PageSize", error=INVALID)


def on_catalog(action: str) -> Needs:
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
    """The shelves. Its parts are mixins: Portfolios, Products, Constraints, Provisioning."""

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

    def product_of(self, request: Document) -> Product:
        """The product a request names in one way or the other. Raises AwsError for no such product."""
        if "Id" in request:
            return self.product(request["Id"])
        for each in self.products.values():
            if each.name == request.get("Name"):
                return each
        raise AwsError("ResourceNotFoundException", f"Product {request.get('Name')} not found.")
