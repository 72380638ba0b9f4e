"""A training job sees its channels and hyperparameters as SageMaker lays them out, and leaves a model in S3."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud import container
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, Lab
from tests.waiting import until

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([Lab]))


def channel(name: str, uri: str, **more: Any) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, **more}


def unpacked(bench: Bench, uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = bench.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {
            member.name: (tar.extractfile(member) or io.BytesIO()).read().decode() for member in tar if member.isfile()
        }


def algorithm(shell: str, **more: Any) -> dict[str, Any]:
    return {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["sh", "-c", shell],
        **more,
    }


def test_channels_come_in_and_the_model_goes_out(bench: Bench) -> None:
    bench.put("channels/train/a.csv", "1,2")

    job = bench.train(
        "mkdir /opt/ml/model/code; cp /opt/ml/input/data/train/a.csv /opt/ml/model/code/; echo m > /opt/ml/model/model",
        InputDataConfig=[channel("train", f"s3://{BUCKET}/channels/train")],
    )

    assert job["TrainingJobStatus"] == "Completed", job
    uri = f"s3://{BUCKET}/models/{job['TrainingJobName']}/output/model.tar.gz"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == uri
    assert unpacked(bench, uri) == {"code/a.csv": "1,2", "model": "m\n"}
    assert [item["Status"] for item in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]


def test_what_lies_in_output_data_becomes_an_archive_of_its_own(bench: Bench) -> None:
    job = bench.train("echo x > /opt/ml/model/m; echo plot > /opt/ml/output/data/plot.txt")

    assert unpacked(bench, f"s3://{BUCKET}/models/{job['TrainingJobName']}/output/output.tar.gz") == {
        "plot.txt": "plot\n"
    }


def test_configuration_files_are_those_of_the_contract(bench: Bench) -> None:
    bench.put("channels/train/a.csv", "1,2")

    job = bench.train(
        "cd /opt/ml/input/config; for f in hyperparameters inputdataconfig resourceconfig; do cat $f.json; echo; done",
        HyperParameters={"max_depth": "4"},
        InputDataConfig=[channel("train", f"s3://{BUCKET}/channels/train", ContentType="text/csv")],
    )

    hyperparameters, inputs, resources = (json.loads(line) for line in bench.lines(GROUP, job["TrainingJobName"]))
    assert hyperparameters == {"max_depth": "4"}
    assert inputs == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert (resources["current_host"], resources["current_instance_type"]) == ("algo-1", "ml.m5.large")


def test_without_the_training_toolkit_no_sm_variables_of_it_are_set(bench: Bench) -> None:
    bench.put("channels/train/a.csv", "1,2")

    job = bench.train(
        "env", HyperParameters={"a": "1"}, InputDataConfig=[channel("train", f"s3://{BUCKET}/channels/train")]
    )

    seen = dict(line.split("=", 1) for line in bench.lines(GROUP, job["TrainingJobName"]))
    assert seen["TRAINING_JOB_NAME"] == job["TrainingJobName"]
    assert not [name for name in seen if name.startswith(("SM_CHANNEL", "SM_HP", "SM_NUM", "SM_HOSTS", "SM_OUTPUT"))]


def test_metrics_are_what_their_expressions_find_last_in_the_log(bench: Bench) -> None:
    job = bench.train(
        "true",
        AlgorithmSpecification=algorithm(
            "echo 'auc=0.5;'; echo 'auc=0.9;'; echo 'auc=none;'",
            MetricDefinitions=[{"Name": "auc", "Regex": "auc=([0-9.a-z]+);"}],
        ),
    )

    assert [(item["MetricName"], round(item["Value"], 3)) for item in job["FinalMetricDataList"]] == [("auc", 0.9)]


def test_the_failure_file_is_the_failure_reason(bench: Bench) -> None:
    job = bench.train("echo 'no such column: fraud' > /opt/ml/output/failure; exit 1")

    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no such column: fraud, exit code: 1"


def test_a_failure_without_a_file_has_the_exit_code_only(bench: Bench) -> None:
    assert bench.train("exit 4")["FailureReason"] == "AlgorithmError: , exit code: 4"


def test_a_training_that_runs_out_of_time_stops_and_keeps_its_model(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = tmp_path / "written"

    class FromThenOn(threading.Timer):
        """Its time begins when the half is written, however long that takes."""

        def run(self) -> None:
            until(written.exists)
            super().run()

    monkeypatch.setattr(container, "threading", SimpleNamespace(**{**vars(threading), "Timer": FromThenOn}))
    shell = f"echo half > /opt/ml/model/m; touch {written}; sleep 600"
    job = bench.train(shell, StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert unpacked(bench, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"m": "half\n"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/c"}}, "CheckpointConfig"),
        ({"EnableManagedSpotTraining": True}, "EnableManagedSpotTraining"),
        ({"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"}}, "no ContainerEntrypoint"),
        ({"InputDataConfig": [channel("t", f"s3://{BUCKET}/c", InputMode="Pipe")]}, "Input mode Pipe"),
    ],
)
def test_what_is_not_played_is_refused_by_name(bench: Bench, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*" + named):
        bench.train("true", **changes)


def test_a_stopped_training_is_stopped(bench: Bench) -> None:
    bench.sagemaker.create_training_job(
        TrainingJobName="to-stop",
        RoleArn=bench.job_role(),
        AlgorithmSpecification=algorithm("sleep 600"),
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )

    bench.sagemaker.stop_training_job(TrainingJobName="to-stop")

    job = bench.until(lambda: bench.sagemaker.describe_training_job(TrainingJobName="to-stop"), "TrainingJobStatus")
    assert job["TrainingJobStatus"] == "Stopped"
