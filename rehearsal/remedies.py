"""What people do when a fault that was switched on has struck, and what they see then: the promises of `faults.py`.

A remedy is what a person would do: run git again, retry the stage of a pipeline, restore an object, answer the same
question twice. Each looks first whether the failure is the promised one, and raises StoryError when it is not. A fault
that ends as promised without anybody's doing needs none; `confirm` looks whether it did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.callers import Callers
from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.cloud.faults import (
    BUILD_TIMEOUT,
    DUPLICATED_EVENT,
    ENDPOINT_KILLED,
    ENDPOINT_MAINTENANCE,
    FLAKY_STEP,
    GIT_NETWORK,
    OBJECT_GONE,
    Ending,
    Faults,
    Strike,
)
from rehearsal.person import Person
from rehearsal.progress import Progress
from rehearsal.watch import PipelineWatch, StoryError, wait_until

BROKEN_CONNECTION = ("RPC failed", "hung up unexpectedly", "early EOF", "Connection reset", "transfer closed")
"""How git says that the connection broke."""
NOTHING_TO_DO = "Nothing to do"
"""How the reason begins for which an execution stops because another one does the same."""
STRIKES_MORE_THAN_ONCE = (ENDPOINT_MAINTENANCE,)
SAYS_SO = (Ending.FAILED, Ending.ROLLED_BACK)
"""Endings that a person meets as a failure."""


@dataclass(frozen=True)
class Pair:
    """Two executions of a pipeline that one event started."""

    pipeline: str
    first: str
    second: str


class Remedies:
    """Does what is to be done after each fault, once."""

    def __init__(self, faults: Faults, operator: Person, engineer: Person, progress: Progress) -> None:
        """`operator` follows and retries pipelines; `engineer` may do everything, and restores what is lost."""
        self._faults = faults
        self._operator = operator
        self._engineer = engineer
        self._progress = progress
        self._met: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._callers: Callers | None = None
        self._served_before = ""
        self._pair: Pair | None = None
        faults.listen(self._struck)

    # ---- a pipeline

    def after(self, watch: PipelineWatch) -> bool:
        """The execution that is followed ended badly. True when a person has done something and it goes on."""
        if watch.status() == "Superseded":
            return self._follow_the_copy(watch)
        failed = watch.failed_action()
        if failed is None:
            return False
        reason = watch.reason().splitlines()
        remedies: Sequence[tuple[str, str, Callable[[], None]]] = (
            (BUILD_TIMEOUT, "TIMED_OUT", lambda: None),
            (OBJECT_GONE, self._lost_object(), self._restore),
            (ENDPOINT_KILLED, "alarm", self._look_at_the_endpoint),
            (ENDPOINT_MAINTENANCE, "in-progress endpoint", self._wait_for_the_maintenance),
        )
        for name, mark, prepare in remedies:
            told = next((line for line in reason if mark.lower() in line.lower()), None)
            if told is not None and self._faults.struck(name) and self._meet(name, told.strip()):
                prepare()
                self._retry(watch, failed["stageName"])
                return True
        return False

    def meanwhile(self, watch: PipelineWatch) -> None:
        """Something a person has to do while an execution goes on: answer the first of two equal questions.

        Nothing, when the second one sees that the first does its work, and stops.
        """
        pair = self._find_pair(watch)
        if pair is None or watch.execution_id not in (pair.first, pair.second):
            return
        stopped = watch.stopped_for(pair.second)
        if stopped.startswith(NOTHING_TO_DO):
            watch.follow(pair.first)
            self._meet(DUPLICATED_EVENT, f"the second deployment of the same version stopped: {stopped}")
            return
        watch.follow(pair.second)
        token = watch.waiting_approval(pair.first)
        if token is not None and watch.waits_behind(pair.first, pair.second):
            self._progress.say("two deployments of one approval: a person answers the first, and then the second")
            watch.answer(token, "Asked twice for the same version")
            self._until_over(watch, pair.first)

    def settled(self, watch: PipelineWatch) -> None:
        """What was waited for has come; a copy that went through must have changed nothing."""
        pair = self._pair
        if pair is None or watch.execution_id != pair.second or DUPLICATED_EVENT in self._met:
            return
        if watch.status() != "Succeeded":
            return
        if watch.status_of(pair.first) == "Superseded":
            self._meet(DUPLICATED_EVENT, "the second copy took the place of the first, which waited")
            return
        touched = [
            change
            for action in watch.actions(pair.second)
            for change in self._changes(action)
            if action["status"] == "Succeeded"
        ]
        if touched:
            raise StoryError(f"the second deployment of the same version must change nothing, but it did: {touched}")
        self._meet(DUPLICATED_EVENT, "the second deployment of the same version changed nothing")

    # ---- git

    def again(self, problem: StoryError) -> bool:
        """A command of git's failed. True when it is to be run once more."""
        if not self._faults.on(GIT_NETWORK) or not any(words in str(problem) for words in BROKEN_CONNECTION):
            return False
        with self._lock:
            times = len(self._faults.struck(GIT_NETWORK))
            if times == 0 or self._met.get(GIT_NETWORK) == [str(times)]:
                return False
            self._met[GIT_NETWORK] = [str(times)]
        self._progress.say("the connection broke; it is done again")
        return True

    # ---- the end

    def confirm(self) -> None:
        """Raise StoryError unless every fault that struck has ended as promised."""
        self._stop_calling()
        for fault in self._faults.chosen:
            if not self._faults.struck(fault.name):
                continue  # whoever plays the story says so
            if (fault.ending in SAYS_SO or fault.name == DUPLICATED_EVENT) and fault.name not in self._met:
                raise StoryError(f"{fault.name} struck, and nobody saw what is promised then: {fault.then}")
            if fault.name == FLAKY_STEP:
                self._look_at_the_jobs()

    def _look_at_the_jobs(self) -> None:
        """The job that failed, and the one its step started after it."""
        sagemaker = self._engineer.client("sagemaker")
        name = self._faults.struck(FLAKY_STEP)[0].rpartition(" ")[2]
        failed = sagemaker.describe_training_job(TrainingJobName=name)
        if not failed.get("FailureReason", "").startswith("InternalServerError"):
            raise StoryError(
                f"the job {name} must have failed with an internal error, not {failed['TrainingJobStatus']}"
            )
        step = name.rpartition("-")[0]
        later = sagemaker.list_training_jobs(NameContains=step, StatusEquals="Completed")["TrainingJobSummaries"]
        if not later:
            raise StoryError(f"after the job {name} had failed its step must have started another one")
        self._progress.say(f"{name} failed with an internal error, and {later[0]['TrainingJobName']} did its work")

    # ---- what remedies are made of

    def _meet(self, name: str, told: str) -> bool:
        """Note that the promised failure was seen; False when it was seen before, of one that strikes more than once
        when these words were."""
        with self._lock:
            before = self._met.setdefault(name, [])
            if told in before or (before and name not in STRIKES_MORE_THAN_ONCE):
                return False
            before.append(told)
        self._progress.say(f"as promised after {name}: {told}", style="yellow")
        return True

    def _retry(self, watch: PipelineWatch, stage: str) -> None:
        self._progress.say(f"a person retries {stage}")
        self._operator.client("codepipeline").retry_stage_execution(
            pipelineName=watch.pipeline,
            stageName=stage,
            pipelineExecutionId=watch.execution_id,
            retryMode="FAILED_ACTIONS",
        )

    def _lost_object(self) -> str:
        """The address of the object that is gone; something no reason holds when none is."""
        return next(iter(self._faults.struck(OBJECT_GONE)), "\0")

    def _restore(self) -> None:
        """Deleting the marker brings back the object of a versioned bucket."""
        bucket, _, key = self._lost_object().removeprefix("s3://").partition("/")
        s3 = self._engineer.client("s3")
        markers = s3.list_object_versions(Bucket=bucket, Prefix=key).get("DeleteMarkers", [])
        if not markers:
            raise StoryError(f"nothing marks s3://{bucket}/{key} as deleted: is the bucket versioned?")
        for marker in markers:
            s3.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])
        self._progress.say(f"the platform engineer restored s3://{bucket}/{key}")

    # ---- an endpoint whose container is killed

    def _struck(self, strike: Strike) -> None:
        """Production has callers: whoever calls while the container is gone hears of it."""
        if strike.fault.name != ENDPOINT_KILLED:
            return
        client = self._operator.client
        described = client("sagemaker").describe_endpoint(EndpointName=strike.where)
        self._served_before = described["EndpointConfigName"]
        self._callers = Callers(client, strike.where, [SUSPICIOUS, HARMLESS]).__enter__()

    def _stop_calling(self) -> None:
        callers, self._callers = self._callers, None
        if callers is not None:
            callers.__exit__(None, None, None)
            self._progress.say(f"callers heard meanwhile: {dict(callers.count())}")

    def _look_at_the_endpoint(self) -> None:
        """Rolled back means: in service, with what it served before."""
        self._stop_calling()
        name = self._faults.struck(ENDPOINT_KILLED)[0]
        endpoint = self._operator.client("sagemaker").describe_endpoint(EndpointName=name)
        found = endpoint["EndpointStatus"], endpoint["EndpointConfigName"]
        if found != ("InService", self._served_before):
            raise StoryError(f"{name} must be in service as before ({self._served_before}), but it is {found}")

    # ---- an endpoint under maintenance

    def _wait_for_the_maintenance(self) -> None:
        """It serves all the time, and can be changed afterwards. Staging whose deletion was refused is deleted again by
        the project, once its maintenance is over."""
        names = self._faults.struck(ENDPOINT_MAINTENANCE)

        def over() -> bool:
            return all(self._status_of(name) in ("InService", "") for name in names) and not self._changes_a_stack()

        wait_until(lambda: over() or None, f"the end of the maintenance of {' and '.join(names)}")

    def _status_of(self, endpoint: str) -> str:
        """Empty when there is no such endpoint."""
        try:
            return str(self._operator.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"])
        except ClientError as problem:
            if "Could not find" not in problem.response["Error"].get("Message", ""):
                raise
            return ""

    def _changes_a_stack(self) -> bool:
        """Whether a stack is being changed, or waits for its deletion to be asked for again."""
        stacks = self._engineer.client("cloudformation").describe_stacks()["Stacks"]
        statuses = [str(each["StackStatus"]) for each in stacks]
        return any(each.endswith("_IN_PROGRESS") or each == "DELETE_FAILED" for each in statuses)

    # ---- one approval that was told twice

    def _find_pair(self, watch: PipelineWatch) -> Pair | None:
        """The executions that the two copies of the event started, once both are there."""
        if self._pair is None and self._faults.struck(DUPLICATED_EVENT):
            package = self._faults.struck(DUPLICATED_EVENT)[0].rpartition(" ")[2]
            found = watch.executions_with(package)
            if len(found) > 1:
                self._pair = Pair(watch.pipeline, found[0], found[1])
        return self._pair if self._pair and self._pair.pipeline == watch.pipeline else None

    def _follow_the_copy(self, watch: PipelineWatch) -> bool:
        pair = self._find_pair(watch)
        if pair is None or watch.execution_id != pair.first:
            return False
        watch.follow(pair.second)
        return True

    def _until_over(self, watch: PipelineWatch, execution: str) -> None:
        status = wait_until(
            lambda: found if (found := watch.status_of(execution)) != "InProgress" else None,
            "the first deployment",
            over=watch.over,
            patience=watch.patience,
        )
        if status != "Succeeded":
            raise StoryError(f"the first of two equal deployments ended as {status}")

    def _changes(self, action: dict[str, Any]) -> list[str]:
        """What CloudFormation did to a stack while an action ran."""
        stack = action.get("output", {}).get("executionResult", {}).get("externalExecutionId", "")
        if ":cloudformation:" not in stack:
            return []
        began: datetime = action["startTime"]
        ended: datetime = action["lastUpdateTime"]
        events = self._engineer.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        return [
            f"{event['LogicalResourceId']} {event['ResourceStatus']}"
            for event in events
            if began <= event["Timestamp"] <= ended
        ]
