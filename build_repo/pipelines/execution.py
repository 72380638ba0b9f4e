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
OWN_LINE = "error: "  # how the last line of a step begins that says itself why it failed (steps/failure.py)
# What SageMaker says when the program ended by itself: then the end of its log says why.
PROGRAM_FAILED = "AlgorithmError"
# What SageMaker says when the program was ended because the instance's memory was full.
MEMORY_FULL = ("use an instance type with more memory", "exit code: 137")
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
            yield from _explain_step(step, reason or outcome.reason or "SageMaker gives no reason", logs)


def _explain_step(step: dict[str, Any], reason: str, logs: Any) -> Iterator[str]:
    """What happened in one line, what to do, and the end of the job's log."""
    job = _job(step)
    lines: list[str] = []
    unreadable = ""
    if job:
        try:
            lines = _last_lines(logs, LOG_GROUPS[job[0]], job[1])
        except ClientError as error:
            unreadable = f"not readable from here: {error}"
    if job and any(words in reason for words in MEMORY_FULL):
        yield f"Step {step['StepName']} failed: it needed more memory than its instance has. SageMaker says: {reason}"
        yield from _larger_instance(job[0])
    elif PROGRAM_FAILED in reason and (own := _own_words(lines)):
        yield f"Step {step['StepName']} failed: {own}"
        yield f"SageMaker says: {reason}"
    else:
        yield f"Step {step['StepName']} failed: {reason}"
    if job:
        yield f"Last lines of its log ({LOG_GROUPS[job[0]]}, stream {job[1]}/…):"
        yield from (f"  | {line}" for line in lines or [unreadable or "the job wrote nothing"])


def _larger_instance(kind: str) -> Iterator[str]:
    parameter = kind.replace("Job", "InstanceType")
    knob = "PROCESSING_INSTANCE_TYPE" if parameter.startswith("Processing") else "TRAINING_INSTANCE_TYPE"
    yield f'Give it a larger one: for one execution make pipeline PARAMETERS="{parameter}=ml.m5.2xlarge", for good'
    yield f"{knob} in pipelines/knobs.py. Or use fewer records."


def _own_words(lines: list[str]) -> str:
    """The line in which a program says why it failed: the one it marked, or else its last."""
    said = [line.strip() for line in lines if line.strip()]
    marked = [line.removeprefix(OWN_LINE) for line in said if line.startswith(OWN_LINE)]
    return (marked or said or [""])[-1]


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


def _job(step: dict[str, Any]) -> tuple[str, str] | None:
    """Kind and name of the job that the step ran, in lower case as ARNs have it; None when it ran none."""
    metadata = step.get("Metadata", {})
    arns = ((kind, metadata.get(kind, {}).get("Arn")) for kind in LOG_GROUPS)
    return next(((kind, arn.rsplit("/", 1)[-1]) for kind, arn in arns if arn), None)


def _last_lines(logs: Any, group: str, job: str) -> list[str]:
    """A stream has the name as it was given: `pipelines-<execution>-<Step>-...`. Its start is in lower case too."""
    start = "-".join(job.split("-")[:2])
    found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=start)["logStreams"]
    streams = [each["logStreamName"] for each in found if each["logStreamName"].lower().startswith(f"{job}/")]
    lines: list[str] = []
    for stream in streams:
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=LOG_LINES, startFromHead=False)[
            "events"
        ]
        lines += [event["message"].rstrip() for event in events]
    return lines[-LOG_LINES:]
