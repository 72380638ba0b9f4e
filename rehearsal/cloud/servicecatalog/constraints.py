"""Launch constraints: the role that a launch acts as."""

from __future__ import annotations

import json

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, Catalog, in_pages, on_catalog
from rehearsal.cloud.servicecatalog.records import Constraint, new_id


class Constraints(Catalog):
    """Constraints of products in portfolios."""

    name = "servicecatalog"

    @operation("CreateConstraint", needs=on_catalog("CreateConstraint"))
    @once("IdempotencyToken", INVALID)
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
            new_id("cons"), "LAUNCH", portfolio.id, product.id, request.get("Description", ""), request["Parameters"]
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

    @operation("ListConstraintsForPortfolio", needs=on_catalog("ListConstraintsForPortfolio"))
    @in_pages("ConstraintDetails")
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
