"""Serverless endpoints: a real process that ends when nobody asks and starts again for the next request."""

from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until

WHICH_PROCESS = """
import fcntl, json, uuid

def model_fn(model_dir):
    held = open(f"{open(model_dir + '/answer.txt').read().strip()}/{uuid.uuid4().hex}", "w")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held

def transform_fn(model, data, content_type, accept):
    return json.dumps({"predictions": [model.name]}), accept
"""
"""Its process is told apart by a file that it holds locked as long as it runs."""

WAITS_FOR_A_FILE = """
import json, os, time

def model_fn(model_dir):
    return open(model_dir + "/answer.txt").read().strip()

def transform_fn(model, data, content_type, accept):
    open(model + "/asked", "w").close()
    while not os.path.exists(model + "/go"):
        time.sleep(0.02)
    return json.dumps({"predictions": ["at last"]}), accept
"""


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    """Ten idle minutes pass in one second."""
    return Stage(start_cloud([Hosting, SageMakerRuntime, ApplicationAutoScaling], speed=600.0)).set()


def process_of(stage: Stage, endpoint: str) -> str:
    """The file that the process that answers holds."""
    found: str = json.loads(stage.invoke(endpoint)["Body"])["predictions"][0]
    return found


def runs(process: str) -> bool:
    with Path(process).open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    message: str = error.value.response["Error"]["Message"]
    return message


def test_an_endpoint_nobody_asks_falls_asleep_and_the_next_request_wakes_it(stage: Stage, tmp_path: Path) -> None:
    endpoint = stage.endpoint(stage.serverless_config(stage.model(str(tmp_path), inference=WHICH_PROCESS)))
    awake = process_of(stage, endpoint)
    until(lambda: not runs(awake))
    assert stage.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
    assert process_of(stage, endpoint) != awake, "the request waits for the cold start, and is answered"


def test_provisioned_concurrency_keeps_it_awake(stage: Stage, tmp_path: Path) -> None:
    model = stage.model(str(tmp_path), inference=WHICH_PROCESS)
    kept = stage.endpoint(stage.serverless_config(model, provisioned=1))
    first = process_of(stage, kept)
    other = process_of(stage, stage.endpoint(stage.serverless_config(model)))
    until(lambda: not runs(other))
    assert process_of(stage, kept) == first


def test_more_requests_at_once_than_the_maximum_are_throttled(stage: Stage, tmp_path: Path) -> None:
    model = stage.model(str(tmp_path), inference=WAITS_FOR_A_FILE)
    endpoint = stage.endpoint(stage.serverless_config(model, most=1))
    heard: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: heard.append(stage.invoke(endpoint)))
    waiting.start()
    until((tmp_path / "asked").exists)
    once = Config(retries={"total_max_attempts": 1})
    root = stage.cloud.identity.root
    runtime = boto3.client(
        "sagemaker-runtime",
        region_name=stage.cloud.region,
        endpoint_url=stage.cloud.url,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        config=once,
    )
    with pytest.raises(ClientError) as error:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}", ContentType="application/json")
    assert error.value.response["Error"]["Code"] == "ThrottlingException"
    (tmp_path / "go").touch()
    waiting.join()
    assert json.loads(heard[0]["Body"]) == {"predictions": ["at last"]}


def test_it_is_described_by_its_memory_and_not_by_instances(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.serverless_config(stage.model("yes")))
    [variant] = stage.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert "CurrentInstanceCount" not in variant


def test_an_endpoint_on_instances_cannot_become_serverless_and_the_way_from_serverless_is_one_way(
    stage: Stage,
) -> None:
    model = stage.model("yes")
    serverless, instances = stage.serverless_config(model), stage.config(model, instances=1)
    endpoint = stage.endpoint(serverless)
    stage.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=instances)
    assert stage.until_status(endpoint, "InService")["EndpointConfigName"] == instances
    assert stage.prediction(endpoint) == "yes"
    with pytest.raises(ClientError, match="Cannot update an instance-based endpoint to a serverless"):
        stage.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=serverless)


def test_guardrails_are_not_for_serverless_endpoints(stage: Stage) -> None:
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    with pytest.raises(ClientError, match="Deployment guardrails only apply to"):
        stage.sagemaker.create_endpoint(
            EndpointName=f"endpoint-{uuid4().hex[:8]}",
            EndpointConfigName=stage.serverless_config(stage.model("yes")),
            DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
        )


@pytest.mark.parametrize(
    ("variant", "config", "message"),
    [
        ({"InstanceType": "ml.m5.large"}, {}, "does not support InstanceType"),
        (
            {},
            {
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 1,
                    "DestinationS3Uri": "s3://models/captured",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "does not support DataCaptureConfig",
        ),
        ({"ServerlessConfig": {"MemorySizeInMB": 2000, "MaxConcurrency": 1}}, {}, "must be one of 1024, 2048"),
        (
            {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1, "ProvisionedConcurrency": 2}},
            {},
            "must not be above its MaxConcurrency",
        ),
    ],
)
def test_what_serverless_inference_does_not_support_is_refused(
    stage: Stage, variant: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    given = {
        "VariantName": "AllTraffic",
        "ModelName": stage.model("yes"),
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1},
        **variant,
    }
    with pytest.raises(ClientError) as error:
        stage.sagemaker.create_endpoint_config(
            EndpointConfigName=f"config-{uuid4().hex[:8]}", ProductionVariants=[given], **config
        )
    assert message in refusal(error)


def test_a_model_cut_off_from_the_network_cannot_be_serverless(stage: Stage) -> None:
    name = f"model-{uuid4().hex[:8]}"
    model = stage.sagemaker.describe_model(ModelName=stage.model("yes"))
    given = {member: model[member] for member in ("ExecutionRoleArn", "PrimaryContainer")}
    stage.sagemaker.create_model(ModelName=name, EnableNetworkIsolation=True, **given)
    with pytest.raises(ClientError, match="does not support network isolation"):
        stage.serverless_config(name)


def test_its_instances_cannot_be_counted_by_autoscaling(stage: Stage) -> None:
    endpoint = stage.endpoint(stage.serverless_config(stage.model("yes")))
    with pytest.raises(ClientError, match="has no instance count"):
        stage.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{endpoint}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
