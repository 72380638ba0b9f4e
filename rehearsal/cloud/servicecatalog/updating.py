"""UpdateProvisionedProduct: another version of a product, or other parameters, for what was launched already."""

from __future__ import annotations

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Credentials, Document, operation
from rehearsal.cloud.servicecatalog.catalog import INVALID
from rehearsal.cloud.servicecatalog.offers import plain
from rehearsal.cloud.servicecatalog.product_stack import ProductStack
from rehearsal.cloud.servicecatalog.provisioning import Provisioning
from rehearsal.cloud.servicecatalog.records import Artifact, ProvisionedProduct


class Updating(Provisioning):
    """Updates of provisioned products."""

    name = "servicecatalog"

    @operation("UpdateProvisionedProduct", needs=plain("UpdateProvisionedProduct"))
    @once("UpdateToken", INVALID)
    def update_provisioned_product(self, request: Document, caller: Credentials) -> Document:
        """Update the stack as the role of the launch constraint, which may have changed since the launch.

        A failed update is rolled back by CloudFormation: the product is `TAINTED`, and as it was before.
        https://docs.aws.amazon.com/servicecatalog/latest/dg/API_UpdateProvisionedProduct.html
        https://docs.aws.amazon.com/servicecatalog/latest/dg/API_ProvisionedProductDetail.html
        """
        for unsupported in ("ProvisioningPreferences", "Tags", "PathName"):
            if request.get(unsupported):
                raise NotImplementedHere(f"{unsupported} of UpdateProvisionedProduct")
        found = self.find_provisioned(request.get("ProvisionedProductId"), request.get("ProvisionedProductName"))
        if found.product.id != request.get("ProductId", found.product.id) or found.product.name != request.get(
            "ProductName", found.product.name
        ):
            raise NotImplementedHere("an UpdateProvisionedProduct to another product")
        artifact = found.artifact
        if request.get("ProvisioningArtifactId") or request.get("ProvisioningArtifactName"):
            artifact = self.artifact_of(found.product, request)
        parameters = [_parameter(each) for each in request.get("ProvisioningParameters", [])]
        portfolio = self.chosen_path(found.product, request, caller)
        with self.lock:
            if found.status == "UNDER_CHANGE":
                raise AwsError(INVALID, f"Provisioned product {found.name} is {found.status}: it cannot be updated.")
            found.portfolio, found.launch_role = portfolio, self.launch_role(portfolio.id, found.product.id)
            record = self.start(
                found,
                "UPDATE_PROVISIONED_PRODUCT",
                artifact,
                lambda stack: _update(found, artifact, stack, parameters),
                caller,
            )
        return {"RecordDetail": self.record_detail(found, record)}


def _update(
    provisioned: ProvisionedProduct, artifact: Artifact, stack: ProductStack, parameters: list[Document]
) -> list[Document]:
    outputs = stack.update(artifact.template_url, parameters)
    provisioned.artifact = artifact
    return outputs


def _parameter(given: Document) -> Document:
    """A parameter for CloudFormation. One that is not mentioned falls back to its default there.

    With a value besides UsePreviousValue AWS refuses, whatever the reference says: https://github.com/boto/boto3/issues/4426
    """
    key, previous = given["Key"], given.get("UsePreviousValue", False)
    if previous and given.get("Value"):
        raise AwsError(
            INVALID,
            f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a "
            "parameter",
        )
    return {
        "ParameterKey": key,
        **({"UsePreviousValue": True} if previous else {"ParameterValue": given.get("Value", "")}),
    }
