"""Take production back to the version it served before.

    make rollback REASON="answers 5xx for claims of more than 10,000"
    make rollback REASON="the same, mended" HEAD=1     a way back that failed, again from the newest commit

Rejects the version in production, with the reason, as the person who runs this. The project then starts the deploy
pipeline by itself, as it does when somebody rejects that version in Studio, from the commit that production was last
deployed from; all that is left to do here is to follow it. So nothing is lost when this is interrupted.
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deployment import artefacts, production, served, way_back
from deployment.errors import RefusedError, aws_errors_explained, explained
from deployment.execution import POLL_SECONDS, VARIABLE, Pipeline
from deployment.settings import ROLLBACK
from project_tools.project import Project, ProjectNotFoundError, find

HERE = Path(__file__).resolve().parent.parent
LONGEST_REASON = 1024  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html
SHORT = 10  # of a commit's id, for people
START_SECONDS = 180  # EventBridge, a function, CodePipeline: a few seconds each

Client = Callable[[str], Any]
Wait = Callable[[float], None]  # waits some seconds


@dataclass(frozen=True)
class Plan:
    """What going back means at this moment: which package serves, which is to be rejected, which is to serve then."""

    serving: dict[str, Any]
    rejected: dict[str, Any]
    returning: dict[str, Any]
    situation: str
    remark: str
    newest_commit: bool = False
    """Whether it is to be deployed from the newest commit, not from the one production was last deployed from."""

    @property
    def is_rejected(self) -> bool:
        """Whether the version was rejected before; then only the way back has to be started."""
        return bool(self.rejected["ModelApprovalStatus"] == "Rejected")

    def lines(self, reason: str) -> list[str]:
        """The plan for a person."""
        serving, bad, good = (
            package["ModelPackageVersion"] for package in (self.serving, self.rejected, self.returning)
        )
        if self.is_rejected:
            rejection = f"is rejected already: {self.rejected.get('ApprovalDescription') or 'no reason was given'}"
        else:
            rejection = f"will be rejected in the Model Registry: {reason}"
        if serving == good:
            comes_back = "comes back"
            meanwhile = (
                f"The deployment of version {bad} is not interrupted: version {bad} takes all traffic before version "
                f"{good} comes back, unless the alarms turn it back earlier."
            )
        else:
            comes_back = "comes back"
            meanwhile = (
                f"Version {serving} serves until traffic moves, and goes on should version {good} fail on the way."
            )
        return [
            f"{self.situation}.",
            f"  Version {bad} {rejection}",
            f"  Version {good} {comes_back}: it is approved, and was last deployed to production at "
            f"{way_back.deployed_at(self.returning)}{self.remark}.",
            *self._who_is_asked(),
            f"  {meanwhile}",
        ]

    def _who_is_asked(self) -> tuple[str, str]:
        tested = "  It goes through staging and its tests again."
        if self.newest_commit:
            return (
                f"{tested} It is deployed from the newest commit of this repository:",
                "  a person is asked, unless production was last deployed from that one.",
            )
        return (
            f"{tested} Nobody is asked: it was approved for production before.",
            "  This repository is taken as production was last deployed from it; what was pushed since comes with the "
            "next deployment.",
        )


def reason_from(environment: Mapping[str, str]) -> str:
    """The reason in REASON, on one line; raises RefusedError where there is none or it is too long."""
    reason = " ".join(environment.get("REASON", "").split())
    if not reason:
        raise RefusedError(
            'Say why, for those who ask later: make rollback REASON="what is wrong with the version in production"\n'
            "Nothing was changed."
        )
    if len(reason) > LONGEST_REASON:
        raise RefusedError(
            f"REASON has {len(reason)} characters; the Model Registry takes {LONGEST_REASON}. Nothing was changed."
        )
    return reason


def newest_commit_from(environment: Mapping[str, str]) -> bool:
    """Whether HEAD=1 is set; raises RefusedError for another value of it."""
    value = environment.get("HEAD", "")
    if value not in ("", "0", "1"):
        raise RefusedError(f"HEAD is {value!r}; it must be 1, or not be set. Nothing was changed.")
    return value == "1"


def plan(project: Project, client: Client, *, newest_commit: bool = False) -> Plan:
    """Find out what to reject and what comes back; raise RefusedError where there is nothing of either. Only looks."""
    sagemaker, s3 = client("sagemaker"), client("s3")
    endpoint, group = project.production_endpoint, project.model_package_group
    live = production.look(sagemaker, endpoint, group)
    if live.package is None:
        raise RefusedError(f"There is nothing to go back from: {live.clause}. Nothing was changed.")
    rejected, situation = live.package, live.clause
    if arriving := _arriving(sagemaker, endpoint, group):
        # In the middle of a deployment it is the version on its way in that is to go, not the one that still serves.
        rejected, situation = arriving, f"{live.clause}; version {arriving['ModelPackageVersion']} is on its way in"
    found = way_back.find(
        sagemaker,
        group,
        lambda package: artefacts.fault(s3, package, unreadable_is_a_fault=False),
        without=rejected["ModelPackageArn"],
    )
    if found.package is None:
        raise way_back.refusal(found, group, situation)
    agreed = Plan(live.package, rejected, found.package, situation, found.remark, newest_commit)
    if newest_commit and not agreed.is_rejected:
        raise RefusedError(
            "HEAD=1 is for a way back that failed: what a rejection starts takes the commit that production was last\n"
            "deployed from. Run the same without it first. Nothing was changed."
        )
    return agreed


def _arriving(sagemaker: Any, endpoint_name: str, group: str) -> dict[str, Any] | None:
    """The package that a deployment under way puts in the place of the one that serves; None without such a one."""
    endpoint = served.describe(sagemaker, endpoint_name)
    if endpoint is None or endpoint.arriving_config is None:
        return None
    if endpoint.status == "RollingBack":
        raise RefusedError(
            f"{endpoint_name} is moving its traffic back by itself at this moment, because a deployment failed.\n"
            "Wait until that has ended; then run this again if what serves is not right. Nothing was changed."
        )
    arn = served.model_package_arn(sagemaker, endpoint.arriving_config)
    if arn is None or arn == endpoint.model_package_arn or not production.belongs(arn, group):
        return None
    package: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    return package


def carry_out(project: Project, agreed: Plan, reason: str, client: Client, wait: Wait = time.sleep) -> None:
    """Reject what is to be rejected and follow the way back to its end; raise RefusedError unless it succeeds."""
    pipeline = Pipeline(client("codepipeline"), project.deploy_pipeline)
    known = pipeline.newest()
    if agreed.is_rejected:
        sources = [] if agreed.newest_commit else pipeline.sources_of_production()
        commits = ", ".join(source["revisionValue"][:SHORT] for source in sources)
        _say(f"Starting the way back again, from {f'commit {commits}' if commits else 'the newest commit'}.")
        execution_id = pipeline.start_way_back(sources)
    else:
        client("sagemaker").update_model_package(
            ModelPackageArn=agreed.rejected["ModelPackageArn"],
            ModelApprovalStatus="Rejected",
            ApprovalDescription=reason,
        )
        with _going_on_by_itself(pipeline):
            _say(f"Version {agreed.rejected['ModelPackageVersion']} is rejected. Waiting for {pipeline.name} to start.")
            execution_id = _started(project, pipeline, known, wait)
    follow(project, pipeline, execution_id, client, wait)


@contextmanager
def _going_on_by_itself(pipeline: Pipeline) -> Iterator[None]:
    """Say, whatever ends the watching, that it does not end the way back."""
    goes_on = (
        f"The way back goes on by itself: look at {pipeline.name} in CodePipeline, or run this again to follow it."
    )
    try:
        yield
    except KeyboardInterrupt:
        _say(f"\n{goes_on}")
        raise
    except (ClientError, BotoCoreError) as error:
        raise RefusedError(f"{explained(error)}\n{goes_on}") from error


def _started(project: Project, pipeline: Pipeline, known: Mapping[str, str], wait: Wait) -> str:
    for _ in range(int(START_SECONDS / POLL_SECONDS)):
        execution_id = pipeline.way_back_since(known)
        if execution_id is not None:
            return execution_id
        wait(POLL_SECONDS)
    raise RefusedError(
        f"The version is rejected, but {pipeline.name} did not start within {START_SECONDS} seconds, so production\n"
        f"still serves what it did. The log /aws/sagemaker-projects/{project.prefix}-functions may say why.\n"
        "Start the way back yourself:\n"
        f"  aws codepipeline start-pipeline-execution --name {pipeline.name} "
        f"--variables name={VARIABLE},value={ROLLBACK}"
    )


def follow(project: Project, pipeline: Pipeline, execution_id: str, client: Client, wait: Wait = time.sleep) -> None:
    """Tell how the way back goes until it has ended, and what is live then; raise RefusedError unless it succeeded."""
    with _going_on_by_itself(pipeline):
        _say(f"Following execution {execution_id} of {pipeline.name}:")
        status = pipeline.follow(execution_id, wait, lambda line: _say(f"  {line}"))
    live = production.look(client("sagemaker"), project.production_endpoint, project.model_package_group)
    if status == "Succeeded":
        _say(f"Done: {live.clause}.")
        return
    failed = [action.line() for action in pipeline.actions(execution_id) if action.status in {"Failed", "Abandoned"}]
    because = f"\n  {failed[-1]}" if failed else ""
    advice = (
        "Another execution overtook it. While production serves a rejected version, the project starts the way back\n"
        "again by itself, three times at most: the same command follows it, or starts it."
        if status == "Superseded"
        else "`make why` shows the cause. The same command starts the way back again, from the same commit; when what\n"
        "mends it was pushed, with HEAD=1 from the newest one, which needs an approval like any other."
    )
    raise RefusedError(f"The way back ended as {status}.{because}\nNow {live.clause}.\n{advice}")


def main(environment: Mapping[str, str], project: Project, client: Client, wait: Wait = time.sleep) -> None:
    """Go back, or follow a way back that is under way already; raise RefusedError where that does not succeed."""
    reason = reason_from(environment)
    newest_commit = newest_commit_from(environment)
    pipeline = Pipeline(client("codepipeline"), project.deploy_pipeline)
    under_way = pipeline.way_back_under_way()
    if under_way is not None:
        _say("A way back is under way already. Nothing more is rejected.")
        follow(project, pipeline, under_way, client, wait)
        return
    agreed = plan(project, client, newest_commit=newest_commit)
    for line in agreed.lines(reason):
        _say(line)
    carry_out(project, agreed, reason, client, wait)


def _say(line: str) -> None:
    print(line, flush=True)  # a person watches, perhaps through a pipe


if __name__ == "__main__":
    try:
        with aws_errors_explained():
            here = find(HERE, os.environ)
            main(os.environ, here, functools.cache(boto3.Session(region_name=here.region or None).client))
    except (RefusedError, ProjectNotFoundError) as error:
        sys.exit(f"make rollback: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
