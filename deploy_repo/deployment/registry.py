"""Which model package is deployed.

given an ARN        that package, or a refusal
auto                the one in production, if it is still approved
                    else the newest approved one
                    else nothing, and that is no error: a new project has no approved model yet
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import served
from deployment.errors import ACCESS_DENIED, RefusedError, is_missing
from deployment.settings import AUTO, BuildSettings

# A failed endpoint can only be deleted, so what it was meant to serve is not live.
NOT_LIVE = frozenset({"Failed", "Deleting"})


@dataclass(frozen=True)
class Chosen:
    """The model package to deploy and why it is this one."""

    arn: str
    version: int
    because: str


@dataclass(frozen=True)
class NothingToDeploy:
    """There is no package to deploy; the reason is a sentence."""

    because: str


def choose(sagemaker: Any, s3: Any, settings: BuildSettings) -> Chosen | NothingToDeploy:
    """Choose the package and make sure it can be deployed; raise RefusedError where it cannot."""
    if settings.model_package_arn != AUTO:
        arn, because = settings.model_package_arn, "it was asked for by its ARN"
        _check_group_in_arn(arn, settings.model_package_group_name)
    else:
        live_arn, why_not_live = _live(sagemaker, settings)
        if live_arn:
            arn, because = live_arn, f"{settings.production_endpoint_name} serves it"
        else:
            newest = next(_approved(sagemaker, settings.model_package_group_name), None)
            if newest is None:
                return NothingToDeploy(
                    f"no version of {settings.model_package_group_name} is approved, and {why_not_live}"
                )
            arn, because = newest, f"it is the newest approved version, and {why_not_live}"
    package = _describe(sagemaker, arn, settings.model_package_group_name)
    _check_deployable(package)
    _check_artefacts(s3, package)
    return Chosen(arn=package["ModelPackageArn"], version=package["ModelPackageVersion"], because=because)


def _live(sagemaker: Any, settings: BuildSettings) -> tuple[str | None, str]:
    """The ARN of the package in production, or None and the reason why that one is not to be deployed again."""
    name, group = settings.production_endpoint_name, settings.model_package_group_name
    endpoint = served.describe(sagemaker, name)
    if endpoint is None:
        return None, f"there is no endpoint {name} yet"
    if endpoint.status in NOT_LIVE:
        return None, f"the endpoint {name} is {endpoint.status}"
    arn = endpoint.model_package_arn
    if arn is None or not _belongs(arn, group):
        return None, f"the endpoint {name} serves no version of {group}"
    try:
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if is_missing(error):
            return None, f"the version {name} serves was deleted from the registry"
        raise
    if package["ModelApprovalStatus"] != "Approved":
        version, approval = package["ModelPackageVersion"], package["ModelApprovalStatus"]
        return None, f"version {version}, which {name} serves, is {approval}"
    return arn, ""


def _approved(sagemaker: Any, group: str) -> Iterator[str]:
    """ARNs of the approved and completed packages of a group, newest first.

    With a status filter SageMaker may return pages that are empty and yet have a successor: the paginator goes on.
    """
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for package in page["ModelPackageSummaryList"]:
            if package["ModelPackageStatus"] == "Completed":
                yield package["ModelPackageArn"]


def _group_in_arn(arn: str) -> str | None:
    """`fraud` of `arn:aws:sagemaker:<region>:<account>:model-package/fraud/7`; None for anything of another form."""
    kind, *names = arn.partition(":sagemaker:")[2].rpartition(":")[2].split("/")
    return names[0] if kind == "model-package" and len(names) == 2 and names[1].isdigit() else None


def _belongs(arn: str, group: str) -> bool:
    # SageMaker writes the group's name in lower case into some ARNs and not into others.
    return (_group_in_arn(arn) or "").lower() == group.lower()


def _check_group_in_arn(arn: str, group: str) -> None:
    # Before AWS is asked: the role of this build may not even look at other groups.
    found = _group_in_arn(arn)
    if found is None:
        raise RefusedError(
            f"MODEL_PACKAGE_ARN is neither `{AUTO}` nor the ARN of a version of a model package group: {arn!r}\n"
            f"Copy the ARN of a version of {group} from the Model Registry, or start the pipeline with `{AUTO}`."
        )
    if not _belongs(arn, group):
        raise RefusedError(
            f"The model package {arn} belongs to the group {found}, and this project deploys {group} only.\n"
            f"Register the model in {group}, or deploy it from the project it belongs to."
        )


def _describe(sagemaker: Any, arn: str, group: str) -> dict[str, Any]:
    try:
        package: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if is_missing(error):
            raise RefusedError(
                f"The model package {arn} does not exist; it may have been deleted since it was approved.\n"
                f"Approve another version of {group}."
            ) from error
        raise
    return package


def _check_deployable(package: dict[str, Any]) -> None:
    arn, status, approval = package["ModelPackageArn"], package["ModelPackageStatus"], package["ModelApprovalStatus"]
    if status != "Completed":
        raise RefusedError(
            f"The model package {arn} is {status}, not Completed.\n"
            "Wait until it is, or approve another version: only a completed package can be deployed."
        )
    if approval != "Approved":
        raise RefusedError(
            f"The model package {arn} is {approval}, not Approved; it may have been rejected since this was started.\n"
            "Approve it in the Model Registry if it is to be deployed; that starts the deployment by itself."
        )


def _check_artefacts(s3: Any, package: dict[str, Any]) -> None:
    """Make sure that the model's files are still there, before any endpoint is touched."""
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    for url in [container["ModelDataUrl"] for container in containers if "ModelDataUrl" in container]:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}:
                reason = "is gone"
            elif code in ACCESS_DENIED:
                # S3 says so too when the object is gone and the caller may not list the bucket.
                reason = "is gone, or the role of this build may not read it (s3:GetObject)"
            else:
                raise
            raise RefusedError(
                f"The model artefact {url} of {package['ModelPackageArn']} {reason}.\n"
                "Restore it, or approve a version whose artefact exists. Nothing was deployed."
            ) from error
