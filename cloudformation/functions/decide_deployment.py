"""CodePipeline action: is this deployment wanted, and must a person be asked before production?

The build of the model-deploy repository says which version it found. Whoever may push there must not decide by that
who is asked, so this is decided here, by what CodePipeline and the Model Registry say:

    everything                                 a person is asked
    but a rollback to a version that was in    nobody is asked: somebody approved it for production before
    production and is still approved, from
    the commit that production came from
    an approval that came twice                nothing is to be done, so the execution stops here, before it can
                                               overtake the one that does it
    a rollback while the version that serves   refused: it has nothing to leave
    is approved

The version that is judged is handed on from here, and both stacks are given it by the pipeline: no file of the
repository can name another one. So it is with the challenger that is to serve beside it in production: which version,
what it is, and its part of the requests. It must be approved by now, and who is asked is told of it.

An error fails the action, and with it the execution: nothing is deployed then, and nothing is skipped.
"""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import challenger
import pipeline_job
from aws import Client, client
from challenger import Challenger
from deployments import (
    ASK_VARIABLE,
    IN_PROGRESS,
    JUDGED_VARIABLE,
    NOTHING_TO_DO,
    STARTED_BY_EVENT,
    Deployment,
    DeployPipeline,
)
from going_back import GoingBack
from live_model import challenging_package, same_package, served_package, version_of
from patience import Context, OutOfTimeError, Patience
from pipeline_job import ActionFailedError, Done, Job
from reviewed_source import changed_since_production
from staging_stack import StagingStack

# What later actions are told, and by the first a stage is skipped; a test reads both sides.
ASK, DO_NOT_ASK = {ASK_VARIABLE: "yes"}, {ASK_VARIABLE: "no"}
VERSION_VARIABLE, WHY_VARIABLE = "MODEL_PACKAGE_VERSION", "WHY_ASKED"
WHAT_NOW = "Nothing was deployed."
# As record_deployment.py writes them; nobody else may: see project.yaml and account-setup.yaml.
STAGE = "Production"
DEPLOYED_AT = "production.deployed-at"
APPROVED_BY = "production.approved-by"
NOBODY = "nobody"

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Decide and answer CodePipeline, whatever happens."""
    patience = Patience(context.get_remaining_time_in_millis)
    pipeline_job.answer(event, lambda job: _decide(job, patience), WHAT_NOW)


def _decide(job: Job, patience: Patience) -> Done:
    """Do it. Raises ActionFailedError."""
    # What a build says may hold anything, other members too; of two members of one name the last counts.
    arn, beside, kind, percent, execution_id = pipeline_job.parameters(
        job, ("modelPackageArn", "challengerArn", "challengerKind", "challengerPercent", "executionId")
    )
    if not arn.startswith("arn:"):
        return Done("Nothing to deploy", ASK)
    pipeline = DeployPipeline(client("codepipeline"), os.environ["DEPLOY_PIPELINE"])
    deployment = pipeline.find(execution_id)
    if deployment is None:
        raise ActionFailedError(f"CodePipeline does not know the execution {execution_id} (any more).")
    _check_version(arn, deployment)
    named = challenger.named_by_build(beside, kind, percent, os.environ["MODEL_PACKAGE_GROUP_NAME"])
    decision = Decision(client("sagemaker"), pipeline, deployment, arn, named)
    superfluous = decision.superfluous()
    if superfluous:
        # It ends when this action has ended: stopped at once, it could not hear the answer to its job.
        pipeline.stop(deployment, superfluous, wait=True)
        return Done(superfluous, ASK)
    decision.check_rollback()
    decision.check_challenger()
    done = decision.question()
    decision.make_way()
    _wait_for_staging(patience)
    judged = {JUDGED_VARIABLE: arn, VERSION_VARIABLE: version_of(arn), WHY_VARIABLE: done.summary}
    return Done(done.summary, {**done.variables, **judged, **named.variables(keeps=decision.keeps_challenger)})


def _wait_for_staging(patience: Patience) -> None:
    """The execution before may just have ended, and staging be taken down after it: see staging_stack.py."""
    name = os.environ["STAGING_STACK_NAME"]
    try:
        StagingStack(client("cloudformation"), name).wait_until_settled(patience)
    except OutOfTimeError as problem:
        raise ActionFailedError(
            f"The stack {name} of the deployment before is still being deleted. Wait until it is gone, then retry the "
            "stage's failed actions."
        ) from problem


def _check_version(arn: str, deployment: Deployment) -> None:
    """Raise ActionFailedError unless the build named a version of this project, and the one that was asked for."""
    group = os.environ["MODEL_PACKAGE_GROUP_NAME"]
    if not re.fullmatch(challenger.version_pattern(group), arn, re.I):
        raise ActionFailedError(f"The build names {arn!r}, which is no version of {group}.")
    if deployment.asked_for.startswith("arn:") and not same_package(deployment.asked_for, arn):
        raise ActionFailedError(
            f"The build names version {version_of(arn)}, but this execution was started for version "
            f"{version_of(deployment.asked_for)}: what is approved is what is deployed. Look at what was pushed to the "
            "model-deploy repository."
        )


class Decision:
    """What is decided about one execution and the version that it carries."""

    def __init__(
        self, sagemaker: Client, pipeline: DeployPipeline, deployment: Deployment, arn: str, beside: Challenger
    ) -> None:
        self._sagemaker = sagemaker
        self._pipeline = pipeline
        self._deployment = deployment
        self._arn = arn
        self._beside = beside
        self._version = version_of(arn)
        self._endpoint = os.environ["PRODUCTION_ENDPOINT_NAME"]
        self._group = os.environ["MODEL_PACKAGE_GROUP_NAME"]

    def superfluous(self) -> str | None:
        """Why nothing has to be done, or None.

        Only for what came by an event, which may come twice, and for rollbacks: what a person starts by hand is done.
        """
        by_approval = self._deployment.trigger == STARTED_BY_EVENT and self._deployment.asked_for.startswith("arn:")
        if not (by_approval or self._deployment.goes_back):
            return None
        ahead = next(self._pipeline.before(self._deployment.execution_id, {IN_PROGRESS}), None)
        if ahead is not None:
            # With another version between, the last word counts.
            same_kind = ahead.goes_back or not self._deployment.goes_back
            # It waits for a person because of what the repository held then: that says nothing of what it holds now.
            waits_alone = self._deployment.goes_back and ahead.asks and ahead.revisions != self._deployment.revisions
            if same_kind and ahead.carries(self._arn) and not waits_alone:
                return f"{NOTHING_TO_DO}: execution {ahead.execution_id} deploys version {self._version} already"
        elif by_approval and same_package(served_package(self._sagemaker, self._endpoint), self._arn):
            return f"{NOTHING_TO_DO}: version {self._version} is live in production already"
        return None

    def check_rollback(self) -> None:
        """Raise ActionFailedError for a rollback that has nothing to leave."""
        if not self._deployment.goes_back:
            return
        version = GoingBack(self._sagemaker, self._pipeline, self._endpoint, self._group).needless(self._deployment)
        if version:
            raise ActionFailedError(
                f"Version {version} is live and approved: reject it first, in the Model Registry, or run "
                "`make rollback` in a clone of the model-deploy repository. Either starts the way back by itself."
            )

    @property
    def keeps_challenger(self) -> bool:
        """Whether a rollback only leaves beside the version that comes back what serves beside the live one now."""
        return (
            self._deployment.goes_back
            and self._beside.is_there
            and same_package(challenging_package(self._sagemaker, self._endpoint), self._beside.arn)
        )

    def check_challenger(self) -> None:
        """Raise ActionFailedError for a challenger that may not serve.

        One that stays is no reason to hold a rollback up: if it is rejected, the end of that sees to it.
        """
        if self._beside.is_there and not self.keeps_challenger:
            challenger.check_approved(self._sagemaker, self._beside.arn, self._group)

    def question(self) -> Done:
        """Whether a person is asked before production."""
        if not self._deployment.goes_back:
            return Done(f"Version {self._version} needs the approval of a person before production", ASK)
        package = self._sagemaker.describe_model_package(ModelPackageName=self._arn)
        noted = package.get("CustomerMetadataProperties", {})
        by = noted.get(APPROVED_BY, NOBODY)
        known = (
            package["ModelPackageGroupName"].lower() == self._group.lower()
            and package["ModelApprovalStatus"] == "Approved"
            and package["ModelPackageStatus"] == "Completed"
            and package.get("ModelLifeCycle", {}).get("Stage") == STAGE
            and DEPLOYED_AT in noted
            and by != NOBODY
        )
        if not known:
            return Done(
                f"Version {self._version} needs the approval of a person: nothing says that it was approved for "
                "production before, or it is not approved any more",
                ASK,
            )
        if self._beside.is_there and not self.keeps_challenger:
            return Done(
                f"Version {self._version} comes back, and a person is asked: version {version_of(self._beside.arn)} "
                "would begin as its challenger",
                ASK,
            )
        changed = changed_since_production(self._pipeline, self._deployment)
        if changed:
            return Done(f"Version {self._version} comes back, and a person is asked: {changed}", ASK)
        return Done(f"Version {self._version} comes back; {by} approved it for production before", DO_NOT_ASK)

    def make_way(self) -> None:
        """Stop the rollbacks ahead of this one that ask a person: they would make it wait for the answer."""
        if not self._deployment.goes_back:
            return
        for each in self._pipeline.before(self._deployment.execution_id, {IN_PROGRESS}):
            if each.goes_back and each.asks and not each.reached_production:
                self._pipeline.stop(each, f"Makes way for the rollback {self._deployment.execution_id}")
