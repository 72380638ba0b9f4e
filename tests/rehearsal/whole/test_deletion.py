"""A project is deleted in whatever state it is: nothing that costs money is left, and nobody's work is lost."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.inventory import billable
from tests.rehearsal.whole.company import Company, remove_action
from tests.rehearsal.whole.project_lab import Project
from tests.waiting import until

KEPT = {"repositories": True, "models": True, "data": True}
GONE = {"repositories": False, "models": False, "data": False}


def left(company: Company) -> dict[str, list[str]]:
    return billable(company.engineer.client)


def test_a_fresh_project_is_deleted_while_its_first_builds_run_and_once_more(company: Company) -> None:
    project = Project(company, first_builds_run=True)
    assert left(company)["build projects"]
    assert project.delete() == "DeleteCompleted"
    assert left(company) == {}
    assert project.work() == KEPT
    with pytest.raises(ClientError) as refused:
        company.scientist.client("sagemaker").delete_project(ProjectName=project.name)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert left(company) == {}


def test_a_launch_that_failed_leaves_nothing_and_can_be_deleted(company: Company) -> None:
    iam = company.engineer.client("iam")
    documents = {
        name: iam.get_role_policy(RoleName="MLOpsProjectLaunchRole", PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName="MLOpsProjectLaunchRole")["PolicyNames"]
    }
    name = f"p{uuid4().hex[:6]}"
    try:
        assert remove_action(iam, "MLOpsProjectLaunchRole", "events:PutRule") >= 1
        described = company.launch(name)
    finally:
        for policy, document in documents.items():
            iam.put_role_policy(
                RoleName="MLOpsProjectLaunchRole", PolicyName=policy, PolicyDocument=json.dumps(document)
            )
    assert described["ProjectStatus"] == "CreateFailed"
    reason = described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert "events:PutRule" in reason
    assert left(company) == {}
    sagemaker = company.scientist.client("sagemaker")
    sagemaker.delete_project(ProjectName=name)
    until(lambda: sagemaker.describe_project(ProjectName=name)["ProjectStatus"] == "DeleteCompleted")
    assert left(company) == {}


def test_a_project_that_waits_for_approval_is_deleted_with_its_staging_endpoint(company: Company) -> None:
    project = Project(company)
    execution = project.push_deployment(project.register("one"))
    project.until_asked(execution)
    assert project.endpoint_status("staging") == "InService"
    assert project.delete() == "DeleteCompleted"
    assert left(company) == {}
    assert project.work() == KEPT
    told = until(lambda: project.mailbox.find("was deleted"))
    logs = (f"/aws/sagemaker/Endpoints/{project.name}-staging", f"/aws/sagemaker-projects/{project.prefix}-functions")
    for kept in (f"{project.prefix}-modelbuild", f"{project.prefix}-modeldeploy", project.bucket, project.group, *logs):
        assert kept in told["text"]


def test_a_project_is_deleted_in_the_middle_of_a_canary(company: Company) -> None:
    project = Project(company)
    execution = project.push_deployment(project.register("one"))
    project.approve(execution)
    assert project.ended(execution) == "Succeeded", project.actions(execution)
    # Ten seconds here for each of the canary's two steps: the deletion has to wait for both.
    waits = {"TrafficWaitSeconds": "600", "TerminationWaitSeconds": "0"}
    execution = project.push_deployment(project.register("two"), **waits)
    project.approve(execution)
    until(lambda: project.endpoint_status("prod") == "Updating")
    assert project.delete() == "DeleteCompleted"
    assert left(company) == {}
    assert project.work() == KEPT


def test_a_project_whose_production_stack_failed_is_deleted(company: Company) -> None:
    project = Project(company)
    execution = project.push_deployment(project.register("one"), ModelExecutionRoleArn=project.foreign_role())
    project.approve(execution)
    assert project.ended(execution) == "Failed"
    assert project.stack_status("prod") == "ROLLBACK_COMPLETE"
    assert project.delete() == "DeleteCompleted"
    assert left(company) == {}
    assert project.work() == KEPT


def test_everything_goes_when_the_launch_said_so_but_the_report_of_it(company: Company) -> None:
    project = Project(company, WhenProjectIsDeleted="delete-everything")
    project.until_asked(project.push_deployment(project.register("one")))
    assert project.work() == KEPT
    logs = company.engineer.client("logs")
    endpoint_logs = f"/aws/sagemaker/Endpoints/{project.name}-"
    assert logs.describe_log_groups(logGroupNamePrefix=endpoint_logs)["logGroups"]
    assert project.delete() == "DeleteCompleted"
    assert left(company) == {}
    assert project.work() == GONE
    report = company.scientist.client("logs").get_log_events(
        logGroupName=f"/aws/sagemaker-projects/{project.prefix}-functions",
        logStreamName="what-was-deleted-and-what-was-kept",
    )
    (event,) = report["events"]
    assert event["message"].startswith(f"Project {project.name} was deleted, only a log was kept")
    assert project.bucket in event["message"]
    groups = company.engineer.client("logs").get_paginator("describe_log_groups").paginate().search("logGroups[]")
    kept = [each["logGroupName"] for each in groups if project.name in each["logGroupName"]]
    assert kept == [f"/aws/sagemaker-projects/{project.prefix}-functions"]
    assert f"Kept is only the log of the project's functions, {kept[0]}" in event["message"]
