"""An approved version whose artefact is gone is not deployed, names the object, and is deployed once it is back."""

from __future__ import annotations

from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.faults.deployment_lab import ENDPOINT, PIPELINE, PROVIDERS, SERVICES, Project
from tests.waiting import until


def test_the_deployment_names_the_object_and_a_retry_succeeds_once_it_is_restored(faulty: Faulty) -> None:
    project = Project(faulty(["object-gone"], SERVICES, PROVIDERS, speed=600))
    first = project.register("one")
    project.approve(first)
    until(lambda: len(project.executions()) == 1)
    execution = project.say_yes()
    [struck] = project.cloud.faults.struck("object-gone")
    assert [each["status"] for each in project.executions()] == ["Failed"]
    assert struck in project.deploy_reason()
    assert project.stage.sagemaker.list_endpoints()["Endpoints"] == [], "nothing is half deployed"

    bucket, _, key = struck.removeprefix("s3://").partition("/")
    [marker] = project.s3.list_object_versions(Bucket=bucket, Prefix=key)["DeleteMarkers"]
    project.s3.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
    project.lab.pipelines.retry_stage_execution(
        pipelineName=PIPELINE, stageName="Deploy", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert project.lab.finished(PIPELINE, execution)["status"] == "Succeeded"
    assert project.served() == "one"


def test_a_version_in_service_stays_when_the_artefact_of_the_next_one_is_gone(faulty: Faulty) -> None:
    cloud = faulty(["object-gone"], SERVICES, PROVIDERS, speed=600)
    project = Project(cloud)
    # The first approval is the one that loses its artefact: another one is live before it.
    live = project.register("live")
    project.lab.start(PIPELINE, variables=[{"name": "MODEL_PACKAGE_ARN", "value": live}])
    project.say_yes()
    assert project.served() == "live"
    project.approve(project.register("lost"))
    until(lambda: len(project.executions()) == 2)
    project.say_yes()
    assert [each["status"] for each in project.executions()] == ["Succeeded", "Failed"]
    assert cloud.faults.struck("object-gone")[0] in project.deploy_reason()
    described = project.stage.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert described["EndpointStatus"] == "InService"
    assert project.served() == "live"
