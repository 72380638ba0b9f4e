"""Follow a pipeline execution: say when each step starts and ends, and why it failed if it did."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines import quality_gate

RUNNING = ("Executing", "Stopping")
FIRST_WAIT = 0.5  # seconds; waits grow while nothing happens
GROWTH = 1.2
LOG_LINES = 25
# Where a job of this kind of step writes its log.
LOG_GROUPS = {"ProcessingJob": "/aws/sagemaker/ProcessingJobs", "TrainingJob": "/aws/sagemaker/TrainingJobs"}


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; `steps` is what ListPipelineExecutionSteps says at the end."""

    status: str
    reason: str
    steps: list[dict[str, Any]]

    @property
    def succeeded(self) -> bool:
        return self.status == "Succeeded"

    @property
    def failed_steps(self) -> list[dict[str, Any]]:
        return [step for step in self.steps if step["StepStatus"] == "Failed"]

    @property
    def model_package_arn(self) -> str | None:
        """The registered version; None when no step registered one."""
        found = (step.get("Metadata", {}).get("RegisterModel", {}).get("Arn") for step in self.steps)
        return next((arn for arn in found if arn), None)


def follow(
    sagemaker: Any,
    execution_arn: str,
    *,
    longest_wait: float,
    say: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Wait until the execution ends, saying what happens. `longest_wait` is in seconds."""
    told: dict[str, str] = {}
    wait = FIRST_WAIT
    while True:
        # The status first: when it is final, the steps read after it are final too.
        execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution_arn)
        steps = _steps(sagemaker, execution_arn)
        news = list(_news(steps, told))
        for line in news:
            say(line)
        status = execution["PipelineExecutionStatus"]
        if status not in RUNNING:
            return Outcome(status, execution.get("FailureReason", ""), steps)
        wait = FIRST_WAIT if news else wait * GROWTH
        sleep(min(wait, longest_wait))


def explain(outcome: Outcome, logs: Any) -> Iterator[str]:
    """Yield the lines that say why an execution did not succeed."""
    if not outcome.failed_steps:
        yield f"The execution is {outcome.status}: {outcome.reason or 'SageMaker gives no reason'}"
    for step in outcome.failed_steps:
        reason = step.get("Metadata", {}).get("Fail", {}).get("ErrorMessage") or step.get("FailureReason")
        missed = [each for each in quality_gate.measurements(reason or "") if not each.passes]
        if missed:
            yield f"Step {step['StepName']}: the model was trained, but it is not good enough to be registered."
            yield from (f"  {measurement}" for measurement in missed)
            yield "Improve the model, or change the gate in pipelines/knobs.py if it asks too much."
        else:
            yield f"Step {step['StepName']} failed: {reason or outcome.reason or 'SageMaker gives no reason'}"
        yield from _log_tail(step, logs)


def _steps(sagemaker: Any, execution_arn: str) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending"
    )
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def _news(steps: list[dict[str, Any]], told: dict[str, str]) -> Iterator[str]:
    """Yield a line for each step whose state has not been told yet, and remember it in `told`."""
    for step in steps:
        name, status = step["StepName"], step["StepStatus"]
        state = "started" if status in ("Starting", "Executing") else status.lower()
        if told.get(name) != state:
            told[name] = state
            yield f"  {name:<18} {state}{_detail(step)}"


def _detail(step: dict[str, Any]) -> str:
    source = step.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
    if source:
        return f", reused from execution {source.rsplit('/', 1)[-1]}: nothing it depends on has changed"
    if "StartTime" in step and "EndTime" in step:
        return f" after {(step['EndTime'] - step['StartTime']).total_seconds():.0f} s"
    return ""


def _log_tail(step: dict[str, Any], logs: Any) -> Iterator[str]:
    metadata = step.get("Metadata", {})
    for kind, group in LOG_GROUPS.items():
        arn = metadata.get(kind, {}).get("Arn")
        if arn:
            job = arn.rsplit("/", 1)[-1]
            yield f"Last lines of its log ({group}, stream {job}/…):"
            try:
                lines = _last_lines(logs, group, job)
            except ClientError as error:
                lines = [f"not readable from here: {error}"]
            yield from (f"  | {line}" for line in lines or ["the job wrote nothing"])


def _last_lines(logs: Any, group: str, job: str) -> list[str]:
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
    lines: list[str] = []
    for stream in streams:
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], limit=LOG_LINES, startFromHead=False
        )["events"]
        lines += [event["message"].rstrip() for event in events]
    return lines[-LOG_LINES:]
