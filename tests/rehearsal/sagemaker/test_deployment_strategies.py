"""What one word in a stage's configuration does to real traffic, through the deploy repository's own template."""

from __future__ import annotations

import pytest

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.resources.autoscaling import AUTOSCALING_TYPES
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.caller import AsyncClient, Client
from tests.rehearsal.sagemaker.deploy_lab import DeployedStage
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    rooms = [Hosting, SageMakerRuntime, ApplicationAutoScaling]
    found = Stage(start_cloud(rooms, [*SAGEMAKER_TYPES, *AUTOSCALING_TYPES], speed=240.0)).set()
    for topic in ("success", "error"):  # of the project, which is not deployed here
        found.client("sns").create_topic(Name=f"sagemaker-claims-p-1-async-{topic}")
    return found


@pytest.fixture(scope="module")
def serving(stage: Stage) -> DeployedStage:
    """A stage in service, to which every test deploys further versions."""
    deployed = DeployedStage(stage)
    assert deployed.deploy("first") == "CREATE_COMPLETE", deployed.reasons()
    return deployed


LONGEST_WAITS = {"TrafficWaitSeconds": 3600, "TerminationWaitSeconds": 3600}
"""However late the first request is that meets a bad version, the alarms still look."""

STRATEGIES = ["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_good_version_comes_in_by_every_strategy_without_one_failed_request(
    serving: DeployedStage, strategy: str
) -> None:
    before = serving.serves()
    with Client(serving.stage, serving.endpoint) as client:
        until(lambda: client.heard[before] > 5)
        status = serving.deploy(f"by {strategy}", TrafficRouting=strategy)
        until(lambda: client.heard[f"by {strategy}"] > 5)
    assert status == "UPDATE_COMPLETE", serving.reasons()
    assert set(client.heard) == {before, f"by {strategy}"}
    kind = "RollingUpdatePolicy" if strategy == "ROLLING" else "BlueGreenUpdatePolicy"
    policy = serving.described()["LastDeploymentConfig"][kind]
    assert kind == "RollingUpdatePolicy" or policy["TrafficRoutingConfiguration"]["Type"] == strategy


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_bad_version_is_brought_back_by_every_strategy_and_only_what_met_it_failed(
    serving: DeployedStage, strategy: str
) -> None:
    before = serving.serves()
    with Client(serving.stage, serving.endpoint) as client:
        until(lambda: client.heard[before] > 5)
        status = serving.deploy("broken", TrafficRouting=strategy, **LONGEST_WAITS)
        heard = client.heard[before]
        until(lambda: client.heard[before] > heard + 1)  # what was on its way when the stack ended has come
        met, heard = client.heard["ModelError 500"], client.heard[before]
        until(lambda: client.heard[before] > heard + 5)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "server-errors" in serving.reasons()
    assert set(client.heard) == {before, "ModelError 500"}
    assert client.heard["ModelError 500"] == met, "after the stack has ended only the old version answers"


def test_a_metric_of_your_own_rolls_a_deployment_back(serving: DeployedStage) -> None:
    before = serving.serves()
    own = {"OwnAlarmMetricName": "pay-share", "OwnAlarmNamespace": "Claims", "OwnAlarmThreshold": 0.5}
    serving.begin("pays too much", TrafficRouting="CANARY", TrafficWaitSeconds=1800, **own)
    until(lambda: "PendingDeploymentSummary" in serving.described())
    metric = {"MetricName": "pay-share", "Dimensions": [{"Name": "EndpointName", "Value": serving.endpoint}]}
    serving.stage.client("cloudwatch").put_metric_data(Namespace="Claims", MetricData=[{**metric, "Value": 0.9}])
    assert serving.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert "own-metric" in serving.reasons()
    assert serving.serves() == before


def test_what_changes_of_the_endpoint_alone_comes_with_a_configuration_of_its_own(serving: DeployedStage) -> None:
    """SageMaker updates no endpoint with the configuration that it serves already."""
    same = serving.package("the same")
    assert serving.deploy_again(same) == "UPDATE_COMPLETE", serving.reasons()
    configs = {serving.described()["EndpointConfigName"]}
    for number, change in enumerate(({"TerminationWaitSeconds": 0}, {"EndpointMaxInstanceCount": 4}), start=2):
        assert serving.deploy_again(same, **change) == "UPDATE_COMPLETE", serving.reasons()
        configs.add(serving.described()["EndpointConfigName"])
        assert len(configs) == number
    assert serving.serves() == "the same"


def test_a_scalable_target_and_the_count_it_has_reached_survive_a_new_version(serving: DeployedStage) -> None:
    scaling = serving.stage.client("application-autoscaling")
    resource = f"endpoint/{serving.endpoint}/variant/AllTraffic"

    def targets() -> list[tuple[str, int, int]]:
        found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
        return [
            (each["ScalableTargetARN"], each["MinCapacity"], each["MaxCapacity"]) for each in found["ScalableTargets"]
        ]

    scaling_out = {"EndpointMaxInstanceCount": 6, "TrafficRouting": "ROLLING"}
    assert serving.deploy("scales", **scaling_out) == "UPDATE_COMPLETE", serving.reasons()
    before = targets()
    assert [each[1:] for each in before] == [(2, 6)]
    serving.stage.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=serving.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 5}],
    )
    serving.stage.until_status(serving.endpoint, "InService")
    assert serving.deploy("scaled", **scaling_out) == "UPDATE_COMPLETE", serving.reasons()
    assert targets() == before
    assert serving.described()["ProductionVariants"][0]["CurrentInstanceCount"] == 5


def test_an_instance_type_changes_in_two_deployments_because_sagemaker_refuses_it_while_the_fleet_scales(
    serving: DeployedStage,
) -> None:
    """As `make build` says how to do it; the count that autoscaling has reached stays all the time."""
    assert serving.deploy("scales", EndpointMaxInstanceCount=4) == "UPDATE_COMPLETE", serving.reasons()
    assert serving.serves() == "scales"
    refused = serving.deploy("bigger", EndpointInstanceType="ml.m5.xlarge", EndpointMaxInstanceCount=4)
    assert refused == "UPDATE_ROLLBACK_COMPLETE"
    assert "must be deregistered" in serving.reasons()
    serving.stage.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=serving.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )
    serving.stage.until_status(serving.endpoint, "InService")
    first = serving.deploy("still", EndpointInstanceCount=3, EndpointMaxInstanceCount=3)
    second = serving.deploy("bigger", EndpointInstanceType="ml.m5.xlarge", EndpointMaxInstanceCount=4)
    assert (first, second) == ("UPDATE_COMPLETE", "UPDATE_COMPLETE"), serving.reasons()
    assert serving.serves() == "bigger"
    assert serving.described()["ProductionVariants"][0]["CurrentInstanceCount"] == 3


# ---- asynchronous


@pytest.fixture(scope="module")
def queued(stage: Stage) -> DeployedStage:
    """An asynchronous stage of two instances in service."""
    deployed = DeployedStage(stage, DeploymentMode="async", AsyncLeastInstanceCount=2)
    assert deployed.deploy("first") == "CREATE_COMPLETE", deployed.reasons()
    return deployed


def hears(client: AsyncClient, word: str, times: int = 5) -> bool:
    client.collect()
    return client.heard[word] > times


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_asynchronous_stage_gets_a_good_version_by_every_strategy_and_loses_no_request(
    queued: DeployedStage, strategy: str
) -> None:
    with AsyncClient(queued.stage, queued.endpoint) as client:
        until(lambda: hears(client, next(iter(client.heard), "")))
        [before] = client.heard
        status = queued.deploy(f"by {strategy}", TrafficRouting=strategy)
        until(lambda: hears(client, f"by {strategy}"))
    assert status == "UPDATE_COMPLETE", queued.reasons()
    until(lambda: client.collect() == 0)
    assert set(client.heard) == {before, f"by {strategy}"}
    assert sum(client.heard.values()) == client.asked


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_bad_version_of_an_asynchronous_stage_is_brought_back_by_every_strategy_and_only_what_met_it_failed(
    queued: DeployedStage, strategy: str
) -> None:
    with AsyncClient(queued.stage, queued.endpoint) as client:
        until(lambda: hears(client, next(iter(client.heard), "")))
        [before] = client.heard
        status = queued.deploy("broken", TrafficRouting=strategy, **LONGEST_WAITS)
        client.collect()
        heard = client.heard[before]
        until(lambda: hears(client, before, heard))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "server-errors" in queued.reasons()
    until(lambda: client.collect() == 0)
    assert set(client.heard) == {before, "failure 500"}
    assert sum(client.heard.values()) == client.asked


@pytest.fixture
def sleepy(stage: Stage) -> DeployedStage:
    """An asynchronous stage that may sleep. Each is a new one: nothing has woken it, so nothing scales it meanwhile."""
    deployed = DeployedStage(stage, DeploymentMode="async")
    assert deployed.deploy("first") == "CREATE_COMPLETE", deployed.reasons()
    return deployed


def asleep(deployed: DeployedStage) -> bool:
    found = deployed.described()
    [variant] = found["ProductionVariants"]
    return found["EndpointStatus"] == "InService" and variant["CurrentInstanceCount"] == 0


def test_an_asynchronous_stage_falls_asleep_gets_a_new_version_and_is_woken_by_a_request(sleepy: DeployedStage) -> None:
    until(lambda: asleep(sleepy))
    assert sleepy.deploy("second") == "UPDATE_COMPLETE", sleepy.reasons()
    until(lambda: asleep(sleepy))
    client = AsyncClient(sleepy.stage, sleepy.endpoint)
    client.hand_in()
    until(lambda: client.collect() == 0)
    assert client.heard == {"second": 1}


def test_a_bad_version_for_a_stage_that_sleeps_meets_what_comes_meanwhile_and_is_brought_back(
    sleepy: DeployedStage,
) -> None:
    until(lambda: asleep(sleepy))
    sleepy.begin("broken", TrafficRouting="CANARY", **LONGEST_WAITS)
    until(lambda: "PendingDeploymentSummary" in sleepy.described())
    with AsyncClient(sleepy.stage, sleepy.endpoint) as client:
        assert sleepy.settled() == "UPDATE_ROLLBACK_COMPLETE"
    # Which alarm it was the endpoint forgets as soon as it is woken for what waits.
    assert "rolled back" in sleepy.reasons()
    until(lambda: client.collect() == 0)
    assert "broken" not in client.heard
    assert client.heard["failure 500"] > 0
    assert sum(client.heard.values()) == client.asked


@pytest.mark.parametrize("mode", ["realtime", "serverless"])
def test_an_asynchronous_stage_cannot_become_another_and_goes_on_serving(queued: DeployedStage, mode: str) -> None:
    refused = queued.deploy("never", DeploymentMode=mode, EnableNetworkIsolation="false")
    assert refused == "UPDATE_ROLLBACK_COMPLETE"
    assert "The AsyncInferenceConfig parameter cannot be removed" in queued.reasons()
    client = AsyncClient(queued.stage, queued.endpoint)
    client.hand_in()
    until(lambda: client.collect() == 0)
    assert "never" not in client.heard


def test_a_living_stage_cannot_become_asynchronous(serving: DeployedStage) -> None:
    before = serving.serves()
    assert serving.deploy("never", DeploymentMode="async") == "UPDATE_ROLLBACK_COMPLETE"
    assert serving.serves() == before


# ---- another mode


def test_a_serverless_stage_gets_new_versions_without_a_failed_request_and_has_none_of_the_guardrails(
    stage: Stage,
) -> None:
    serverless = DeployedStage(stage, DeploymentMode="serverless", EnableNetworkIsolation="false")
    assert serverless.deploy("first") == "CREATE_COMPLETE", serverless.reasons()
    with Client(stage, serverless.endpoint) as client:
        until(lambda: client.heard["first"] > 5)
        status = serverless.deploy("second")
        until(lambda: client.heard["second"] > 5)
    assert status == "UPDATE_COMPLETE", serverless.reasons()
    assert set(client.heard) == {"first", "second"}
    assert "LastDeploymentConfig" not in serverless.described()


def test_a_stage_on_instances_cannot_become_serverless_and_goes_on_serving(serving: DeployedStage) -> None:
    before = serving.serves()
    refused = serving.deploy("never", DeploymentMode="serverless", EnableNetworkIsolation="false")
    assert refused == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot update an instance-based endpoint to a serverless endpoint" in serving.reasons()
    assert serving.serves() == before
