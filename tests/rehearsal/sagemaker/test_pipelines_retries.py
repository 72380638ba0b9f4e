"""An execution that failed or was stopped goes on where it ended, and a running one is stopped once and limited."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, Lab, processing, taken


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([Lab]))


def process(bench: Bench, name: str, shell: str, *inputs: Any, **more: Any) -> dict[str, Any]:
    arguments = {**processing(shell, bench.pipeline_role()), **({"ProcessingInputs": list(inputs)} if inputs else {})}
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def statuses(bench: Bench, arn: str) -> dict[str, str]:
    return {name: step["StepStatus"] for name, step in bench.steps(arn).items()}


def test_a_failed_execution_goes_on_with_what_had_not_succeeded(bench: Bench) -> None:
    wanting = taken("in", f"s3://{BUCKET}/later/data.csv", "/opt/ml/processing/in")
    first = process(bench, "First", "true")
    name = bench.pipeline([first, process(bench, "Second", "true", wanting, DependsOn=["First"])])
    execution, steps = bench.play(name)
    arn = execution["PipelineExecutionArn"]
    assert execution["PipelineExecutionStatus"] == "Failed"
    job = steps["First"]["Metadata"]["ProcessingJob"]["Arn"]
    bench.put("later/data.csv", "now it is there")

    answer = bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)

    assert answer["PipelineExecutionArn"] == arn
    ended = bench.ended(arn)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in ended
    assert statuses(bench, arn) == {"First": "Succeeded", "Second": "Succeeded"}
    assert bench.steps(arn)["First"]["Metadata"]["ProcessingJob"]["Arn"] == job


def test_a_retry_is_told_as_an_event_from_failed_to_executing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str | None, str]] = []
    name = bench.pipeline([process(bench, "Broken", "exit 1")])

    def emit(_source: str, kind: str, detail: dict[str, Any], _arns: list[str]) -> None:
        if kind.endswith("Pipeline Execution Status Change") and detail["pipelineArn"].endswith(f"/{name.lower()}"):
            told.append((detail.get("previousPipelineExecutionStatus"), detail["currentPipelineExecutionStatus"]))

    monkeypatch.setattr(bench.cloud.events, "emit", emit)
    execution, _ = bench.play(name)

    bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])

    bench.until(lambda: {"n": len(told)}, "n", {4})
    assert told == [(None, "Executing"), ("Executing", "Failed"), ("Failed", "Executing"), ("Executing", "Failed")]


def test_a_stopped_execution_can_be_retried(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "Long", "sleep 600")])
    arn = bench.start(name)
    bench.until(lambda: bench.steps(arn).get("Long", {"StepStatus": ""}), "StepStatus", {"Executing"})
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
        {"Stopped"},
    )

    bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)

    bench.until(lambda: bench.steps(arn).get("Long", {"StepStatus": ""}), "StepStatus", {"Executing"})
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert bench.ended(arn)["PipelineExecutionStatus"] == "Stopped"


def test_only_what_failed_or_was_stopped_is_retried(bench: Bench) -> None:
    execution, _ = bench.play(bench.pipeline([process(bench, "Good", "true")]))

    with pytest.raises(ClientError, match=r"ConflictException.*is succeeded: only one that failed or was stopped"):
        bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])


def test_the_same_token_stops_once(bench: Bench) -> None:
    arn = bench.start(bench.pipeline([process(bench, "Long", "sleep 600")]))
    request = {"PipelineExecutionArn": arn, "ClientRequestToken": "t" * 32}

    bench.sagemaker.stop_pipeline_execution(**request)
    assert bench.ended(arn)["PipelineExecutionStatus"] == "Stopped"

    assert bench.sagemaker.stop_pipeline_execution(**request)["PipelineExecutionArn"] == arn
    with pytest.raises(ClientError, match="ConflictException"):
        bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_the_parallelism_of_a_running_execution_can_be_raised(bench: Bench) -> None:
    steps = [process(bench, name, "sleep 600") for name in ("A", "B")]
    name = bench.pipeline(steps, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    arn = bench.start(name)
    bench.until(lambda: bench.steps(arn).get("A", {"StepStatus": ""}), "StepStatus", {"Executing"})
    assert set(bench.steps(arn)) == {"A"}

    bench.sagemaker.update_pipeline_execution(
        PipelineExecutionArn=arn, ParallelismConfiguration={"MaxParallelExecutionSteps": 2}
    )

    bench.until(lambda: bench.steps(arn).get("B", {"StepStatus": ""}), "StepStatus", {"Executing"})
    described = bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.ended(arn)


def test_steps_pass_through_the_states_of_aws(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    name = bench.pipeline([process(bench, "Long", "sleep 600")])

    def emit(_source: str, kind: str, detail: dict[str, Any], _arns: list[str]) -> None:
        if "Step Status" in kind and detail["pipelineArn"].endswith(f"/{name.lower()}"):
            seen.append(detail["currentStepStatus"])

    monkeypatch.setattr(bench.cloud.events, "emit", emit)
    arn = bench.start(name)
    bench.until(lambda: bench.steps(arn).get("Long", {"StepStatus": ""}), "StepStatus", {"Executing"})
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.ended(arn)

    bench.until(lambda: {"n": len(seen)}, "n", {4})
    assert seen == ["Starting", "Executing", "Stopping", "Stopped"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (
            {"SelectiveExecutionConfig": {"SelectedSteps": [{"StepName": "A"}]}},
            "The member SelectiveExecutionConfig of StartPipelineExecution is not implemented",
        ),
        ({"PipelineVersionId": 1}, "The member PipelineVersionId of StartPipelineExecution is not implemented"),
        ({"MlflowExperimentName": "a"}, "The member MlflowExperimentName of StartPipelineExecution is not implemented"),
    ],
)
def test_what_an_execution_cannot_do_here_is_refused_by_name(bench: Bench, asked: dict[str, Any], named: str) -> None:
    name = bench.pipeline([process(bench, "A", "true")])

    with pytest.raises(ClientError, match=named):
        bench.sagemaker.start_pipeline_execution(PipelineName=name, **asked)
