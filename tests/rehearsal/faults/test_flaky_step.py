"""A training job that SageMaker itself failed is retried by the step's policy, and by nothing else."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.sagemaker.jobs_lab import Bench, Lab, training

REASON = "InternalServerError: We encountered an internal error. Please try again."


def train(bench: Bench, **more: Any) -> dict[str, Any]:
    shell = "mkdir -p /opt/ml/model && echo trained > /opt/ml/model/answer.txt"
    return {"Name": "Train", "Type": "Training", "Arguments": training(shell, bench.pipeline_role()), **more}


def retrying() -> dict[str, Any]:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 60, "MaxAttempts": 3}
    return {"RetryPolicies": [policy]}


def jobs(bench: Bench) -> list[tuple[str, str]]:
    """Status and reason of every training job, the first one first."""
    found = bench.sagemaker.list_training_jobs(SortOrder="Ascending")["TrainingJobSummaries"]
    described = [bench.sagemaker.describe_training_job(TrainingJobName=each["TrainingJobName"]) for each in found]
    return [(each["TrainingJobStatus"], each.get("FailureReason", "")) for each in described]


def test_another_job_is_started_and_the_execution_succeeds(faulty: Faulty) -> None:
    bench = Bench(faulty(["flaky-step"], [Lab], speed=600))
    execution, steps = bench.play(bench.pipeline([train(bench, **retrying())]))
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert steps["Train"]["AttemptCount"] == 2
    assert jobs(bench) == [("Failed", REASON), ("Completed", "")]
    [struck] = bench.cloud.faults.struck("flaky-step")
    assert struck.startswith("training job pipelines-")


def test_without_a_policy_the_step_fails_with_the_platforms_reason(faulty: Faulty) -> None:
    bench = Bench(faulty(["flaky-step"], [Lab]))
    execution, steps = bench.play(bench.pipeline([train(bench)]))
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Train"]["FailureReason"] == REASON
    assert jobs(bench) == [("Failed", REASON)]
