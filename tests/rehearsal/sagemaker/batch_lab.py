"""A bench for batch transforms: models that answer every line of what they are sent, and say how they were sent it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rehearsal.cloud.sagemaker.pipelines import Pipelines
from rehearsal.cloud.sagemaker.transform_jobs import TransformJobs
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, archive
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench

INFERENCE = """
import os
import flask

def model_fn(model_dir):
    return "model"

def transform_fn(model, data, content_type, accept):
    text = data.decode() if isinstance(data, bytes) else data
    if "bad" in text:
        return flask.Response("no such claim", status=400)
    if "crash" in text:
        return flask.Response("out of order", status=500)
    if "how" in text:
        return os.environ["SAGEMAKER_BATCH_STRATEGY"] + " " + os.environ["SAGEMAKER_MAX_PAYLOAD_IN_MB"], accept
    lines = text.splitlines()
    return str(len(lines)) + ":" + "|".join(line.upper() for line in lines), accept
"""


class BatchLab(Pipelines, TransformJobs):
    """The part of the SageMaker API that these tests need."""

    name = "sagemaker"


def model_request(bench: Bench, role: str | None = None, code: str = INFERENCE) -> dict[str, Any]:
    """CreateModel's members but for the name."""
    key = f"batch/{uuid4().hex[:8]}/model.tar.gz"
    bench.s3.put_object(Bucket=BUCKET, Key=key, Body=archive({"code/inference.py": code}))
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{key}", "Environment": CODE}
    return {"ExecutionRoleArn": role or bench.pipeline_role(), "PrimaryContainer": container}


def model(bench: Bench, role: str | None = None, code: str = INFERENCE) -> str:
    """A model that is there; returns its name."""
    name = f"model-{uuid4().hex[:8]}"
    bench.sagemaker.create_model(ModelName=name, **model_request(bench, role, code))
    return name


def transform(source: Any, output: Any, **more: Any) -> dict[str, Any]:
    """CreateTransformJob's members but for the names of job and model; members of input and output by their names."""
    given = {key: more.pop(key) for key in ("SplitType", "CompressionType") if key in more}
    taken = {key: more.pop(key) for key in ("AssembleWith", "Accept") if key in more}
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
    return {
        "TransformInput": {"DataSource": data, "ContentType": "text/csv", **given},
        "TransformOutput": {"S3OutputPath": output, "Accept": "text/csv", **taken},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def play(bench: Bench, model_name: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    """Run a transform job to its end and describe it."""
    name = f"batch-{uuid4().hex[:8]}"
    request = transform(*arguments, **more)
    bench.sagemaker.create_transform_job(TransformJobName=name, ModelName=model_name, **request)
    return bench.until(lambda: bench.sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus")
