"""boto3's waiters run against the cloud: they see the states in between, and the ones that end the wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from rehearsal.cloud.sagemaker.endpoints import Endpoints
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.batch_lab import INFERENCE, BatchLab, model, transform
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, processing, training

OFTEN = {"Delay": 0, "MaxAttempts": 100_000}


class WaitLab(BatchLab, Endpoints):
    """The part of the SageMaker API that has waiters."""

    name = "sagemaker"


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([WaitLab]))


def gated(bench: Bench, gate: Path) -> str:
    """A model that does not come up before the gate is there."""
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.02)\n"
    return model(bench, code=waits + INFERENCE)


@contextmanager
def watching(
    bench: Bench, operation: str, member: str, gate: Path | None = None, opens: str = "InProgress"
) -> Iterator[list[str]]:
    """The different values of a member, in the order in which describing showed them. `gate` is made as soon as the
    value `opens` was seen."""
    seen: list[str] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        if member in parsed and parsed[member] not in seen[-1:]:
            seen.append(parsed[member])
        if gate is not None and opens in seen:
            gate.touch()

    event = f"after-call.sagemaker.{operation}"
    bench.sagemaker.meta.events.register(event, note)
    yield seen
    bench.sagemaker.meta.events.unregister(event, note)


def until_open(gate: Path) -> str:
    """A shell line that waits for the gate."""
    return f"until test -e {gate}; do sleep 0.01; done"


def wait(bench: Bench, waiter: str, **what: str) -> None:
    bench.sagemaker.get_waiter(waiter).wait(**what, WaiterConfig=OFTEN)


def config(bench: Bench, name: str, model_name: str) -> str:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "ContainerStartupHealthCheckTimeoutInSeconds": 3600,
    }
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def test_an_endpoint_comes_changes_and_goes(bench: Bench, tmp_path: Path) -> None:
    gates = tmp_path / "first", tmp_path / "second"
    first, second = (config(bench, gate.name, gated(bench, gate)) for gate in gates)
    with watching(bench, "DescribeEndpoint", "EndpointStatus", gates[0], "Creating") as coming:
        bench.sagemaker.create_endpoint(EndpointName="waited", EndpointConfigName=first)
        wait(bench, "endpoint_in_service", EndpointName="waited")
    with watching(bench, "DescribeEndpoint", "EndpointStatus", gates[1], "Updating") as changing:
        bench.sagemaker.update_endpoint(EndpointName="waited", EndpointConfigName=second)
        wait(bench, "endpoint_in_service", EndpointName="waited")
    bench.sagemaker.delete_endpoint(EndpointName="waited")
    wait(bench, "endpoint_deleted", EndpointName="waited")

    assert coming == ["Creating", "InService"]
    assert changing == ["Updating", "InService"]
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find endpoint"):
        bench.sagemaker.describe_endpoint(EndpointName="waited")


def test_waiting_for_an_endpoint_that_fails_ends_with_its_failure(bench: Bench) -> None:
    bench.put("no-archive/model.tar.gz", "no archive")
    broken = {"Image": bench.sagemaker.describe_model(ModelName=model(bench))["PrimaryContainer"]["Image"]}
    bench.sagemaker.create_model(
        ModelName="broken",
        ExecutionRoleArn=bench.pipeline_role(),
        PrimaryContainer={**broken, "ModelDataUrl": f"s3://{BUCKET}/no-archive/model.tar.gz"},
    )
    bench.sagemaker.create_endpoint(EndpointName="failing", EndpointConfigName=config(bench, "broken", "broken"))

    with pytest.raises(WaiterError, match="terminal failure state"):
        wait(bench, "endpoint_in_service", EndpointName="failing")


def test_a_training_job_is_seen_through_its_phases(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with watching(bench, "DescribeTrainingJob", "TrainingJobStatus", gate) as seen:
        request = training(until_open(gate), bench.job_role())
        bench.sagemaker.create_training_job(TrainingJobName="trained", **request)
        wait(bench, "training_job_completed_or_stopped", TrainingJobName="trained")

    assert seen == ["InProgress", "Completed"]
    phases = bench.sagemaker.describe_training_job(TrainingJobName="trained")["SecondaryStatusTransitions"]
    assert [phase["Status"] for phase in phases] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(phase["StartTime"] <= phase["EndTime"] for phase in phases)


def test_a_processing_job_is_waited_for_until_it_completed(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with watching(bench, "DescribeProcessingJob", "ProcessingJobStatus", gate) as seen:
        request = processing(until_open(gate), bench.job_role())
        bench.sagemaker.create_processing_job(ProcessingJobName="processed", **request)
        wait(bench, "processing_job_completed_or_stopped", ProcessingJobName="processed")

    assert seen == ["InProgress", "Completed"]


def test_a_stopped_job_passes_through_stopping(bench: Bench, tmp_path: Path) -> None:
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    goes_on = f"cd {tmp_path}; trap '' TERM; touch ready; {until_open(Path('gate'))}"  # 256 characters at most
    bench.sagemaker.create_processing_job(ProcessingJobName="stopped", **processing(goes_on, bench.job_role()))
    with watching(bench, "DescribeProcessingJob", "ProcessingJobStatus", gate, "Stopping") as seen:
        bench.until(lambda: {"ready": ready.exists()}, "ready", {True})
        bench.sagemaker.stop_processing_job(ProcessingJobName="stopped")
        wait(bench, "processing_job_completed_or_stopped", ProcessingJobName="stopped")

    assert seen[-2:] == ["Stopping", "Stopped"]
    with pytest.raises(ClientError, match="rejected because the processing job is in status Stopped"):
        bench.sagemaker.stop_processing_job(ProcessingJobName="stopped")


def test_a_stopped_training_job_is_told_phase_by_phase(bench: Bench, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    request = training(f"touch {ready}; sleep 600", bench.job_role())
    bench.sagemaker.create_training_job(TrainingJobName="halted", **request)
    bench.until(lambda: {"ready": ready.exists()}, "ready", {True})

    bench.sagemaker.stop_training_job(TrainingJobName="halted")

    job = bench.sagemaker.describe_training_job(TrainingJobName="halted")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) in {("Stopping", "Stopping"), ("Stopped", "Stopped")}
    wait(bench, "training_job_completed_or_stopped", TrainingJobName="halted")
    phases = bench.sagemaker.describe_training_job(TrainingJobName="halted")["SecondaryStatusTransitions"]
    assert [phase["Status"] for phase in phases] == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    with pytest.raises(ClientError, match="rejected because the training job is in status Stopped"):
        bench.sagemaker.stop_training_job(TrainingJobName="halted")


def test_a_transform_job_is_waited_for_until_it_completed(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    request = transform(bench.put("waiting/a.csv", "a"), f"s3://{BUCKET}/waited")
    with watching(bench, "DescribeTransformJob", "TransformJobStatus", gate) as seen:
        bench.sagemaker.create_transform_job(TransformJobName="transformed", ModelName=gated(bench, gate), **request)
        wait(bench, "transform_job_completed_or_stopped", TransformJobName="transformed")

    assert seen == ["InProgress", "Completed"]


def test_a_stopped_transform_job_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    request = transform(bench.put("stopping/a.csv", "a"), f"s3://{BUCKET}/stopped")
    bench.sagemaker.create_transform_job(TransformJobName="stopped", ModelName=gated(bench, gate), **request)
    with watching(bench, "DescribeTransformJob", "TransformJobStatus", gate, "Stopping") as seen:
        bench.sagemaker.stop_transform_job(TransformJobName="stopped")
        wait(bench, "transform_job_completed_or_stopped", TransformJobName="stopped")

    assert seen == ["Stopping", "Stopped"]
    assert bench.keys("stopped") == []
    with pytest.raises(ClientError, match="rejected because the transform job is in status Stopped"):
        bench.sagemaker.stop_transform_job(TransformJobName="stopped")


@pytest.mark.parametrize(
    ("waiter", "member"),
    [
        ("training_job_completed_or_stopped", "TrainingJobName"),
        ("processing_job_completed_or_stopped", "ProcessingJobName"),
        ("transform_job_completed_or_stopped", "TransformJobName"),
        ("endpoint_in_service", "EndpointName"),
    ],
)
def test_waiting_for_what_does_not_exist_fails_at_once(bench: Bench, waiter: str, member: str) -> None:
    with pytest.raises(WaiterError, match="ValidationException"):
        wait(bench, waiter, **{member: "nobody"})
