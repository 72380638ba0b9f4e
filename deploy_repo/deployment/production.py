"""What is in production at this moment, as the Model Registry knows it."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import served
from deployment.errors import is_missing

# A failed endpoint can only be deleted, so what it was meant to serve is not live.
NOT_LIVE = frozenset({"Creating", "Failed", "Deleting"})


@dataclass(frozen=True)
class Live:
    """The model package that production serves, as DescribeModelPackage tells it, or None; and a clause saying so."""

    package: dict[str, Any] | None
    clause: str

    @property
    def is_approved(self) -> bool:
        return self.package is not None and self.package["ModelApprovalStatus"] == "Approved"


def look(sagemaker: Any, endpoint_name: str, group: str) -> Live:
    """Look which version of the group the production endpoint serves."""
    endpoint = served.describe(sagemaker, endpoint_name)
    if endpoint is None:
        return Live(None, f"there is no endpoint {endpoint_name} yet")
    if endpoint.status in NOT_LIVE:
        return Live(None, f"the endpoint {endpoint_name} is {endpoint.status}")
    if not endpoint.is_known:
        return Live(
            None,
            f"nobody can tell which version {endpoint_name} serves: its configuration or its model was deleted by "
            "hand, or has lost the project's tags",
        )
    arn = endpoint.model_package_arn
    if arn is None or not belongs(arn, group):
        return Live(None, f"the endpoint {endpoint_name} serves no version of {group}")
    try:
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if is_missing(error):
            return Live(None, f"the version {endpoint_name} serves was deleted from the registry")
        raise
    version, approval = package["ModelPackageVersion"], package["ModelApprovalStatus"]
    if approval == "Approved":
        return Live(package, f"{endpoint_name} serves version {version}")
    return Live(package, f"version {version}, which {endpoint_name} serves, is {approval}")


def group_in_arn(arn: str) -> str | None:
    """`fraud` of `arn:aws:sagemaker:<region>:<account>:model-package/fraud/7`; None for anything of another form."""
    kind, *names = arn.partition(":sagemaker:")[2].rpartition(":")[2].split("/")
    return names[0] if kind == "model-package" and len(names) == 2 and names[1].isdigit() else None


def belongs(arn: str, group: str) -> bool:
    """Whether an ARN is one of a version of the group."""
    # SageMaker writes the group's name in lower case into some ARNs and not into others.
    return (group_in_arn(arn) or "").lower() == group.lower()
