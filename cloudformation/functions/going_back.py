"""Going back: production is to leave a rejected version for the one before it, whoever asked for that.

    a rollback starts      what would make it wait is stopped, if production has something to go back from
    an execution ends      if production still serves a rejected version and nothing else is on its way, another
                           rollback starts; after MOST_ROLLBACKS of them, or when one failed, people are told instead.
                           If it left a rejected challenger beside the live version, that one is deployed again alone

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, is_missing
from deployments import (
    AUTO,
    BECAUSE_REJECTED,
    FAILED,
    IN_PROGRESS,
    NOTHING_TO_DO,
    ROLLBACK,
    STOPPED,
    STOPPING,
    Deployment,
    DeployPipeline,
)
from live_model import challenging_package, served_package, version_of
from reviewed_source import let_in

APPROVED, REJECTED = "Approved", "Rejected"
EXECUTION_ID = "production.execution-id"
MOST_ROLLBACKS = 3
"""How many rollbacks of one rejection may have begun before no further one begins by itself."""
MOST_LOOKED_AT = 25

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """What people have to know."""

    subject: str
    text: str


def token_at(pipeline: DeployPipeline, version_arn: str, moment: datetime) -> str:
    """With what a rollback is asked for because of a rejection at this moment, which is the same for all that ask:

    for every event of the rejection, and for the end of the execution that left the rejected version in production. So
    CodePipeline starts one execution for all of them.
    """
    for each in islice(pipeline.until(moment), MOST_LOOKED_AT):
        if each.goes_back or each.reached_production:
            return _token(each)
    return _digest(f"way back from {version_arn}")


def token_without(challenger_arn: str, execution: Deployment) -> str:
    """With what an execution is started again because its challenger was rejected."""
    return _digest(f"{execution.execution_id} without {challenger_arn}")


def _token(execution: Deployment) -> str:
    """With what a rollback after this execution is asked for."""
    return _digest(f"way back after {execution.execution_id}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class GoingBack:
    """The way back of one project at this moment."""

    def __init__(self, sagemaker: Client, pipeline: DeployPipeline, endpoint: str, group: str) -> None:
        self._sagemaker = sagemaker
        self._pipeline = pipeline
        self._endpoint = endpoint
        self._group = group

    def live(self) -> dict[str, Any] | None:
        """The version that production serves, as the registry has it; None when nobody can know."""
        return self._version(served_package(self._sagemaker, self._endpoint))

    def needless(self, rollback: Deployment) -> str | None:
        """The number of the version that serves, if that is approved and no rejected one came on top of it.

        A rollback then has nothing to leave: by the registry it would bring back the version that is live.
        """
        live = self.live()
        if live is None or live["ModelApprovalStatus"] != APPROVED:
            return None
        put_there_by = live.get("CustomerMetadataProperties", {}).get(EXECUTION_ID)
        for each in islice(self._pipeline.before(rollback.execution_id), MOST_LOOKED_AT):
            if each.execution_id == put_there_by:
                break
            if each.reached_production and self.carries_rejected(each):
                return None  # on its way in, or came that far
        return version_of(live["ModelPackageArn"])

    def carries_rejected(self, deployment: Deployment) -> bool:
        """Whether an execution carries a version that is rejected by now."""
        package = self._version(deployment.package_arn)
        return package is not None and package["ModelApprovalStatus"] == REJECTED

    # ---- when a rollback starts

    def clear_the_way(self, rollback: Deployment) -> Message | None:
        """Stop the executions that began before a rollback and are not in production yet; what people have to know.

        A stage holds one execution at a time, so each of them would make the rollback wait for an approver: those that
        wait for one now, and those that soon would.
        """
        if rollback.is_over or self.needless(rollback):
            return None
        reason = f"Makes way for the rollback {rollback.execution_id}"
        moved: list[Deployment] = []
        overtaken: list[Deployment] = []
        for each in self._pipeline.before(rollback.execution_id, {IN_PROGRESS, STOPPING}):
            # An earlier try may have begun to stop it. What somebody else stops is up to them.
            ours = each.status == IN_PROGRESS or each.stop_reason == reason
            if ours and not each.goes_back and not each.reached_production and self._pipeline.stop(each, reason):
                approved_meanwhile = self._pipeline.look_again(each).reached_production
                (overtaken if approved_meanwhile else moved).append(each)
        if not (moved or overtaken):
            return None
        parts = [
            f"Execution {rollback.execution_id} of {self._pipeline.name} takes production of {self._group} back to an "
            "earlier version."
        ]
        if moved:
            parts.append(
                f"Stopped so that it does not hold that up; start it again afterwards with:\n{self._again(moved)}"
            )
        if overtaken:
            parts.append(
                "Approved just before they could be stopped: what these do in production at this moment is let end, "
                f"and nothing of them after that. To have one after the way back, start it again with:\n"
                f"{self._again(overtaken)}"
            )
        return Message(f"{self._group}: a deployment was stopped, production goes back", "\n\n".join(parts))

    def _again(self, deployments: Sequence[Deployment]) -> str:
        """How each is started again."""
        return "\n".join(
            f"- execution {each.execution_id}\n    "
            f"{self._pipeline.command_to_start(each.package_arn or each.asked_for)}"
            for each in deployments
        )

    # ---- when an execution ends

    def take_up(self, ended: Deployment) -> Message | None:
        """See to it that an execution that ended leaves no rejected version in production; what people have to know."""
        if not (ended.goes_back or ended.reached_production):
            return None
        live = self.live()
        if live is None or live["ModelApprovalStatus"] != REJECTED:
            return self._leave_out_challenger(ended)
        if ended.goes_back and (BECAUSE_REJECTED in ended.stop_reason or ended.stop_reason.startswith(NOTHING_TO_DO)):
            return None  # stopped by a function that sees to it
        if self._is_seen_to(ended):
            return None
        version = version_of(live["ModelPackageArn"])
        if ended.goes_back and ended.status in (FAILED, STOPPED):
            # Nobody knows whether it would go better the next time, and whoever stopped it meant it.
            return self._asks_for_help(version, ended, "It is not tried again by itself.")
        rejected_at = live.get("LastModifiedTime") or live["CreationTime"]
        begun = sum(each.goes_back for each in self._pipeline.since(rejected_at))
        if begun >= MOST_ROLLBACKS:
            return self._asks_for_help(
                version, ended, f"{begun} rollbacks began by now; no further one does by itself."
            )
        started = self._pipeline.start(ROLLBACK, _token(ended), let_in(self._pipeline))
        found = self._pipeline.find(started)
        if found is not None and found.is_over:
            log.info("The rollback %s of this ended as %s already; its own end is followed, too", started, found.status)
            return None
        return Message(
            f"{self._group}: production still has to leave version {version}",
            f"Version {version} of {self._group} is rejected and live in production, and execution "
            f"{ended.execution_id} of {self._pipeline.name}, which ended as {ended.status}, left it there. "
            f"Execution {started} takes production back now.",
        )

    def _leave_out_challenger(self, ended: Deployment) -> Message | None:
        """Deploy what is live once more, without a challenger that was rejected after its execution's build took it.

        An execution that began after the rejection is not answered by another one: its build left the version out.
        """
        challenger = self._version(challenging_package(self._sagemaker, self._endpoint))
        if challenger is None or challenger["ModelApprovalStatus"] != REJECTED:
            return None
        rejected_at = challenger.get("LastModifiedTime") or challenger["CreationTime"]
        version = version_of(challenger["ModelPackageArn"])
        if ended.started >= rejected_at:
            log.warning("Execution %s left rejected version %s beside the live one", ended.execution_id, version)
            return None
        started = self._pipeline.start(AUTO, _digest(f"without challenger after {ended.execution_id}"))
        return Message(
            f"{self._group}: rejected version {version} has to leave the comparison",
            f"Version {version} of {self._group} was rejected while execution {ended.execution_id} of "
            f"{self._pipeline.name} was on its way, which put it beside the live version all the same. Execution "
            f"{started} deploys the live version alone; before production, it asks for approval as every deployment "
            "does.",
        )

    def _is_seen_to(self, ended: Deployment) -> bool:
        """Whether another execution under way takes the rejected version out of production."""
        for each in self._pipeline.in_flight():
            if each.execution_id == ended.execution_id:
                continue
            if each.goes_back:
                log.info("The rollback %s is on its way", each.execution_id)
                return True
            if each.reached_production and not self.carries_rejected(each):
                log.info("Execution %s deploys another version right now", each.execution_id)
                return True
        return False

    def _asks_for_help(self, version: str, ended: Deployment, why_not: str) -> Message:
        return Message(
            f"{self._group}: production still serves rejected version {version}",
            f"Production still serves version {version} of {self._group}, which is rejected: execution "
            f"{ended.execution_id} of {self._pipeline.name}, which should take it back, ended as {ended.status}"
            f"{f' ({ended.stop_reason})' if ended.stop_reason else ''}. {why_not}\n\n"
            "What to do, in a clone of the model-deploy repository: `make why` says what went wrong. When that is "
            f'mended, `make rollback REASON="version {version} was rejected"` starts the way back again, from the same '
            "commit; with `HEAD=1` from the newest one, which then needs an approval like any other. Or approve "
            "another version in the Model Registry: that deploys it, and asks you before production.",
        )

    def _version(self, arn: str | None) -> dict[str, Any] | None:
        if arn is None or f"/{self._group}/".lower() not in arn.lower():
            return None
        try:
            package: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return package
