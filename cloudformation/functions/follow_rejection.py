"""EventBridge: a model version was rejected in the registry.

    it is on its way to production      its executions of the deploy pipeline are stopped
    it is live, or reaches production   the version that was live before it comes back: an execution with `rollback`
    it is the live version's challenger an execution with `auto` leaves it out: the same version goes on being live
    it is to come as a challenger       the executions that bring it are stopped, and the newest begins again without it
    anything else                       nothing

What a rollback needs besides, follow_deployments.py does for every rollback. Events may come twice, late, or out of
order, so the registry is asked what holds now, and a rollback that is on its way already is not started again.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

import notifications
from aws import Client, client, explained, is_missing
from deployments import AUTO, BECAUSE_REJECTED, ROLLBACK, Deployment, DeployPipeline
from going_back import GoingBack, token_at, token_without
from live_model import challenging_package, same_package, served_package, version_of
from patience import Context, OutOfTimeError, Patience
from reviewed_source import Revisions, let_in, short

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


class StillResolvingError(Exception):
    """An execution may be choosing the rejected version, and takes longer over it than an invocation can wait."""


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Follow one rejection. What fails is told to people, and left to Lambda, which runs the event again, twice."""
    try:
        _follow_to_the_end(event["detail"], Patience(context.get_remaining_time_in_millis))
    except Exception as problem:
        log.exception("The rejection could not be followed")
        _tell_failure(event, problem)
        raise


def _follow_to_the_end(detail: Mapping[str, Any], patience: Patience) -> None:
    """Follow the rejection, and once more while executions have yet to say which version they carry.

    Raises StillResolvingError.
    """
    resolving: list[Deployment] = []

    def nothing_left() -> bool:
        resolving[:] = _follow(detail)
        return not resolving

    try:
        patience.wait_until(nothing_left, "the executions to choose their version")
    except OutOfTimeError as problem:
        ids = ", ".join(each.execution_id for each in resolving)
        raise StillResolvingError(
            f"Which version these executions carry is not known yet: {ids}. When one of them asks for the approval of "
            "this version, reject it there."
        ) from problem


def _follow(detail: Mapping[str, Any]) -> list[Deployment]:
    """Do now what has to be done; answers the executions that may turn out to carry the version later."""
    sagemaker = client("sagemaker")
    package = _rejected(sagemaker, detail["ModelPackageArn"])
    if package is None:
        return []
    pipeline = DeployPipeline(client("codepipeline"), os.environ["DEPLOY_PIPELINE"])
    endpoint, group = os.environ["PRODUCTION_ENDPOINT_NAME"], os.environ["MODEL_PACKAGE_GROUP_NAME"]
    live = served_package(sagemaker, endpoint)
    arn = package["ModelPackageArn"]
    challenges = same_package(challenging_package(sagemaker, endpoint), arn)
    rejection = Rejection(package, pipeline, is_live=same_package(live, arn), challenges=challenges)
    rejection.follow(token_at(pipeline, arn, _moment(detail, package)))
    if rejection.done:
        subject, text = rejection.report(group)
        notifications.publish(client("sns"), os.environ["NOTIFICATION_TOPIC_ARN"], subject, text)
    if rejection.ended_rollback:
        message = GoingBack(sagemaker, pipeline, endpoint, group).take_up(rejection.ended_rollback)
        if message:
            notifications.publish(client("sns"), os.environ["NOTIFICATION_TOPIC_ARN"], message.subject, message.text)
    elif not rejection.done:
        log.info("Version %s is neither live nor on its way to production: nothing to do", rejection.version)
    return rejection.resolving


def _tell_failure(event: Mapping[str, Any], problem: Exception) -> None:
    """Tell people what did not happen and what they can do, whatever the failure is. Hides no other error."""
    try:
        detail = event.get("detail", {})
        version = version_of(str(detail.get("ModelPackageArn", "?")))
        group = os.environ["MODEL_PACKAGE_GROUP_NAME"]
        why = explained(problem) if isinstance(problem, ClientError) else str(problem) or repr(problem)
        text = (
            f"Version {version} of {group} was rejected in the Model Registry, and what has to follow could not be "
            f"done or not to its end.\n\n{why}\n\n"
            "It is tried again by itself, twice, within minutes. Look at the deploy pipeline after that: an execution "
            "that carries the version must not be approved. If production still serves the version, run this in a "
            f'clone of the model-deploy repository: make rollback REASON="version {version} was rejected"\n\n'
            "The log of the project's functions says more."
        )
        subject = f"{group}: version {version} was rejected, and following that failed"
        notifications.publish(client("sns"), os.environ["NOTIFICATION_TOPIC_ARN"], subject, text)
    except Exception:
        log.exception("Nobody could be told of that failure")


def _rejected(sagemaker: Client, arn: str) -> dict[str, Any] | None:
    """The version as the registry has it now; None when it is not rejected (any more)."""
    try:
        package: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if is_missing(error):
            log.info("%s was deleted since it was rejected: nothing to do", arn)
            return None
        raise
    if package["ModelApprovalStatus"] != "Rejected":
        log.info("%s is %s by now: nothing to do", arn, package["ModelApprovalStatus"])
        return None
    return package


def _moment(detail: Mapping[str, Any], package: Mapping[str, Any]) -> datetime:
    """When the version was rejected: by its event, as the registry counts later edits of the version, too."""
    try:
        told = datetime.fromisoformat(str(detail["LastModifiedTime"]))
        return told if told.tzinfo else told.replace(tzinfo=UTC)
    except (KeyError, ValueError):
        found: datetime = package.get("LastModifiedTime") or package["CreationTime"]
        return found


class Rejection:
    """A rejected version and what has to be done about it."""

    def __init__(
        self, package: Mapping[str, Any], pipeline: DeployPipeline, *, is_live: bool, challenges: bool = False
    ) -> None:
        self._package = package
        self._arn: str = package["ModelPackageArn"]
        self._pipeline = pipeline
        self._is_live = is_live
        self._challenges = challenges
        self._leaving_id = ""
        self._again_id = ""
        self._stopped_beside: list[Deployment] = []
        self._stopped: list[Deployment] = []
        self._rollback_id = ""
        self._rolls_back_from: Revisions = frozenset()
        self.version = version_of(self._arn)
        self.resolving: list[Deployment] = []
        """Executions that began before the rejection and have not said yet which version they carry."""
        self.ended_rollback: Deployment | None = None
        """What an earlier event of this rejection started, if it is over already."""

    @property
    def done(self) -> bool:
        """Whether anything was changed."""
        return bool(self._stopped or self._stopped_beside or self._rollback_id or self._leaving_id)

    def follow(self, request_token: str) -> None:
        """Stop what carries the version; bring back the one before it where this one is live or becomes so."""
        under_way = list(self._pipeline.in_flight())
        reaches_production = any(each.carries(self._arn) and each.reached_production for each in under_way)
        ahead = [each for each in under_way if not each.reached_production]
        carriers = [each for each in ahead if each.carries(self._arn)]
        rollbacks = [each for each in carriers if each.goes_back]
        # A rollback brings no challenger, it leaves one where it is: its end sees to that.
        beside = [each for each in ahead if each.brings_beside(self._arn) and not each.goes_back]
        self._stop(each for each in carriers if not each.goes_back)
        # Approved in the moment between looking and stopping: then production is changing after all.
        overtaken = any(self._pipeline.look_again(each).reached_production for each in self._stopped)
        others = [each for each in under_way if not each.carries(self._arn)]
        # A rollback to this version was wanted because another version has to go: that holds still. It is stopped last:
        # were it gone and no other one started, nobody who tries again could know that there is to be one.
        if self._is_live or reaches_production or overtaken or rollbacks:
            self._go_back(others, request_token)
        elif self._challenges:
            self._leave_out(request_token)
        elif beside:
            self._start_again(beside[0])
        self._stop(rollbacks)
        self._stop_beside(beside)
        rejected_at = self._package.get("LastModifiedTime") or self._package["CreationTime"]
        self.resolving = [each for each in others if each.package_arn is None and each.started < rejected_at]

    def _stop(self, carriers: Iterable[Deployment]) -> None:
        reason = f"Version {self.version} {BECAUSE_REJECTED}"
        self._stopped.extend(each for each in carriers if self._pipeline.stop(each, reason))

    def _stop_beside(self, bringing: Iterable[Deployment]) -> None:
        reason = f"Version {self.version}, its challenger, {BECAUSE_REJECTED}"
        self._stopped_beside.extend(each for each in bringing if self._pipeline.stop(each, reason))

    def _start_again(self, brings_it: Deployment) -> None:
        """Deploy without a challenger what was to come with it: a build takes no rejected version for one."""
        self._again_id = self._pipeline.start(brings_it.asked_for, token_without(self._arn, brings_it))

    def _go_back(self, others: Sequence[Deployment], request_token: str) -> None:
        """Bring back the version before, from what production was last deployed from."""
        if any(each.goes_back for each in others):
            log.info("A rollback is on its way already")
            return
        sources = let_in(self._pipeline)
        started = self._pipeline.start(ROLLBACK, request_token, sources)
        found = self._pipeline.find(started)
        if found is not None and found.is_over:
            log.info("The rollback %s of this rejection ended as %s already", started, found.status)
            self.ended_rollback = found
        else:
            self._rollback_id, self._rolls_back_from = started, sources

    def _leave_out(self, request_token: str) -> None:
        """Deploy what is live once more: a build takes no rejected version for a challenger."""
        started = self._pipeline.start(AUTO, request_token)
        found = self._pipeline.find(started)
        if found is None or not found.is_over:
            self._leaving_id = started

    def report(self, group: str) -> tuple[str, str]:
        """Subject and text of the message to the people of the project."""
        parts = [f"Version {self.version} of {group} was rejected in the Model Registry."]
        if self._package.get("ApprovalDescription"):
            parts.append(f"Reason given: {self._package['ApprovalDescription']}")
        if self._stopped:
            parts.append(
                f"Stopped on its way to production:\n{_listed(self._stopped)}\n"
                "It starts again when somebody approves the version."
            )
        if self._rollback_id:
            where = "It is live in production" if self._is_live else "It was about to be live in production"
            parts.append(
                f"{where}. Execution {self._rollback_id} of {self._pipeline.name} brings back the version that was "
                f"live before it and is still approved. {self._who_is_asked()} "
                "If there is none, that execution fails, says so, and production stays as it is."
            )
        if self._leaving_id:
            parts.append(
                f"It serves beside the live version, to be compared with it. Execution {self._leaving_id} of "
                f"{self._pipeline.name} deploys the live version alone; before production, it asks for approval as "
                "every deployment does. Until then the rejected version gets its share of the requests."
            )
        if self._stopped_beside:
            parts.append(
                "It was to serve as a challenger beside the version that these deploy. They were stopped:\n"
                f"{_listed(self._stopped_beside)}"
            )
            if self._again_id:
                parts.append(
                    f"Execution {self._again_id} of {self._pipeline.name} begins again without it, and asks before "
                    "production."
                )
            else:
                again = self._pipeline.command_to_start(self._stopped_beside[0].asked_for)
                parts.append(f"When production is as it should be, start the newest of them again with:\n    {again}")
        outcome = "its deployment was stopped"
        if self._rollback_id:
            outcome = "production goes back"
        elif self._leaving_id or (self._stopped_beside and not self._stopped):
            outcome = "it is taken out of the comparison"
        return f"{group}: version {self.version} was rejected, {outcome}", "\n\n".join(parts)

    def _who_is_asked(self) -> str:
        if not self._rolls_back_from:
            return "You are asked before production, because nothing says from which commit it was deployed before."
        return (
            f"Nobody is asked again, because it was approved before, and the model-deploy repository is taken as "
            f"production was last deployed from it ({short(self._rolls_back_from)}): what was pushed since then comes "
            "with the next deployment."
        )


def _listed(deployments: Sequence[Deployment]) -> str:
    return "\n".join(f"- execution {each.execution_id}" for each in deployments)
