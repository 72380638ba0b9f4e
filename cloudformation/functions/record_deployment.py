"""CodePipeline action: write into the Model Registry which version is live in production, since when, and who said so.

    the version that was just deployed   stage Production, status Live,     production.deployed-at, .approved-by, ...
    the one that was live before it      stage Production, status Replaced, production.replaced-at, .replaced-by
                                         (Rejected, when it was rejected)

`rollback` finds its way back by these records.
"""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, client, explained
from deployments import APPROVAL_ACTION, ROLLBACK, DeployPipeline
from live_model import same_package, served_package, version_of

STAGE, LIVE, REPLACED, REJECTED = "Production", "Live", "Replaced", "Rejected"
DEPLOYED_AT = "production.deployed-at"
APPROVED_BY = "production.approved-by"
EXECUTION_ID = "production.execution-id"
ENDPOINT = "production.endpoint"
REPLACED_AT = "production.replaced-at"
REPLACED_BY = "production.replaced-by"
LONGEST_VALUE = 256
NOT_IN_VALUES = re.compile(r"[^\w .:/=+@-]")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html"""
LONGEST_MESSAGE = 5000
ONLY_THE_RECORD = "Production itself is deployed; only its record is missing. Retry the stage's failed actions."

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


class NotRecordedError(Exception):
    """The deployment cannot be recorded. The message says why."""


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Record a deployment and answer CodePipeline, whatever happens.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
    """
    job = event["CodePipeline.job"]
    codepipeline = client("codepipeline")
    try:
        summary = _record(job, codepipeline)
    except NotRecordedError as problem:
        _fail(codepipeline, job["id"], str(problem))
    except ClientError as error:
        log.exception("A call of AWS failed")
        _fail(codepipeline, job["id"], explained(error))
    except Exception as error:  # whatever it is: without an answer the action waits until it times out
        log.exception("Recording broke")
        _fail(codepipeline, job["id"], f"Recording broke: {error!r}. The function's log says where.")
    else:
        log.info("%s", summary)
        codepipeline.put_job_success_result(jobId=job["id"], executionDetails={"summary": summary})


def _fail(codepipeline: Client, job_id: str, message: str) -> None:
    log.error("%s", message)
    codepipeline.put_job_failure_result(
        jobId=job_id,
        failureDetails={"type": "JobFailed", "message": f"{message} {ONLY_THE_RECORD}"[:LONGEST_MESSAGE]},
    )


def _record(job: Mapping[str, Any], codepipeline: Client) -> str:
    """Do it; answers a sentence for the pipeline's page. Raises NotRecordedError."""
    package_arn, execution_id = _parameters(job)
    endpoint = os.environ["PRODUCTION_ENDPOINT_NAME"]
    sagemaker = client("sagemaker")
    served = served_package(sagemaker, endpoint)
    if not same_package(served, package_arn):
        raise NotRecordedError(f"The endpoint {endpoint} serves {served or 'no model package'}, not {package_arn}.")
    approved_by = _who_approved(DeployPipeline(codepipeline, os.environ["DEPLOY_PIPELINE"]), execution_id)
    registry = Registry(sagemaker, os.environ["MODEL_PACKAGE_GROUP_NAME"])
    # The new version first: between the two writes there may be two live ones, but never none.
    registry.mark_live(package_arn, endpoint, execution_id, approved_by)
    replaced = registry.mark_replaced(package_arn)
    instead = f" instead of version {', '.join(replaced)}" if replaced else ""
    return f"Version {version_of(package_arn)} is live on {endpoint}{instead}; approved by {approved_by}"


def _parameters(job: Mapping[str, Any]) -> tuple[str, str]:
    """The package's ARN and the execution's id."""
    given = job["data"]["actionConfiguration"]["configuration"].get("UserParameters", "")
    try:
        parameters = json.loads(given)
        return parameters["modelPackageArn"], parameters["executionId"]
    except (ValueError, KeyError, TypeError) as problem:
        raise NotRecordedError(
            "UserParameters of the action have to be a JSON object with modelPackageArn and executionId, and are: "
            f"{given or 'missing'}."
        ) from problem


def _who_approved(pipeline: DeployPipeline, execution_id: str) -> str:
    """The ARN of who approved production in this execution. Only a rollback is let through without being asked for."""
    for action in pipeline.actions(execution_id):  # newest first: a stage that was retried counts as it ended
        if action["actionName"] == APPROVAL_ACTION and action["status"] == "Succeeded":
            return str(action.get("updatedBy") or "unknown")
    return ROLLBACK


class Registry:
    """The versions of the project's model package group."""

    def __init__(self, sagemaker: Client, group: str) -> None:
        self._sagemaker = sagemaker
        self._group = group

    def mark_live(self, arn: str, endpoint: str, execution_id: str, approved_by: str) -> None:
        """Note on a version that it is live. A second time for the same execution changes nothing."""
        package = self._describe(arn)
        noted = package.get("CustomerMetadataProperties", {})
        if noted.get(EXECUTION_ID) == execution_id and _is_live(package):
            return
        now = _now()
        leftovers = [key for key in (REPLACED_AT, REPLACED_BY) if key in noted]
        self._sagemaker.update_model_package(
            ModelPackageArn=arn,
            ModelLifeCycle={
                "Stage": STAGE,
                "StageStatus": LIVE,
                "StageDescription": f"On {endpoint} since {now}, approved by {approved_by}"[:1024],
            },
            CustomerMetadataProperties={
                DEPLOYED_AT: now,
                APPROVED_BY: _value(approved_by),
                EXECUTION_ID: execution_id,
                ENDPOINT: endpoint,
            },
            # From an earlier life of this version, before it came back
            **({"CustomerMetadataPropertiesToRemove": leftovers} if leftovers else {}),
        )

    def mark_replaced(self, by: str) -> list[str]:
        """Note on every other version that was live that it is not any more; answers which these were."""
        replaced = []
        for summary in self._live_ones():
            arn = summary["ModelPackageArn"]
            if same_package(arn, by):
                continue
            now = _now()
            rejected = summary.get("ModelApprovalStatus") == REJECTED
            self._sagemaker.update_model_package(
                ModelPackageArn=arn,
                ModelLifeCycle={
                    "Stage": STAGE,
                    "StageStatus": REJECTED if rejected else REPLACED,
                    "StageDescription": f"Replaced by version {version_of(by)} at {now}",
                },
                CustomerMetadataProperties={REPLACED_AT: now, REPLACED_BY: by},
            )
            replaced.append(version_of(arn))
        return replaced

    def _live_ones(self) -> Iterator[dict[str, Any]]:
        """Every version that says it is live. Summaries carry the stage, so that no version need be described."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self._group, PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            yield from (each for each in page["ModelPackageSummaryList"] if _is_live(each))

    def _describe(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return found


def _is_live(package: Mapping[str, Any]) -> bool:
    stage: dict[str, str] = package.get("ModelLifeCycle", {})
    return stage.get("Stage") == STAGE and stage.get("StageStatus") == LIVE


def _value(text: str) -> str:
    """A text as the registry takes it: the name of a session may hold characters that it refuses."""
    return NOT_IN_VALUES.sub("-", text)[:LONGEST_VALUE]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
