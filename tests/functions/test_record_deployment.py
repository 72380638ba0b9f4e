"""The registry says which version is live, since when, and who said so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_aws import Document, FakeAws, RefusedError
from scene import (
    APPROVER,
    GROUP,
    JOB,
    PREFIX,
    PRODUCTION,
    CodePipelines,
    SageMaker,
    approved,
    done,
    invocation,
    package_arn,
    resolved,
    running,
)

import record_deployment

DEPLOY = f"{PREFIX}-modeldeploy"


class Scene:
    """A project whose deploy pipeline has just deployed a version."""

    def __init__(self, account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker) -> None:
        self.account, self.pipelines, self.sagemaker = account, pipelines, sagemaker
        for version in (1, 2, 3):
            sagemaker.register(version)

    def deploy(self, version: int, *approval: Document, asked_for: str = "") -> str:
        """Deploy a version; answers the execution's id."""
        self.sagemaker.serve(PRODUCTION, version)
        actions = (done("Source"), resolved(version), *approval, done("DeployProduction", provider="CloudFormation"))
        return self.pipelines.execution(
            DEPLOY,
            *actions,
            running("DeployProduction", "RecordDeployment"),
            asked_for=asked_for or package_arn(version),
        )

    def record(self, version: int, execution_id: str, challenger: int = 0, **parameters: Any) -> Document:
        """Run the action as CodePipeline does; the result it was given."""
        beside = package_arn(challenger) if challenger else "none"
        whole = {"modelPackageArn": package_arn(version), "challengerArn": beside, "executionId": execution_id}
        given = parameters or whole
        before = len(self.pipelines.results)
        record_deployment.handler(invocation(**given), object())
        (result,) = self.pipelines.results[before:]
        assert result["jobId"] == JOB
        return result

    def deploy_and_record(self, version: int, *approval: Document) -> Document:
        return self.record(version, self.deploy(version, *approval))


@pytest.fixture
def scene(account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("DEPLOY_PIPELINE", DEPLOY)
    monkeypatch.setenv("MODEL_PACKAGE_GROUP_NAME", GROUP)
    monkeypatch.setenv("PRODUCTION_ENDPOINT_NAME", PRODUCTION)
    return Scene(account, pipelines, sagemaker)


def test_the_first_deployment_is_recorded_on_its_version(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())
    result = scene.record(1, execution_id)
    stage, noted = scene.sagemaker.said_of(1)
    assert (stage["Stage"], stage["StageStatus"]) == ("Production", "Live")
    assert stage["StageDescription"].startswith(f"On {PRODUCTION} since ")
    assert noted["production.approved-by"] == APPROVER
    assert noted["production.execution-id"] == execution_id
    assert noted["production.endpoint"] == PRODUCTION
    assert datetime.fromisoformat(noted["production.deployed-at"]).utcoffset() is not None
    assert noted["production.deployed-at"].endswith("Z")
    assert result["executionDetails"]["summary"] == f"Version 1 is live on {PRODUCTION}; approved by {APPROVER}"


def test_the_version_that_was_live_before_is_replaced(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    result = scene.deploy_and_record(2, approved())
    stage, noted = scene.sagemaker.said_of(1)
    assert (stage["Stage"], stage["StageStatus"]) == ("Production", "Replaced")
    assert noted["production.replaced-by"] == package_arn(2)
    assert "production.deployed-at" in noted  # a rollback finds its way by it
    assert scene.sagemaker.said_of(2)[0]["StageStatus"] == "Live"
    assert "instead of version 1" in result["executionDetails"]["summary"]


def test_a_version_that_was_rejected_is_not_merely_replaced(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    scene.deploy_and_record(2, approved())
    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Rejected"
    scene.deploy_and_record(1)
    assert scene.sagemaker.said_of(2)[0]["StageStatus"] == "Rejected"


def test_a_version_that_comes_back_is_live_and_no_longer_replaced(scene: Scene) -> None:
    for version in (1, 2, 1):
        scene.deploy_and_record(version, approved())
    stage, noted = scene.sagemaker.said_of(1)
    assert stage["StageStatus"] == "Live"
    assert not {"production.replaced-at", "production.replaced-by"} & set(noted)


def test_a_version_that_a_rollback_brings_back_keeps_its_approver(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    scene.deploy_and_record(2, approved(by="arn:aws:sts::123456789012:assumed-role/Approver/grace"))
    result = scene.deploy_and_record(1)
    stage, noted = scene.sagemaker.said_of(1)
    assert stage["StageDescription"].endswith(f", brought back by a rollback; approved by {APPROVER} before")
    assert (noted["production.approved-by"], noted["production.came-by"]) == (APPROVER, "rollback")
    assert result["executionDetails"]["summary"] == (
        f"Version 1 is live on {PRODUCTION} instead of version 2; "
        f"brought back by a rollback; approved by {APPROVER} before"
    )


def test_a_version_that_comes_back_and_is_approved_once_more_says_so(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    scene.deploy_and_record(1)
    scene.deploy_and_record(1, approved())
    stage, noted = scene.sagemaker.said_of(1)
    assert noted["production.came-by"] == "approval"
    assert "rollback" not in stage["StageDescription"]


def test_a_new_version_that_nobody_was_asked_about_does_not_pass_for_a_rollback(scene: Scene) -> None:
    execution_id = scene.deploy(1)
    for _ in range(2):  # the second time it finds its own record
        result = scene.record(1, execution_id)
        stage, noted = scene.sagemaker.said_of(1)
        assert "approved by nobody" in stage["StageDescription"]
        assert "approved by nobody" in result["executionDetails"]["summary"]
        assert (noted["production.approved-by"], noted["production.came-by"]) == ("nobody", "nobody-asked")


def test_only_the_answer_yes_counts_as_an_approval(scene: Scene) -> None:
    no = running("ApproveProduction", provider="Manual", status="Failed") | {"updatedBy": "somebody-else"}
    scene.deploy_and_record(1, no, approved())
    assert scene.sagemaker.said_of(1)[1]["production.approved-by"] == APPROVER


def test_the_same_version_deployed_again_is_recorded_again(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    again = scene.deploy(1, approved())
    scene.record(1, again)
    assert scene.sagemaker.said_of(1)[1]["production.execution-id"] == again


def test_recording_twice_is_recording_once(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    execution_id = scene.deploy(2, approved())
    scene.record(2, execution_id)
    updates = len(scene.account.asked("UpdateModelPackage"))
    result = scene.record(2, execution_id)
    assert "executionDetails" in result
    assert len(scene.account.asked("UpdateModelPackage")) == updates


def test_a_record_that_broke_off_halfway_is_completed(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    execution_id = scene.deploy(2, approved())
    update = scene.sagemaker._update

    def broken(request: Document) -> Document:
        if request["ModelPackageArn"] == package_arn(1):
            raise RefusedError("ThrottlingException", "Rate exceeded")
        return update(request)

    scene.account.play("sagemaker", UpdateModelPackage=broken)
    assert "Rate exceeded" in scene.record(2, execution_id)["failureDetails"]["message"]
    scene.account.play("sagemaker", UpdateModelPackage=update)
    scene.record(2, execution_id)
    assert scene.sagemaker.said_of(1)[0]["StageStatus"] == "Replaced"


def test_the_live_one_is_found_among_hundreds_of_versions_without_describing_them(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    for version in range(4, 350):
        scene.sagemaker.register(version)
    described = len(scene.account.asked("DescribeModelPackage"))
    scene.deploy_and_record(349, approved())
    assert scene.sagemaker.said_of(1)[0]["StageStatus"] == "Replaced"
    assert {each["ModelPackageName"] for each in scene.account.asked("DescribeModelPackage")[described:]} == {
        package_arn(349)
    }
    assert {each["MaxResults"] for each in scene.account.asked("ListModelPackages")} == {100}


def test_the_approval_status_of_a_version_is_never_touched(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    scene.deploy_and_record(2, approved())
    assert not [each for each in scene.account.asked("UpdateModelPackage") if "ModelApprovalStatus" in each]


def test_a_name_that_the_registry_does_not_take_is_made_to_fit(scene: Scene) -> None:
    scene.deploy_and_record(1, approved(by="arn:aws:sts::123456789012:assumed-role/A/ada,lovelace" + "x" * 300))
    noted = scene.sagemaker.said_of(1)[1]["production.approved-by"]
    assert noted.startswith("arn:aws:sts::123456789012:assumed-role/A/ada-lovelacexxx")
    assert len(noted) == 256


def test_a_version_that_was_rejected_as_it_was_deployed_is_recorded_and_said_to_go(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.packages[package_arn(1)]["ModelApprovalStatus"] = "Rejected"
    result = scene.record(1, execution_id)
    assert scene.sagemaker.said_of(1)[0]["StageStatus"] == "Live"
    assert result["executionDetails"]["summary"].endswith("it was rejected meanwhile, so production goes back")


# ---- when it cannot be recorded


def test_a_version_that_production_does_not_serve_is_not_recorded(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.serve(PRODUCTION, 2)
    message = scene.record(1, execution_id)["failureDetails"]["message"]
    assert f"serves {package_arn(2)}, not {package_arn(1)}" in message
    assert "Nothing is recorded" in message
    assert "Production itself is deployed" not in message
    assert scene.sagemaker.said_of(1) == ({}, {})


BESIDES: dict[str, Callable[[Scene], object]] = {
    "a second variant": lambda scene: scene.sagemaker.besides.update(ProductionVariants=variants("model-1", "model-2")),
    "a shadow": lambda scene: scene.sagemaker.besides.update(ShadowProductionVariants=variants("model-2")),
    "a second container": lambda scene: scene.sagemaker.containers.append({"ModelPackageName": package_arn(2)}),
}
UNKNOWN: dict[str, Callable[[Scene], object]] = {
    "an image": lambda scene: scene.sagemaker.containers.append({"Image": "somebody-elses:latest"}),
    "inference components": lambda scene: scene.sagemaker.besides.update(
        ProductionVariants=[*variants("model-1"), {"VariantName": "components"}]
    ),
}


def variants(*models: str) -> list[Document]:
    return [{"VariantName": f"v{index}", "ModelName": model} for index, model in enumerate(models)]


@pytest.mark.parametrize("case", [*BESIDES, *UNKNOWN])
def test_what_production_serves_besides_the_version_that_was_judged_is_found(scene: Scene, case: str) -> None:
    """The template of the model-deploy repository is given the version, and may make anything of it."""
    execution_id = scene.deploy(1, approved())
    {**BESIDES, **UNKNOWN}[case](scene)
    message = scene.record(1, execution_id)["failureDetails"]["message"]
    found = package_arn(2) if case in BESIDES else "no model package that can be told"
    assert message.startswith(f"The endpoint {PRODUCTION} serves {found}, not {package_arn(1)}, which is the version")
    assert "endpoint-config-template.yml" in message
    assert scene.sagemaker.said_of(1) == ({}, {})


def test_several_variants_of_one_version_are_that_version(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.besides.update(ProductionVariants=variants("model-1", "model-1"))
    assert "failureDetails" not in scene.record(1, execution_id)


def challenging(version: int, kind: str) -> Document:
    """Of an endpoint configuration: this version beside the first."""
    champion = {"VariantName": "AllTraffic", "ModelName": "model-1"}
    challenger = {"VariantName": "Challenger", "ModelName": f"model-{version}"}
    if kind == "shadow":
        return {"ProductionVariants": [champion], "ShadowProductionVariants": [challenger]}
    return {"ProductionVariants": [challenger, champion]}


@pytest.mark.parametrize("kind", ["variant", "shadow"])
def test_the_challenger_that_was_judged_may_serve_beside_the_version_and_is_recorded(scene: Scene, kind: str) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.besides.update(challenging(2, kind))
    for _ in range(2):  # the stage may be retried
        result = scene.record(1, execution_id, challenger=2)
        assert f"live on {PRODUCTION}, with version 2 beside it to be compared" in result["executionDetails"]["summary"]
    stage, noted = scene.sagemaker.said_of(2)
    assert stage == {}, "it was never live, so no rollback goes back to it"
    assert noted["production.challenger-execution-id"] == execution_id
    assert noted["production.challenger-on"] == PRODUCTION
    assert scene.sagemaker.said_of(1)[0]["StageStatus"] == "Live"


def test_a_challenger_that_was_rejected_as_it_came_in_keeps_the_version_it_came_with_from_no_record(
    scene: Scene,
) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.besides.update(challenging(2, "variant"))
    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Rejected"
    said = scene.record(1, execution_id, challenger=2)["executionDetails"]["summary"]
    assert "with version 2 beside it to be compared, which was rejected meanwhile and leaves again" in said
    assert scene.sagemaker.said_of(1)[0]["StageStatus"] == "Live"


@pytest.mark.parametrize("judged", [0, 3])
def test_an_approved_challenger_that_is_not_the_judged_one_is_found(scene: Scene, judged: int) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.besides.update(challenging(2, "variant"))
    message = scene.record(1, execution_id, challenger=judged)["failureDetails"]["message"]
    assert f"serves {package_arn(2)}, not {package_arn(1)}" in message
    assert scene.sagemaker.said_of(1) == ({}, {})


def test_a_challenger_of_another_group_is_not_what_was_judged(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())
    elsewhere = package_arn(2).replace(GROUP, "another-group")
    scene.sagemaker.besides.update(challenging(2, "variant"))
    model = {
        "ModelName": "m",
        "ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m",
        "CreationTime": datetime.now(UTC),
    }
    packages = {"model-1": package_arn(1), "model-2": elsewhere}
    scene.account.play(
        "sagemaker",
        DescribeModel=lambda asked: {**model, "PrimaryContainer": {"ModelPackageName": packages[asked["ModelName"]]}},
    )
    message = scene.record(1, execution_id)["failureDetails"]["message"]
    assert f"serves {elsewhere}, not {package_arn(1)}" in message


@pytest.mark.parametrize("gone", ["config", "model"])
def test_a_model_that_was_deleted_by_hand_meanwhile_is_said_to_be_unknown(scene: Scene, gone: str) -> None:
    execution_id = scene.deploy(1, approved())
    scene.sagemaker.deleted_by_hand.add(gone)
    message = scene.record(1, execution_id)["failureDetails"]["message"]
    assert f"serves no model package that can be told, not {package_arn(1)}" in message


@pytest.mark.parametrize("parameters", [{"modelPackageArn": package_arn(1)}, {"executionId": "x"}])
def test_parameters_that_lack_something_are_named(scene: Scene, parameters: dict[str, str]) -> None:
    scene.deploy(1, approved())
    message = scene.record(1, "", **parameters)["failureDetails"]["message"]
    assert "modelPackageArn and challengerArn and executionId" in message
    assert next(iter(parameters.values())) in message


def test_a_refused_call_is_answered_with_what_was_refused(scene: Scene) -> None:
    execution_id = scene.deploy(1, approved())

    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDeniedException", "not authorized to perform: sagemaker:UpdateModelPackage")

    scene.account.play("sagemaker", UpdateModelPackage=refuse)
    message = scene.record(1, execution_id)["failureDetails"]["message"]
    assert message.startswith("AWS refused UpdateModelPackage: AccessDeniedException")


def test_an_accident_is_answered_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    execution_id = scene.deploy(1, approved())
    monkeypatch.delenv("PRODUCTION_ENDPOINT_NAME")
    assert "PRODUCTION_ENDPOINT_NAME" in scene.record(1, execution_id)["failureDetails"]["message"]


# ---- a stage of mode batch


def deploy_batch(scene: Scene, *versions: int) -> str:
    """Deploy a version to production of mode batch; answers the execution's id."""
    execution_id = scene.deploy(versions[0], approved())
    scene.sagemaker.endpoints.clear()
    scene.sagemaker.batch[PRODUCTION] = list(versions)
    return execution_id


def test_a_stage_of_mode_batch_is_recorded_and_runs_once_however_often_its_action_is_retried(scene: Scene) -> None:
    execution_id = deploy_batch(scene, 2)
    results = [scene.record(2, execution_id) for _ in range(2)]
    assert scene.sagemaker.said_of(2)[0]["StageStatus"] == "Live"
    assert all("run run1 of it began" in each["executionDetails"]["summary"] for each in results)
    assert {each["ClientRequestToken"] for each in scene.account.asked("StartPipelineExecution")} == {execution_id}
    assert scene.sagemaker.started == {execution_id: PRODUCTION}


def test_a_batch_pipeline_that_uses_another_version_is_not_recorded_and_does_not_run(scene: Scene) -> None:
    result = scene.record(2, deploy_batch(scene, 1))
    assert package_arn(1) in result["failureDetails"]["message"]
    assert scene.sagemaker.started == {}


def test_a_version_that_was_rejected_meanwhile_does_not_run(scene: Scene) -> None:
    execution_id = deploy_batch(scene, 2)
    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Rejected"
    scene.record(2, execution_id)
    assert scene.sagemaker.started == {}


def test_an_endpoint_is_not_run(scene: Scene) -> None:
    scene.deploy_and_record(1, approved())
    assert scene.sagemaker.started == {}
