"""Launched products: how they come and go, and the records of what was done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID, in_pages
from rehearsal.cloud.servicecatalog.offers import Offers, on_product, plain
from rehearsal.cloud.servicecatalog.product_stack import ProductStack
from rehearsal.cloud.servicecatalog.records import Artifact, ProvisionedProduct, Record, new_id

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

SERVICE = "servicecatalog.amazonaws.com"
OF_ONE = ("DescribeProvisionedProduct", "UpdateProvisionedProduct", "TerminateProvisionedProduct")
"""Operations on one provisioned product."""
Work = Callable[[ProductStack], list[Document]]
"""What a record does with the product's stack; it answers the record's outputs."""


class Provisioning(Offers):
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
        elif operation in OF_ONE:
            wanted = request.get("Id") or request.get("ProvisionedProductId")
            named = request.get("Name") or request.get("ProvisionedProductName")
            launched = next(
                (e for e in self.provisioned.values() if wanted == e.id or (named and named == e.name)), None
            )
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

    # ---- launching

    @operation("ProvisionProduct", needs=on_product("ProvisionProduct"))
    @once("ProvisionToken", INVALID)
    def provision_product(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ProvisionProduct.html"""
        for unsupported in ("ProvisioningPreferences", "NotificationArns"):
            if request.get(unsupported):
                raise NotImplementedHere(f"{unsupported} of ProvisionProduct")
        named = {"Id": request["ProductId"]} if "ProductId" in request else {"Name": request["ProductName"]}
        product = self.product_of(named)
        artifact = self.artifact_of(product, request)
        portfolio = self.chosen_path(product, request, caller)
        with self.lock:
            if any(each.name == request["ProvisionedProductName"] for each in self.provisioned.values()):
                raise AwsError("DuplicateResourceException", f"{request['ProvisionedProductName']} already exists.")
            identifier = new_id("pp")
            made = ProvisionedProduct(
                identifier,
                request["ProvisionedProductName"],
                product,
                artifact,
                portfolio,
                self.launch_role(portfolio.id, product.id),
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
        record = self.start(
            made,
            "PROVISION_PRODUCT",
            artifact,
            lambda stack: stack.create(artifact.template_url, parameters, tags),
            caller,
        )
        return {"RecordDetail": self.record_detail(made, record)}

    @operation("TerminateProvisionedProduct", needs=plain("TerminateProvisionedProduct"))
    @once("TerminateToken", INVALID)
    def terminate_provisioned_product(self, request: Document, caller: Credentials) -> Document:
        if request.get("RetainPhysicalResources"):
            raise NotImplementedHere("RetainPhysicalResources of TerminateProvisionedProduct")
        found = self.find_provisioned(request.get("ProvisionedProductId"), request.get("ProvisionedProductName"))
        record = self.start(
            found, "TERMINATE_PROVISIONED_PRODUCT", found.artifact, lambda stack: self._delete(found, stack), caller
        )
        return {"RecordDetail": self.record_detail(found, record)}

    @operation("DescribeRecord", needs=plain("DescribeRecord"))
    @in_pages("RecordOutputs")
    def describe_record(self, request: Document, caller: Credentials) -> Document:
        if request["Id"] not in self._records:
            raise AwsError("ResourceNotFoundException", f"Record {request['Id']} not found.")
        provisioned, record = self._records[request["Id"]]
        return {"RecordDetail": self.record_detail(provisioned, record), "RecordOutputs": record.outputs}

    @operation("DescribeProvisionedProduct", needs=plain("DescribeProvisionedProduct"))
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

    @operation("ScanProvisionedProducts", needs=plain("ScanProvisionedProducts"))
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

    # ---- the work behind a record

    def start(
        self, provisioned: ProvisionedProduct, kind: str, artifact: Artifact, work: Work, caller: Credentials
    ) -> Record:
        """Do something to a provisioned product's stack in the background; the record to follow it by."""
        now = self.cloud.clock.timestamp()
        record = Record(new_id("rec"), kind, now, artifact.id, "IN_PROGRESS", now)
        with self.lock:
            provisioned.records.append(record)
            provisioned.status = "UNDER_CHANGE"
            self._records[record.id] = (provisioned, record)
        self.cloud.background(f"{kind.lower()} {provisioned.name}", self._carry_out, provisioned, record, work, caller)
        return record

    def _carry_out(self, provisioned: ProvisionedProduct, record: Record, work: Work, actor: Credentials) -> None:
        try:
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

    def record_detail(self, provisioned: ProvisionedProduct, record: Record) -> Document:
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
            "ProvisioningArtifactId": record.artifact,
            "PathId": self.path(provisioned.portfolio),
            "RecordErrors": record.errors,
            "LaunchRoleArn": provisioned.launch_role,
        }
