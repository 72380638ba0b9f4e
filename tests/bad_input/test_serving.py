"""Models that cannot be served, records that cannot be scored, and a deployment that fails half-way."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.runtimes import runtime_for
from rehearsal.cloud.sagemaker import model_server
from tests.bad_input.conftest import ROOT, Ended, StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, INFERENCE, Stage
from tests.rehearsal.sagemaker.test_endpoints_stacks import Stack
from tests.waiting import until

STEPS = ROOT / "build_repo" / "steps"
NEEDS_NO_NETWORK = {"PIP_NO_BUILD_ISOLATION": "0"}
TRAIN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import features, inference, train, xgboost
from claims_contract import LABEL
from generate_claims import generate
claims = generate(400, seed=1)
matrix = xgboost.DMatrix(features.compute(claims), label=claims[LABEL.name])
booster = xgboost.train({"objective": "binary:logistic"}, matrix, num_boost_round=2)
train.pack(inference.ClaimModel(booster, 0.5), Path(sys.argv[2]), {})
"""
RECORD = {
    "customer_age": 44,
    "months_as_customer": 12,
    "claim_type": "collision",
    "channel": "agent",
    "region": "north",
    "claim_amount": 1200.5,
    "prior_claims": 0,
    "police_report": 1,
    "report_delay_days": 3,
}


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud()).set()


@pytest.fixture(scope="module")
def endpoint(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An endpoint of the model-build repository's own serving code, with a model that learnt little."""
    folder = tmp_path_factory.mktemp("claims")
    python = runtime_for(IMAGE).python(ROOT / ".venvs")
    subprocess.run([python, "-c", TRAIN, STEPS, folder / "model"], check=True)
    archive = shutil.make_archive(str(folder / "packed"), "gztar", folder / "model")
    stage.client("s3").upload_file(archive, "models", "claims/model.tar.gz")
    name = f"model-{uuid4().hex[:8]}"
    container = {
        "Image": IMAGE,
        "ModelDataUrl": "s3://models/claims/model.tar.gz",
        "Environment": {**CODE, **NEEDS_NO_NETWORK},
    }
    stage.sagemaker.create_model(ModelName=name, ExecutionRoleArn=stage.role(), PrimaryContainer=container)
    return stage.endpoint(stage.config(name))


def asked(stage: Stage, endpoint: str, body: Any) -> tuple[str, str]:
    """What the caller reads: AWS's error and the status of the model's own, or the answer."""
    try:
        answer = stage.invoke(endpoint, body)
    except ClientError as refusal:
        error = refusal.response["Error"]
        return f"{error['Code']} {refusal.response.get('OriginalStatusCode', '')}".strip(), error["Message"]
    return "answered", answer["Body"].decode()


def logged(stage: Stage, endpoint: str, words: str) -> bool:
    logs, group = stage.client("logs"), f"/aws/sagemaker/Endpoints/{endpoint}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return False
    return any(words in event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])


def failed(stage: Stage, inference: str) -> tuple[str, str, str]:
    """An endpoint that does not come up: its name, status and reason."""
    name = f"endpoint-{uuid4().hex[:8]}"
    config = stage.config(stage.model("yes", inference=inference), startup=60)
    stage.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert asked(stage, name, None)[0] == "ValidationError"
    described = stage.until_status(name, "Failed")
    return name, described["EndpointStatus"], described["FailureReason"]


# ---- models


def test_an_endpoint_that_never_answers_its_ping(stage: Stage, ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_server, "STARTUP_FLOOR", 2.0)
    name, status, reason = failed(stage, "import time\ntime.sleep(3600)\n")

    ended(status, reason)

    stage.sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: name not in str(stage.sagemaker.list_endpoints()["Endpoints"]))


def test_an_inference_script_that_does_not_import(stage: Stage, ended: Ended) -> None:
    name, status, reason = failed(stage, "import a_package_the_image_does_not_have")

    ended(status, reason)

    until(lambda: logged(stage, name, "No module named 'a_package_the_image_does_not_have'"))


def test_an_inference_script_that_raises_when_it_loads_the_model(stage: Stage, ended: Ended) -> None:
    name, status, reason = failed(stage, "def model_fn(folder): raise ValueError('no such model')")

    ended(status, reason)

    until(lambda: logged(stage, name, "ValueError: no such model"))


def test_an_inference_script_that_raises_on_a_record(stage: Stage, ended: Ended) -> None:
    name = stage.endpoint(stage.config(stage.model("broken", inference=INFERENCE)))

    ended(*asked(stage, name, None))

    assert stage.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    until(lambda: logged(stage, name, "this model cannot predict"))
    stage.sagemaker.delete_endpoint(EndpointName=name)


# ---- records


def test_a_record_with_a_missing_field(stage: Stage, endpoint: str, ended: Ended) -> None:
    incomplete = {name: value for name, value in RECORD.items() if name != "claim_amount"}

    ended(*asked(stage, endpoint, {"records": [RECORD, incomplete]}))

    assert asked(stage, endpoint, {"records": [RECORD]})[0] == "answered"


def test_a_record_with_an_unknown_field(stage: Stage, endpoint: str, ended: Ended) -> None:
    ended(*asked(stage, endpoint, {"records": [{**RECORD, "shoe_size": 42}]}))


def test_a_record_with_text_for_a_number(stage: Stage, endpoint: str, ended: Ended) -> None:
    ended(*asked(stage, endpoint, {"records": [{**RECORD, "claim_amount": "a lot"}]}))


# ---- deployments


def test_a_stack_update_that_fails_half_way(stage: Stage, ended: Ended) -> None:
    stack = Stack(stage)
    assert stack.create("old") == "CREATE_COMPLETE", stack.reasons()
    before = stack.outputs()
    broken = stage.artefact("new", "import a_package_the_image_does_not_have")

    status = stack.update("new", ModelDataUrl=broken)

    ended(status, stack.reasons())
    assert stack.outputs() == before
    assert stage.prediction(stack.endpoint) == "old"
    assert stack.alarms() == [stack.alarm_of_what_serves()]
    stack.delete()
