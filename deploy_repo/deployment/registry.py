"""Which model package is deployed.

given an ARN        that package, or a refusal
auto                the one in production, if it is still approved
                    else the newest approved one
                    else nothing, and that is no error: a new project has no approved model yet
rollback            of those that were in production and are still approved, the one deployed last, or a refusal
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import artefacts, production, way_back
from deployment.errors import RefusedError, is_missing
from deployment.settings import AUTO, ROLLBACK, BuildSettings


@dataclass(frozen=True)
class Chosen:
    """The model package to deploy, and why it is this one."""

    arn: str
    version: int
    because: str


@dataclass(frozen=True)
class NothingToDeploy:
    """There is no package to deploy; the reason is a sentence."""

    because: str


def choose(sagemaker: Any, s3: Any, settings: BuildSettings) -> Chosen | NothingToDeploy:
    """Choose the package and make sure it can be deployed; raise RefusedError where it cannot."""
    if settings.model_package_arn == ROLLBACK:
        return _earlier(sagemaker, s3, settings)
    if settings.model_package_arn == AUTO:
        choice = _live_or_newest(sagemaker, settings)
        if isinstance(choice, NothingToDeploy):
            return choice
        package, because = choice
    else:
        _check_group_in_arn(settings.model_package_arn, settings.model_package_group_name)
        package = _describe(sagemaker, settings.model_package_arn, settings.model_package_group_name)
        because = "it was asked for by its ARN"
    _check_deployable(package)
    _check_artefacts(s3, package)
    return Chosen(arn=package["ModelPackageArn"], version=package["ModelPackageVersion"], because=because)


def _earlier(sagemaker: Any, s3: Any, settings: BuildSettings) -> Chosen:
    """The version to go back to; raise RefusedError if there is none."""
    group = settings.model_package_group_name
    found = way_back.find(sagemaker, group, lambda package: artefacts.fault(s3, package))
    if found.package is None:
        raise way_back.refusal(
            found, group, production.look(sagemaker, settings.production_endpoint_name, group).clause
        )
    because = (
        f"of the versions that were in production and are still approved it was deployed last, "
        f"at {way_back.deployed_at(found.package)}{found.remark}"
    )
    return Chosen(found.package["ModelPackageArn"], found.package["ModelPackageVersion"], because)


def _live_or_newest(sagemaker: Any, settings: BuildSettings) -> tuple[dict[str, Any], str] | NothingToDeploy:
    """The package in production, else the newest approved one, and why it is this one."""
    group = settings.model_package_group_name
    live = production.look(sagemaker, settings.production_endpoint_name, group)
    if live.package is not None and live.is_approved:
        return live.package, f"{settings.production_endpoint_name} serves it"
    newest = next(_approved(sagemaker, group), None)
    if newest is None:
        return NothingToDeploy(f"no version of {group} is approved, and {live.clause}")
    return _describe(sagemaker, newest, group), f"it is the newest approved version, and {live.clause}"


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


def _check_group_in_arn(arn: str, group: str) -> None:
    # Before AWS is asked: the role of this build may not even look at other groups.
    found = production.group_in_arn(arn)
    if found is None:
        raise RefusedError(
            f"MODEL_PACKAGE_ARN is neither `{AUTO}` nor `{ROLLBACK}` nor the ARN of a version of a model package "
            f"group: {arn!r}\n"
            f"Copy the ARN of a version of {group} from the Model Registry, or start the pipeline with `{AUTO}`."
        )
    if not production.belongs(arn, group):
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
    if fault := artefacts.fault(s3, package):
        raise RefusedError(
            f"The model package {package['ModelPackageArn']} cannot be deployed: {fault}.\n"
            "Restore it, or approve a version whose artefact exists. Nothing was deployed."
        )
