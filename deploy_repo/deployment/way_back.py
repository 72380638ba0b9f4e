"""Which version production goes back to.

Of the versions that were in production and are still approved, the one that was deployed last. Each deployment writes
into the Model Registry that it took place: the version's life-cycle stage becomes Production, and its metadata say
when. So the registry is all the memory this needs, and whoever rejects a version takes it out of the running.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-staging-construct.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import RefusedError, is_missing

STAGE = "Production"
DEPLOYED_AT = "production.deployed-at"


@dataclass(frozen=True)
class WayBack:
    """The package to go back to, or None; and the clauses saying why others that served were passed over."""

    package: dict[str, Any] | None
    passed_over: tuple[str, ...]

    @property
    def remark(self) -> str:
        """What was passed over, as the end of a sentence; empty if nothing was."""
        return f"; passed over: {'; '.join(self.passed_over)}" if self.passed_over else ""


def find(
    sagemaker: Any, group: str, artefact_fault: Callable[[dict[str, Any]], str | None], without: str | None = None
) -> WayBack:
    """Find the version to go back to, as if the one with the ARN `without` were rejected already.

    A version whose artefact is gone is passed over: going back must not fail on what the next older one could do.
    """
    candidates, passed_over = [], []
    for package in _were_in_production(sagemaker, group):
        if package["ModelPackageArn"] == without:
            continue
        deployed_at = _deployed_at(package)
        if deployed_at is None:
            # Anybody may set a stage by hand in Studio; that does not make the version one that has served.
            passed_over.append(f"version {package['ModelPackageVersion']}: nothing says when it was deployed")
        else:
            candidates.append((deployed_at, package["ModelPackageVersion"], package))
    for _, version, package in sorted(candidates, key=lambda candidate: candidate[:2], reverse=True):
        reason = artefact_fault(package)
        if reason is None:
            return WayBack(package, tuple(passed_over))
        passed_over.append(f"version {version}: {reason}")
    return WayBack(None, tuple(passed_over))


def refusal(way_back: WayBack, group: str, live: str) -> RefusedError:
    """The error for a way back that leads nowhere; `live` is the clause that says what production serves."""
    passed_over = "".join(f"  {clause}\n" for clause in way_back.passed_over)
    return RefusedError(
        f"There is nothing to go back to: no other version of {group} that was in production can be deployed.\n"
        f"{passed_over}"
        f"Production is untouched: {live}.\n"
        "Approve another version in the Model Registry; that starts its deployment."
    )


def deployed_at(package: dict[str, Any]) -> str:
    """When a version that was found came into production, in the registry's own words."""
    return str(package["CustomerMetadataProperties"][DEPLOYED_AT])


def _were_in_production(sagemaker: Any, group: str) -> Iterator[dict[str, Any]]:
    """The packages of the group in the stage Production that are still approved and completed, in full."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for summary in page["ModelPackageSummaryList"]:
            if summary.get("ModelLifeCycle", {}).get("Stage") == STAGE and summary["ModelPackageStatus"] == "Completed":
                try:
                    package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
                except ClientError as error:
                    if is_missing(error):
                        continue
                    raise
                # A list may lag behind: what was rejected or deleted a second ago may still stand in it.
                if package["ModelApprovalStatus"] == "Approved" and package["ModelPackageStatus"] == "Completed":
                    yield package


def _deployed_at(package: dict[str, Any]) -> datetime | None:
    written = package.get("CustomerMetadataProperties", {}).get(DEPLOYED_AT, "")
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
