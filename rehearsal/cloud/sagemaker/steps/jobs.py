"""Steps that run a job: Processing, Training and Transform."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from rehearsal.cloud.sagemaker.processing import ProcessingJob
from rehearsal.cloud.sagemaker.step_cache import CachedRun, cache_key
from rehearsal.cloud.sagemaker.step_run import StepFailed, StepRun, StepStopped
from rehearsal.cloud.sagemaker.tags import tag_list, tag_map
from rehearsal.cloud.sagemaker.training import TrainingJob
from rehearsal.cloud.sagemaker.transform import TransformJob
from rehearsal.cloud.sagemaker.transform_jobs import TransformJobs

REJECTED = "The request was rejected because"
FAILURES = {"InternalServerError": "SageMaker.JOB_INTERNAL_ERROR", "CapacityError": "SageMaker.CAPACITY_ERROR"}


@dataclass(frozen=True)
class JobKind:
    """How the API spells one kind of job."""

    kind: str
    name: str
    """`ProcessingJob`: CreateProcessingJob, ProcessingJobName, ProcessingJobStatus."""


PROCESSING = JobKind(ProcessingJob.kind, "ProcessingJob")
TRAINING = JobKind(TrainingJob.kind, "TrainingJob")
TRANSFORM = JobKind(TransformJob.kind, "TransformJob")


def run_processing(run: StepRun) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-processing"""
    _run_job(run, PROCESSING)


def run_training(run: StepRun) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-training"""
    _run_job(run, TRAINING)


def run_transform(run: StepRun) -> None:
    """A transform job has no role: it acts as its model's.

    https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-transform
    """
    _run_job(run, TRANSFORM)


def _run_job(run: StepRun, kind: JobKind) -> None:
    execution = run.execution
    prefix = run.step.arguments.get(f"{kind.name}Name")
    run.job_name = run.new_job_name(prefix if isinstance(prefix, str) else None)
    arguments = {key: value for key, value in run.arguments().items() if key != f"{kind.name}Name"}
    key = cache_key(run.step.type, run.step.name, arguments) if run.step.cache.get("Enabled") else None
    if key:
        earlier = execution.cache.find(key, execution.cloud.clock.now(), run.step.cache["ExpireAfter"])
        if earlier:
            run.cache_source = earlier.execution_arn
            run.metadata, run.properties = earlier.metadata, earlier.properties
            return
    # "By default, each step takes on the pipeline execution role."
    # https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-access.html
    if kind is not TRANSFORM:
        arguments.setdefault("RoleArn", execution.role_arn)
    tags = {**execution.tags_for_resources(), **tag_map(arguments.pop("Tags", None))}
    request = {**arguments, f"{kind.name}Name": run.job_name, "Tags": tag_list(tags)}
    answer = run.call(f"Create{kind.name}", request)
    run.metadata = {kind.name: {"Arn": answer[f"{kind.name}Arn"]}}
    run.stop_job = lambda: _stop(run, kind)
    run.executing()
    if execution.stop_asked.is_set():
        _stop(run, kind)
    _end_of(run, kind).wait()
    description = run.call(f"Describe{kind.name}", {f"{kind.name}Name": run.job_name})
    status = description[f"{kind.name}Status"]
    if status == "Stopped" and execution.stop_asked.is_set():
        raise StepStopped
    if status != "Completed":
        reason = description.get("FailureReason") or f"ClientError: {kind.name} {run.job_name} was stopped."
        raise StepFailed(reason, FAILURES.get(reason.split(":")[0]))
    run.properties = description
    if key:
        ended = execution.cloud.clock.now()
        execution.cache.remember(key, CachedRun(execution.arn, ended, run.properties, run.metadata))


def _end_of(run: StepRun, kind: JobKind) -> threading.Event:
    jobs = run.execution.jobs
    if kind is TRANSFORM:
        return cast(TransformJobs, jobs).transform_job(run.job_name).finished
    return jobs.job(kind.kind, run.job_name).finished


def _stop(run: StepRun, kind: JobKind) -> None:
    try:
        run.call(f"Stop{kind.name}", {f"{kind.name}Name": run.job_name})
    except StepFailed as problem:
        if REJECTED not in problem.reason:  # it ended in this very moment
            raise
