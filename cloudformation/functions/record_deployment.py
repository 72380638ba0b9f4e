"""CodePipeline action: write into the Model Registry which version is live in production, since when, and who said so.

    the version that was just deployed   stage Production, status Live,     production.deployed-at, .approved-by, ...
    the one that is compared with it     production.challenger-at, .challenger-on, .challenger-execution-id
    the one that was live before it      stage Production, status Replaced, production.replaced-at, .replaced-by
                                         (Rejected, when it was rejected)

`rollback` finds its way back by these records. A stage of mode batch is run once with its new version.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pipeline_job
from aws import Client, client
from batch_stage import model_names, start_run
from deployments import APPROVAL_ACTION, ROLLBACK, DeployPipeline
from live_model import challenging_package, same_package, serves_besides, version_of
from pipeline_job import ActionFailedError, Done, Job

STAGE, LIVE, REPLACED, REJECTED = "Production", "Live", "Replaced", "Rejected"
DEPLOYED_AT = "production.deployed-at"
APPROVED_BY = "production.approved-by"
CAME_BY = "production.came-by"
ASKED, NOBODY_ASKED, UNKNOWN, NOBODY = "approval", "nobody-asked", "unknown", "nobody"
"""Besides `rollback`, how a version came into production; and who approved it, when nothing says so or nobody did."""
EXECUTION_ID = "production.execution-id"
ENDPOINT = "production.endpoint"
CHALLENGER_AT = "production.challenger-at"
CHALLENGER_ON = "production.challenger-on"
CHALLENGER_EXECUTION_ID = "production.challenger-execution-id"
"""When a version was last deployed to be compared with the live one, where, and by which execution."""
REPLACED_AT = "production.replaced-at"
REPLACED_BY = "production.replaced-by"
LONGEST_VALUE = 256
NOT_IN_VALUES = re.compile(r"[^\w .:/=+@-]")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html"""
ONLY_THE_RECORD = "Production itself is deployed; only its record is missing. Retry the stage's failed actions."
NOT_WHAT_WAS_JUDGED = (
    "Nothing is recorded. Either another deployment came between, or endpoint-config-template.yml of the model-deploy "
    "repository does not serve its parameter ModelPackageName, beside it ChallengerModelPackageName, and nothing else: "
    "look at what was pushed there, put it right, and approve the version to serve in the Model Registry."
)

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


@dataclass(frozen=True)
class Approval:
    """Who let a version into production, and whether they were asked for this deployment."""

    by: str
    came_by: str

    @property
    def words(self) -> str:
        if self.came_by == ROLLBACK:
            return f"brought back by a rollback; approved by {self.by} before"
        if self.came_by == NOBODY_ASKED:
            return f"approved by {self.by}: its execution asked no one, and it was never in production before"
        return f"approved by {self.by}"


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Record a deployment and answer CodePipeline, whatever happens."""
    pipeline_job.answer(event, _record, ONLY_THE_RECORD)


def _record(job: Job) -> Done:
    """Do it. Raises ActionFailedError."""
    package_arn, judged_beside, execution_id = pipeline_job.parameters(
        job, ("modelPackageArn", "challengerArn", "executionId")
    )
    endpoint = os.environ["PRODUCTION_ENDPOINT_NAME"]
    sagemaker = client("sagemaker")
    others = serves_besides(sagemaker, endpoint, package_arn, judged_beside)
    if others:
        # The pipeline gives the stack the version that was judged. What its template makes of that is seen only here.
        raise ActionFailedError(
            f"The endpoint {endpoint} serves {' and '.join(others)}, not {package_arn}, which is the version that was "
            "judged.",
            NOT_WHAT_WAS_JUDGED,
        )
    pipeline = DeployPipeline(client("codepipeline"), os.environ["DEPLOY_PIPELINE"])
    registry = Registry(sagemaker, os.environ["MODEL_PACKAGE_GROUP_NAME"])
    # The new version first: between the two writes there may be two live ones, but never none.
    approval = registry.mark_live(package_arn, endpoint, execution_id, _who_approved(pipeline, execution_id))
    replaced = registry.mark_replaced(package_arn)
    instead = f" instead of version {', '.join(replaced)}" if replaced else ""
    rejected = "; it was rejected meanwhile, so production goes back" if registry.is_rejected(package_arn) else ""
    challenger = challenging_package(sagemaker, endpoint)
    beside = ""
    if challenger:
        registry.note_challenger(challenger, endpoint, execution_id)
        beside = f", with version {version_of(challenger)} beside it to be compared"
        if registry.is_rejected(challenger):  # the end of the execution sees to that: see going_back.py
            beside += ", which was rejected meanwhile and leaves again"
    ran = "" if rejected else _run(sagemaker, endpoint, execution_id)
    return Done(
        f"Version {version_of(package_arn)} is live on {endpoint}{instead}{beside}; {approval.words}{rejected}{ran}"
    )


def _run(sagemaker: Client, stage: str, execution_id: str) -> str:
    """Run a stage of mode batch with what was just deployed, once for an execution; a clause that says so.

    BatchFailedRule tells people when the run fails.
    """
    if model_names(sagemaker, stage) is None:
        return ""
    run = start_run(sagemaker, stage, execution_id)
    return f"; run {run.rpartition('/')[2]} of it began"


def _who_approved(pipeline: DeployPipeline, execution_id: str) -> str | None:
    """The ARN of who approved production in this execution; None when nobody was asked."""
    for action in pipeline.actions(execution_id):  # newest first: a stage that was retried counts as it ended
        if action["actionName"] == APPROVAL_ACTION and action["status"] == "Succeeded":
            return str(action.get("updatedBy") or UNKNOWN)
    return None


def _approval(asked: str | None, noted: Mapping[str, str], execution_id: str) -> Approval:
    """Whose approval a version carries, by who was asked now and by what is noted on it.

    Only a rollback is let through without asking, because its version was approved for production before.
    """
    if asked:
        return Approval(asked, ASKED)
    if noted.get(EXECUTION_ID) == execution_id:
        return Approval(noted.get(APPROVED_BY, UNKNOWN), noted.get(CAME_BY, ROLLBACK))
    if DEPLOYED_AT in noted:
        return Approval(noted.get(APPROVED_BY, UNKNOWN), ROLLBACK)
    return Approval(NOBODY, NOBODY_ASKED)


class Registry:
    """The versions of the project's model package group."""

    def __init__(self, sagemaker: Client, group: str) -> None:
        self._sagemaker = sagemaker
        self._group = group

    def mark_live(self, arn: str, endpoint: str, execution_id: str, asked: str | None) -> Approval:
        """Note on a version that it is live; `asked` is who approved it just now. Answers whose approval it carries.

        A second time for the same execution changes nothing.
        """
        package = self._describe(arn)
        noted = package.get("CustomerMetadataProperties", {})
        approval = _approval(asked, noted, execution_id)
        if noted.get(EXECUTION_ID) == execution_id and _is_live(package):
            return approval
        now = _now()
        leftovers = [key for key in (REPLACED_AT, REPLACED_BY) if key in noted]
        self._sagemaker.update_model_package(
            ModelPackageArn=arn,
            ModelLifeCycle={
                "Stage": STAGE,
                "StageStatus": LIVE,
                "StageDescription": f"On {endpoint} since {now}, {approval.words}"[:1024],
            },
            CustomerMetadataProperties={
                DEPLOYED_AT: now,
                APPROVED_BY: _value(approval.by),
                CAME_BY: approval.came_by,
                EXECUTION_ID: execution_id,
                ENDPOINT: endpoint,
            },
            # From an earlier life of this version, before it came back
            **({"CustomerMetadataPropertiesToRemove": leftovers} if leftovers else {}),
        )
        return approval

    def note_challenger(self, arn: str, endpoint: str, execution_id: str) -> None:
        """Note on a version that it serves beside the live one. It does not count as one that was in production."""
        noted = self._describe(arn).get("CustomerMetadataProperties", {})
        if noted.get(CHALLENGER_EXECUTION_ID) == execution_id:
            return
        self._sagemaker.update_model_package(
            ModelPackageArn=arn,
            CustomerMetadataProperties={
                CHALLENGER_AT: _now(),
                CHALLENGER_ON: endpoint,
                CHALLENGER_EXECUTION_ID: execution_id,
            },
        )

    def is_rejected(self, arn: str) -> bool:
        return bool(self._describe(arn)["ModelApprovalStatus"] == REJECTED)

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
