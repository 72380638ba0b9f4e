"""An endpoint under maintenance serves and is changed by nobody; what wanted to change it says so, and works later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.faults.deployment_lab import ENDPOINT, PIPELINE, PROVIDERS, SERVICES, STACK, Project
from tests.rehearsal.faults.test_remedies import Company
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until

IN_PROGRESS = "Cannot update in-progress endpoint"
HELD = 0.01
"""A clock this slow lets no maintenance end within a test."""
FAULT = "endpoint-maintenance"


def status(stage: Stage, endpoint: str) -> str:
    return str(stage.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"])


@pytest.fixture
def stage(faulty: Faulty) -> Stage:
    return Stage(faulty([FAULT], [Hosting, SageMakerRuntime], speed=HELD)).set()


Act = Callable[[Any, str, str], object]
ACTS: dict[str, Act] = {
    "updated": lambda api, name, config: api.update_endpoint(EndpointName=name, EndpointConfigName=config),
    "deleted": lambda api, name, _: api.delete_endpoint(EndpointName=name),
    "re-scaled": lambda api, name, _: api.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    ),
}


def test_under_maintenance_it_answers_and_can_be_neither_updated_nor_deleted_nor_re_scaled(stage: Stage) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html"""
    old, new = stage.config(stage.model("old")), stage.config(stage.model("new"))
    for met in ("updated", "deleted"):
        endpoint = stage.endpoint(old)
        for act in (ACTS[met], *ACTS.values()):
            with pytest.raises(ClientError, match=IN_PROGRESS):
                act(stage.sagemaker, endpoint, new)
            assert status(stage, endpoint) == "SystemUpdating"
            assert stage.prediction(endpoint) == "old"
        described = stage.sagemaker.describe_endpoint(EndpointName=endpoint)
        assert described["EndpointConfigName"] == old
        assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    assert len(stage.sagemaker.list_endpoints(StatusEquals="SystemUpdating")["Endpoints"]) == 2


def test_a_deployment_and_a_deletion_that_meet_it_change_nothing_and_go_through_when_they_are_tried_again(
    faulty: Faulty,
) -> None:
    project = Project(faulty([FAULT], SERVICES, PROVIDERS, speed=600))
    company = Company(project.cloud)
    project.approve(project.register("one"))
    until(project.executions)
    project.say_yes()
    before = project.stage.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    project.approve(project.register("two"))
    until(lambda: len(project.executions()) == 2)
    second = project.say_yes()
    assert project.lab.finished(PIPELINE, second)["status"] == "Failed"
    assert IN_PROGRESS in project.deploy_reason()
    assert project.cloud.faults.struck(FAULT) == [ENDPOINT]
    [stack] = project.stage.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert project.served() == "one"
    kept = project.stage.sagemaker.list_endpoint_configs()["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in kept] == [before["EndpointConfigName"]]

    company.watch(PIPELINE, second).until_succeeded()
    company.remedies.confirm()
    assert project.served() == "two"

    stacks = project.stage.client("cloudformation")

    def ended() -> str:
        status = str(stacks.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"])
        return "" if status == "DELETE_IN_PROGRESS" else status

    stacks.delete_stack(StackName=stack["StackId"])
    assert until(ended) == "DELETE_FAILED"
    told = stacks.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    assert any(IN_PROGRESS in each.get("ResourceStatusReason", "") for each in told)
    assert project.served() == "two"
    until(lambda: status(project.stage, ENDPOINT) == "InService")
    stacks.delete_stack(StackName=stack["StackId"])
    assert until(ended) == "DELETE_COMPLETE"
    assert project.stage.sagemaker.list_endpoints()["Endpoints"] == []
