"""An execution of the SageMaker pipeline that failed: its step, the quality gate, the job and the job's log."""

import re
from typing import Any

from project_tools import batch_runs, links, logs
from project_tools.aws import Aws
from project_tools.findings import Trail

# Kind of a step's metadata -> where a job of that kind writes its log.
# https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
LOG_GROUPS = {
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}
# One measured value in the message of the quality gate: recall=0.41 (at least 0.6)
MEASURED = re.compile(r"(?P<metric>\w+)=(?P<value>[-+.\deE]+) \(at least (?P<minimum>[-+.\deE]+)\)")
# The script ended badly, so its log knows why. Any other reason is SageMaker's own, and the log may not even exist.
SCRIPT_FAILED = re.compile(r"AlgorithmError|See job logs")
# What SageMaker says when the script left no message of its own.
SAYS_NOTHING = re.compile(r"(?:Algorithm|Client)Error:\s*(?:See job logs[\w ]*)?,? ?(?:exit code: \d+)?$")


def follow(aws: Aws, trail: Trail, execution_arn: str, functions: str = "") -> None:
    """From an execution of the SageMaker pipeline down to the line that matters.

    `functions` is the log group of the functions that its steps may call.
    """
    execution = aws.ask("sagemaker", "DescribePipelineExecution", PipelineExecutionArn=execution_arn)
    pipeline, _, identifier = execution_arn.rpartition(":pipeline/")[2].partition("/execution/")
    trail.pipeline = pipeline
    if execution is None:
        trail.at("execution", f"{identifier} of SageMaker pipeline {pipeline}")
        return
    status = execution["PipelineExecutionStatus"]
    if status == "Succeeded":
        return  # the model was trained; what failed came after it
    trail.at("execution", f"{identifier} of SageMaker pipeline {pipeline}, {status}")
    if status == "Failed":
        trail.says(execution.get("FailureReason", ""))
    elif status not in batch_runs.RUNNING:
        trail.says(f"The execution {identifier} of the SageMaker pipeline is {status}: it did not end by itself")
    elif not trail.line:  # the build that waited for it knows why it waits no longer
        trail.says(f"The execution {identifier} of the SageMaker pipeline is still running ({status})")
    steps = batch_runs.steps(aws, execution_arn)
    failed = [step for step in steps if step.get("StepStatus") == "Failed"]
    if failed:
        first = min(failed, key=lambda step: step["EndTime"].timestamp() if "EndTime" in step else 0.0)
        _step(aws, trail, first, functions)


def _step(aws: Aws, trail: Trail, step: dict[str, Any], functions: str) -> None:
    trail.at("step", step["StepName"])
    metadata = step.get("Metadata", {})
    reason = metadata.get("Fail", {}).get("ErrorMessage") or step.get("FailureReason", "")
    raised = batch_runs.raised_by_function(reason)
    trail.says(raised[0] if raised else reason, raised[1:] or missed(reason))
    if "Lambda" in metadata and functions and not raised:
        _function(aws, trail, step, functions)
    for kind, group in LOG_GROUPS.items():
        arn = metadata.get(kind, {}).get("Arn")
        if arn:
            _job(aws, trail, arn.rpartition("/")[2], group, reason)


def _function(aws: Aws, trail: Trail, step: dict[str, Any], group: str) -> None:
    """What the function wrote while the step lasted, where its words are not in the step's reason."""
    found = logs.search(aws, trail, group, since=step.get("StartTime"))
    if found is not None and found.strong:
        trail.says(found.line, found.more)


def missed(message: str) -> list[str]:
    """The metrics that missed the quality gate, each with what it lacks."""
    said = []
    for found in MEASURED.finditer(message):
        value, minimum = float(found["value"]), float(found["minimum"])
        if value < minimum:
            said.append(f"{found['metric']} is {value:.4g}: {minimum - value:.3g} below the {minimum:.4g} required")
    return said


def _job(aws: Aws, trail: Trail, job: str, group: str, reason: str) -> None:
    trail.at("job", job)
    if not SCRIPT_FAILED.search(reason):
        return
    told = group == LOG_GROUPS["TransformJob"] and _data_log(aws, trail, job, group)
    if told and "AlgorithmError" not in reason:
        return  # the model said no, and its words are there
    found = logs.search(aws, trail, group, job)
    if found is None:
        return
    if found.strong or (SAYS_NOTHING.search(reason.strip()) and not told):
        trail.says(found.line, found.more)
        trail.hints(reason)


def _data_log(aws: Aws, trail: Trail, job: str, group: str) -> bool:
    """Say what a transform job says of the files it could not answer, if it does; the model's own log may say why."""
    for stream in logs.streams_of(aws, group, job):
        found = batch_runs.refused_file(logs.lines_of(aws, group, stream)) if stream.endswith("/data-log") else None
        if found is not None:
            trail.at("log", f"{group}, stream {stream}", links.log_stream(aws, group, stream))
            trail.says(found.line, found.more)
            return True
    return False
