"""A container that dies is started again; while it is gone during a canary, the alarm brings the old version back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker import serving_container
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.sagemaker.hosting import INFERENCE, Hosting, Stage
from tests.rehearsal.sagemaker.test_endpoints_deployments import Client, canary, errors_alarm, update
from tests.waiting import until

CRASHING = INFERENCE.replace(
    '    if model == "broken":', '    if "crash" in request:\n        import os; os._exit(9)\n    if model == "broken":'
)


@pytest.fixture
def stage(faulty: Faulty) -> Stage:
    return Stage(faulty(["endpoint-killed"], [Hosting, SageMakerRuntime])).set()


def test_errors_while_the_container_is_gone_roll_the_deployment_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_container, "FIRST_WAIT", 24 * 3600.0)  # gone until somebody has met that
    old, new = stage.config(stage.model("old")), stage.config(stage.model("new"))
    endpoint = stage.endpoint(old)
    alarm = errors_alarm(stage, endpoint)
    with Client(stage, endpoint) as client:
        update(stage, endpoint, new, DeploymentConfig=canary(wait=600, alarms=[alarm]))
        described = stage.until_status(endpoint, "InService")
        failed = client.heard["ModelError 0"]
        heard = sum(client.heard.values())
        until(lambda: sum(client.heard.values()) > heard + 20)
        assert client.heard["ModelError 0"] - failed <= 1  # one may have been on its way
    assert stage.cloud.faults.struck("endpoint-killed") == [endpoint]
    assert failed > 0
    assert described["EndpointConfigName"] == old
    assert alarm in described["FailureReason"]
    assert "PendingDeploymentSummary" not in described
    assert stage.prediction(endpoint) == "old"


def test_without_requests_the_container_is_back_before_the_canary_ends(stage: Stage) -> None:
    old, new = stage.config(stage.model("old")), stage.config(stage.model("new"))
    endpoint = stage.endpoint(old)
    alarm = errors_alarm(stage, endpoint)
    update(stage, endpoint, new, DeploymentConfig=canary(wait=180, alarms=[alarm]))
    described = stage.until_status(endpoint, "InService")
    assert stage.cloud.faults.struck("endpoint-killed") == [endpoint]
    assert described["EndpointConfigName"] == new
    assert "FailureReason" not in described
    until(lambda: answers(stage, endpoint, "new"), "the container's return")


@pytest.fixture
def calm(faulty: Faulty) -> Stage:
    return Stage(faulty([], [Hosting, SageMakerRuntime])).set()


def answers(stage: Stage, endpoint: str, what: str = "steady") -> bool:
    try:
        return stage.prediction(endpoint) == what
    except stage.client("sagemaker-runtime").exceptions.ModelError:
        return False


def test_a_container_that_crashes_in_service_answers_again_and_again(calm: Stage) -> None:
    endpoint = calm.endpoint(calm.config(calm.model("steady", inference=CRASHING)))
    for _ in range(2):
        with pytest.raises(ClientError, match=r"ModelError"):
            calm.invoke(endpoint, {"records": [1], "crash": True})
        until(lambda: answers(calm, endpoint))
    assert calm.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


def processes(folder: Path) -> Iterator[Any]:
    """Living processes with a folder in their environment."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (entry / "environ").read_text(errors="replace") + (entry / "cmdline").read_text():
                yield entry.name
        except OSError:
            continue


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_an_endpoint_deleted_while_its_container_is_gone_starts_none(calm: Stage) -> None:
    endpoint = calm.endpoint(calm.config(calm.model("steady", inference=CRASHING)))
    serving = calm.cloud.settings.folder / "sagemaker" / "endpoints"
    assert list(processes(serving))
    with pytest.raises(ClientError, match=r"ModelError"):
        calm.invoke(endpoint, {"records": [1], "crash": True})
    calm.sagemaker.delete_endpoint(EndpointName=endpoint)

    def gone() -> bool:
        return calm.sagemaker.list_endpoints()["Endpoints"] == [] and not list(processes(serving))

    until(gone)
    watched = f"container of {endpoint}/AllTraffic"
    until(lambda: watched not in {thread.name for thread in threading.enumerate()})
    assert list(processes(serving)) == [], "nobody is left who could start one"
