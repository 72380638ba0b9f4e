"""Where namespaces are forbidden, as on macOS, every kind of container finds its files under rewritten paths.

Forced here, so that Linux plays it too. The programs honour SAGEMAKER_BASE_DIR, as SageMaker's own toolkits do, or get
their paths as arguments, as the template's steps do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rehearsal.cloud import container
from rehearsal.cloud.container import REWRITTEN_PATHS
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.batch_lab import BatchLab, model, play
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, left, taken


@pytest.fixture(scope="module", autouse=True)
def no_namespaces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "possible_way", lambda folder: REWRITTEN_PATHS)  # noqa: ARG005
        yield


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([BatchLab]))


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime

    return Stage(start_cloud([Hosting, SageMakerRuntime])).set()


def test_a_processing_job_reads_its_inputs_and_leaves_its_outputs(bench: Bench) -> None:
    source = bench.put("plain/in/question", "six times nine")
    job = bench.process(
        "sed s/nine/seven/ /opt/ml/processing/in/question > /opt/ml/processing/out/answer"
        " && cp /opt/ml/config/processingjobconfig.json /opt/ml/processing/out/config",
        ProcessingInputs=[taken("in", source.rpartition("/")[0], "/opt/ml/processing/in")],
        ProcessingOutputConfig={"Outputs": [left("out", f"s3://{BUCKET}/plain/out", "/opt/ml/processing/out")]},
    )
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert bench.text(f"s3://{BUCKET}/plain/out/answer") == "six times seven"
    config = json.loads(bench.text(f"s3://{BUCKET}/plain/out/config"))
    told = config["ProcessingInputs"][0]["S3Input"]["LocalPath"]
    assert told.endswith("/processing/in")
    assert not told.startswith("/opt/ml"), "files written for the program spell the paths as it must"


def test_a_training_job_reads_its_channel_and_leaves_its_model(bench: Bench) -> None:
    data = bench.put("plain/train/word", "forty-two")
    source = {"S3DataType": "S3Prefix", "S3Uri": data.rpartition("/")[0], "S3DataDistributionType": "FullyReplicated"}
    job = bench.train(
        'cp /opt/ml/input/data/train/word "$SM_MODEL_DIR/word" && ls "$SAGEMAKER_BASE_DIR/input/config"',
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model.tar.gz")
    assert "hyperparameters.json" in bench.lines("/aws/sagemaker/TrainingJobs", job["TrainingJobName"])


def test_an_endpoint_serves_its_model(stage: Stage) -> None:
    assert stage.prediction(stage.endpoint(stage.config(stage.model("found it"), instances=1))) == "found it"


def test_a_batch_transform_answers_every_record(bench: Bench) -> None:
    bench.put("plain/batch/claims.csv", "a\nb\n")
    place = f"s3://{BUCKET}/plain"
    job = play(bench, model(bench), f"{place}/batch", f"{place}/answers", SplitType="Line")
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert "A" in bench.text(f"{place}/answers/claims.csv.out")
