"""Getting into production, and who may say that a version was there."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.project_lab import Project
from tests.waiting import until


@pytest.fixture(scope="module")
def project(company: Company) -> Project:
    """A project in which tests register versions of their own."""
    return Project(company)


def summaries(project: Project, execution: str) -> dict[str, str]:
    """What each action of an execution says of itself, by the action's name."""
    return {
        name: output["executionResult"].get("externalExecutionSummary", "")
        for name, _, output in project.actions(execution)
    }


def variables(project: Project, execution: str, action: str) -> dict[str, str]:
    """What an action of an execution gave to those that follow."""
    return next(dict(output["outputVariables"]) for name, _, output in project.actions(execution) if name == action)


def test_production_can_be_deployed_after_its_first_creation_failed(company: Company) -> None:
    project = Project(company)
    package = project.register("one")
    failed = project.push_deployment(package, ModelExecutionRoleArn=project.foreign_role())
    project.approve(failed)
    assert variables(project, failed, "ResolvePackage")["ASK_APPROVAL"] == "no", "the build wants nobody to be asked"
    decided = variables(project, failed, "DecideDeployment")
    assert (decided["ASK_APPROVAL"], decided["MODEL_PACKAGE_ARN"]) == ("yes", package), "and somebody was"
    assert project.ended(failed) == "Failed"
    assert project.stack_status("prod") == "ROLLBACK_COMPLETE"

    second = project.push_deployment(package)
    project.approve(second)

    assert project.ended(second) == "Succeeded", project.actions(second)
    assert project.stack_status("prod") == "CREATE_COMPLETE"
    assert project.endpoint_status("prod") == "InService"
    said = summaries(project, second)
    assert "its first creation failed and nothing was served by it" in said["DiscardFailedCreation"]

    # What is pushed has version 2 judged, and its configuration names version 1.
    third = project.push_deployment(project.register("two"), ModelPackageName=package)
    project.approve(third)

    assert project.ended(third) == "Succeeded", project.actions(third)
    assert project.answers("prod") == "two", "what was judged is what was deployed"
    said = summaries(project, third)
    assert said["DiscardFailedCreation"].endswith("is CREATE_COMPLETE: nothing to discard")

    listed = company.engineer.client("codepipeline").list_pipeline_executions(
        pipelineName=f"{project.prefix}-modeldeploy"
    )["pipelineExecutionSummaries"]
    reasons = [each["stopTrigger"]["reason"] for each in listed if each["status"] == "Stopped"]
    # What each approval in the registry started, while the execution that a push had started was being asked about.
    assert f"Nothing to do: execution {third} deploys version 2 already" in reasons


LIVE = {"Stage": "Production", "StageStatus": "Live"}
FORGED: list[dict[str, Any]] = [
    {"ModelLifeCycle": LIVE},
    {"ModelLifeCycle": LIVE, "ModelApprovalStatus": "Approved"},
    {"CustomerMetadataProperties": {"production.deployed-at": "2026-01-01T00:00:00Z"}},
    {"CustomerMetadataProperties": {"production.approved-by": "somebody"}},
]


def test_nobody_can_say_by_hand_that_a_version_was_in_production(company: Company, project: Project) -> None:
    package = project.register("one")
    user = company.approver.client("sagemaker")
    training = company.cloud.client("sagemaker", company.cloud.identity.session_of(project.role("Pipeline"), "forger"))
    for forged in (*FORGED, {"CustomerMetadataPropertiesToRemove": ["production.deployed-at"]}):
        with pytest.raises(ClientError, match="not authorized to perform: sagemaker:UpdateModelPackage"):
            user.update_model_package(ModelPackageArn=package, **forged)
        with pytest.raises(ClientError, match="not authorized to perform: sagemaker:UpdateModelPackage"):
            training.update_model_package(ModelPackageArn=package, **forged)
    for forged in FORGED:
        with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateModelPackage"):
            training.create_model_package(ModelPackageGroupName=project.group, **forged)

    user.update_model_package(
        ModelPackageArn=package,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="just so",
        CustomerMetadataProperties={"seen-by": "me"},
    )

    described = user.describe_model_package(ModelPackageName=package)
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["CustomerMetadataProperties"] == {"seen-by": "me"}
    assert "ModelLifeCycle" not in described


def test_a_challenger_serves_beside_the_live_version_until_somebody_rejects_it(
    company: Company, project: Project
) -> None:
    champion, challenger = project.register("champion"), project.register("challenger")
    user = company.approver.client("sagemaker")
    version = challenger.rpartition("/")[2]
    beside = {
        "Challenger": "variant",
        "ChallengerVersion": version,
        "ChallengerModelPackageName": challenger,
        "ChallengerTrafficPercent": "20",
        "ChampionWeight": "80",
        "ChallengerInstanceCount": "2",
    }
    early = project.push_deployment(champion, **beside | {"ChallengerTrafficPercent": "10"})
    assert project.ended(early) == "Failed", "nobody is asked about what nobody approved"
    [refused] = [output for name, _, output in project.actions(early) if name == "DecideDeployment"]
    assert "the challenger, is PendingManualApproval" in refused["executionResult"]["errorDetails"]["message"]
    # That starts an execution of its own, whose build names another version: it does not come to staging.
    user.update_model_package(ModelPackageArn=challenger, ModelApprovalStatus="Approved")

    # Whatever the configuration says: what the build told, and the approver with it, is what comes.
    execution = project.push_deployment(champion, **beside | {"ChampionWeight": "1"})
    project.approve(execution)
    assert project.mailbox.find(f"Challenger: version {version} (variant, answers 20 % of the requests)")

    assert project.ended(execution) == "Succeeded", project.actions(execution)
    variants = user.describe_endpoint(EndpointName=f"{project.name}-prod")["ProductionVariants"]
    weights = {each["VariantName"]: each["CurrentWeight"] for each in variants}
    assert weights == pytest.approx({"AllTraffic": 80, "Challenger": 20}, rel=1e-4)
    assert f"with version {version} beside it to be compared" in summaries(project, execution)["RecordDeployment"]
    noted = user.describe_model_package(ModelPackageName=challenger)
    assert noted["CustomerMetadataProperties"]["production.challenger-execution-id"] == execution
    assert "ModelLifeCycle" not in noted

    user.update_model_package(ModelPackageArn=challenger, ModelApprovalStatus="Rejected", ApprovalDescription="worse")

    assert until(lambda: project.mailbox.find("taken out of the comparison", "deploys the live version alone"))
