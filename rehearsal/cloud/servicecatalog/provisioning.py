"""The launcher's half: products one may launch, provisioned products, and the records of what was done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, in_pages
from rehearsal.cloud.servicecatalog.constraints import Constraints
from rehearsal.cloud.servicecatalog.portfolios import Portfolios
from rehearsal.cloud.servicecatalog.product_stack import ProductStack
from rehearsal.cloud.servicecatalog.products import Products
from rehearsal.cloud.servicecatalog.records import Artifact, Portfolio, Product, ProvisionedProduct, Record, new_id

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

SERVICE = "servicecatalog.amazonaws.com"
Work = Callable[[ProductStack], list[Document]]
"""What a record does with the product's stack; it answers the record's outputs."""


def _on_product(action: str) -> Callable[[Provisioning, Document], list[Call]]:
    def needs(service: Provisioning, request: Document) -> list[Call]:
        identifier = request.get("ProductId") or request.get("Id") or "*"
        return [Call(f"servicecatalog:{action}", service.catalog_arn("product", identifier))]

    return needs


def _plain(action: str) -> Callable[[Provisioning, Document], list[Call]]:
    return lambda service, request: [Call(f"servicecatalog:{action}")]


class Provisioning(Products, Portfolios, Constraints):
    """Launching products."""

    name = "servicecatalog"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.provisioned: dict[str, ProvisionedProduct] = {}
        self._records: dict[str, tuple[ProvisionedProduct, Record]] = {}

    def calls_for(self, operation: str, request: Document, caller: Credentials) -> list[Call]:
        """Provisioned products know who made them: condition keys `servicecatalog:userLevel` and its kin.

        https://docs.aws.amazon.com/servicecatalog/latest/adminguide/permissions-examples.html
        """
        calls = super().calls_for(operation, request, caller)
        context = self._levels(operation, request, caller)
        return [Call(call.action, call.resource, {**call.context, **context}) for call in calls]

    def _levels(self, operation: str, request: Document, caller: Credentials) -> dict[str, str]:
        if operation == "DescribeRecord":
            launched = self._records.get(request["Id"], (None, None))[0]
        elif operation in ("DescribeProvisionedProduct", "TerminateProvisionedProduct"):
            wanted = request.get("Id") or request.get("ProvisionedProductId")
            launched = self.provisioned.get(wanted) if wanted else None
        else:
            return {}
        if launched is None:
            return {}
        levels = {"servicecatalog:accountLevel": "self"}
        if self.role_of(launched.launcher.principal_arn) == self.role_of(caller.principal_arn):
            levels["servicecatalog:roleLevel"] = "self"
        if launched.launcher.principal_arn == caller.principal_arn:
            levels["servicecatalog:userLevel"] = "self"
        return levels

    # ---- looking around

    @operation("SearchProducts", needs=_plain("SearchProducts"))
    @in_pages("ProductViewSummaries")
    def search_products(self, request: Document, caller: Credentials) -> Document:
        if request.get("Filters"):
            raise NotImplementedHere("filters of SearchProducts")
        visible = [each for each in self.products.values() if self.portfolios_open_to(caller, each.id)]
        return {"ProductViewSummaries": [self.product_summary(each) for each in visible], "ProductViewAggregations": {}}

    @operation("DescribeProduct", needs=_on_product("DescribeProduct"))
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
            "LaunchPaths": [{"Id": self._path(portfolio), "Name": portfolio.name} for portfolio in paths],
        }

    @operation("ListLaunchPaths", needs=_on_product("ListLaunchPaths"))
    @in_pages("LaunchPathSummaries")
    def list_launch_paths(self, request: Document, caller: Credentials) -> Document:
        paths = self.portfolios_open_to(caller, self.product(request["ProductId"]).id)
        return {
            "LaunchPathSummaries": [
                {
                    "Id": self._path(each),
                    "Name": each.name,
                    "ConstraintSummaries": [{"Type": "LAUNCH"}],
                    "Tags": each.tags,
                }
                for each in paths
            ]
        }

    @staticmethod
    def _path(portfolio: Portfolio) -> str:
        return f"lpv3-{portfolio.id.removeprefix('port-')}"

    # ---- launching

    @operation("ProvisionProduct", needs=_on_product("ProvisionProduct"))
    @once("ProvisionToken", INVALID)
    def provision_product(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ProvisionProduct.html"""
        for unsupported in ("ProvisioningPreferences", "NotificationArns"):
            if request.get(unsupported):
                raise NotImplementedHere(f"{unsupported} of ProvisionProduct")
        named = {"Id": request["ProductId"]} if "ProductId" in request else {"Name": request["ProductName"]}
        product = self.product_of(named)
        artifact = self._artifact_of(product, request)
        paths = self.portfolios_open_to(caller, product.id)
        if not paths:
            raise AwsError("ResourceNotFoundException", f"No launch paths found for resource: {product.id}")
        wanted = request.get("PathId")
        chosen = [each for each in paths if wanted in (None, self._path(each))]
        if not chosen or (wanted is None and len(paths) > 1):
            raise AwsError("InvalidParametersException", "A PathId is needed: the product has several launch paths.")
        with self.lock:
            if any(each.name == request["ProvisionedProductName"] for each in self.provisioned.values()):
                raise AwsError("DuplicateResourceException", f"{request['ProvisionedProductName']} already exists.")
            identifier = new_id("pp")
            made = ProvisionedProduct(
                identifier,
                request["ProvisionedProductName"],
                product,
                artifact,
                chosen[0],
                self.launch_role(chosen[0].id, product.id),
                caller,
                self.cloud.clock.timestamp(),
                f"SC-{self.cloud.account}-{identifier}",
            )
            self.provisioned[identifier] = made
        parameters = [
            {"ParameterKey": each["Key"], "ParameterValue": each.get("Value", "")}
            for each in request.get("ProvisioningParameters", [])
        ]
        tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in request.get("Tags", [])]
        record = self._start(
            made, "PROVISION_PRODUCT", lambda stack: stack.create(artifact.template_url, parameters, tags)
        )
        return {"RecordDetail": self._record_detail(made, record)}

    @operation("TerminateProvisionedProduct", needs=_plain("TerminateProvisionedProduct"))
    @once("TerminateToken", INVALID)
    def terminate_provisioned_product(self, request: Document, caller: Credentials) -> Document:
        if request.get("RetainPhysicalResources"):
            raise NotImplementedHere("RetainPhysicalResources of TerminateProvisionedProduct")
        found = self.find_provisioned(request.get("ProvisionedProductId"), request.get("ProvisionedProductName"))
        record = self._start(found, "TERMINATE_PROVISIONED_PRODUCT", lambda stack: self._delete(found, stack))
        return {"RecordDetail": self._record_detail(found, record)}

    @operation("DescribeRecord", needs=_plain("DescribeRecord"))
    @in_pages("RecordOutputs")
    def describe_record(self, request: Document, caller: Credentials) -> Document:
        if request["Id"] not in self._records:
            raise AwsError("ResourceNotFoundException", f"Record {request['Id']} not found.")
        provisioned, record = self._records[request["Id"]]
        return {"RecordDetail": self._record_detail(provisioned, record), "RecordOutputs": record.outputs}

    @operation("DescribeProvisionedProduct", needs=_plain("DescribeProvisionedProduct"))
    def describe_provisioned_product(self, request: Document, caller: Credentials) -> Document:
        found = self.find_provisioned(request.get("Id"), request.get("Name"))
        return {"ProvisionedProductDetail": self._provisioned_detail(found)}

    def _provisioned_detail(self, found: ProvisionedProduct) -> Document:
        return {
            "Name": found.name,
            "Arn": f"arn:aws:servicecatalog:{self.cloud.region}:{self.cloud.account}:stack/{found.name}/{found.id}",
            "Type": "CFN_STACK",
            "Id": found.id,
            "Status": found.status,
            "StatusMessage": found.message or None,
            "CreatedTime": found.created,
            "LastRecordId": found.records[-1].id,
            "ProductId": found.product.id,
            "ProvisioningArtifactId": found.artifact.id,
            "LaunchRoleArn": found.launch_role,
        }

    @operation("ScanProvisionedProducts", needs=_plain("ScanProvisionedProducts"))
    @in_pages("ProvisionedProducts")
    def scan_provisioned_products(self, request: Document, caller: Credentials) -> Document:
        """Those of the whole account when asked for, else those this user launched.

        https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ScanProvisionedProducts.html
        """
        level = request.get("AccessLevelFilter", {"Key": "User", "Value": "self"})
        if level["Value"].lower() != "self":
            raise AwsError(INVALID, "The only supported value of an access level is self.")
        mine: dict[str, Callable[[ProvisionedProduct], bool]] = {
            "Account": lambda launched: True,
            "Role": lambda launched: (
                self.role_of(launched.launcher.principal_arn) == self.role_of(caller.principal_arn)
            ),
            "User": lambda launched: launched.launcher.principal_arn == caller.principal_arn,
        }
        with self.lock:
            found = [each for each in self.provisioned.values() if mine[level["Key"]](each)]
        return {"ProvisionedProducts": [self._provisioned_detail(each) for each in found]}

    def find_provisioned(self, identifier: str | None, name: str | None) -> ProvisionedProduct:
        """A provisioned product by id or name. Raises AwsError when there is none."""
        for each in self.provisioned.values():
            if identifier == each.id or (identifier is None and name == each.name):
                return each
        raise AwsError("ResourceNotFoundException", f"Provisioned product {identifier or name} not found.")

    @staticmethod
    def _artifact_of(product: Product, request: Document) -> Artifact:
        for artifact in product.artifacts.values():
            if artifact.id == request.get("ProvisioningArtifactId") or artifact.name == request.get(
                "ProvisioningArtifactName"
            ):
                return artifact
        wanted = request.get("ProvisioningArtifactId") or request.get("ProvisioningArtifactName")
        raise AwsError("ResourceNotFoundException", f"Provisioning artifact {wanted} of {product.id} not found.")

    # ---- the work behind a record

    def _start(self, provisioned: ProvisionedProduct, kind: str, work: Work) -> Record:
        now = self.cloud.clock.timestamp()
        record = Record(new_id("rec"), kind, now, "IN_PROGRESS", now)
        with self.lock:
            provisioned.records.append(record)
            provisioned.status = "UNDER_CHANGE"
            self._records[record.id] = (provisioned, record)
        self.cloud.background(f"{kind.lower()} {provisioned.name}", self._carry_out, provisioned, record, work)
        return record

    def _carry_out(self, provisioned: ProvisionedProduct, record: Record, work: Work) -> None:
        try:
            actor = provisioned.launcher
            if provisioned.launch_role:
                actor = self.cloud.identity.assume_role(provisioned.launch_role, SERVICE, "servicecatalog")
            client = self.cloud.client("cloudformation", actor)
            record.outputs = work(ProductStack(client, provisioned.stack, self.cloud.stopping))
            record.status, provisioned.status, provisioned.message = "SUCCEEDED", "AVAILABLE", ""
        except (AwsError, ClientError) as problem:
            message = problem.message if isinstance(problem, AwsError) else problem.response["Error"]["Message"]
            record.errors.append({"Code": "ResourceOperationFailed", "Description": message})
            failed_at_birth = record.type == "PROVISION_PRODUCT"
            provisioned.status, provisioned.message = ("ERROR" if failed_at_birth else "TAINTED"), message
            record.status = "FAILED"
        finally:
            record.updated = self.cloud.clock.timestamp()

    def _delete(self, provisioned: ProvisionedProduct, stack: ProductStack) -> list[Document]:
        stack.delete()
        with self.lock:
            self.provisioned.pop(provisioned.id, None)
        return []

    def _record_detail(self, provisioned: ProvisionedProduct, record: Record) -> Document:
        return {
            "RecordId": record.id,
            "ProvisionedProductName": provisioned.name,
            "Status": record.status,
            "CreatedTime": record.created,
            "UpdatedTime": record.updated,
            "ProvisionedProductType": "CFN_STACK",
            "RecordType": record.type,
            "ProvisionedProductId": provisioned.id,
            "ProductId": provisioned.product.id,
            "ProvisioningArtifactId": provisioned.artifact.id,
            "PathId": self._path(provisioned.portfolio),
            "RecordErrors": record.errors,
            "LaunchRoleArn": provisioned.launch_role,
        }
