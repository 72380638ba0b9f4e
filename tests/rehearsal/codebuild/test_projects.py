"""Projects and report groups, by API and by stack; what AWS refuses and what is not played."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.codebuild.conftest import IMAGE, Lab
from tests.waiting import at_rest, until

ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"}


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        call(**request)
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def wanted(lab: Lab, **other: Any) -> dict[str, Any]:
    """A request for a project that would be fine."""
    name = lab.name("wanted")
    return {
        "name": name,
        "source": {"type": "CODEPIPELINE"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": ENVIRONMENT,
        "serviceRole": lab.role(f"{name}-role"),
        **other,
    }


def test_a_project_is_kept_as_it_was_asked_for(lab: Lab) -> None:
    request = wanted(lab, description="tests", timeoutInMinutes=30, tags=[{"key": "team", "value": "claims"}])
    made = lab.client.create_project(**request)["project"]
    assert made["arn"] == f"arn:aws:codebuild:us-east-1:123456789012:project/{request['name']}"
    found = lab.client.batch_get_projects(names=[request["name"], "nothing"])
    assert found["projects"] == [made]
    assert found["projectsNotFound"] == ["nothing"]
    assert request["name"] in lab.client.list_projects()["projects"]
    lab.client.update_project(name=request["name"], timeoutInMinutes=60)
    changed = lab.client.batch_get_projects(names=[request["name"]])["projects"][0]
    assert (changed["timeoutInMinutes"], changed["description"]) == (60, "tests")
    lab.client.delete_project(name=request["name"])
    assert request["name"] not in lab.client.list_projects().get("projects", [])


def test_a_role_that_does_not_trust_codebuild_is_refused(lab: Lab) -> None:
    role = lab.role(lab.name("wrong-trust"), trusted="lambda.amazonaws.com")
    code, message = refused(lab.client.create_project, **wanted(lab, serviceRole=role))
    assert code == "InvalidInputException"
    assert f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}" in message


def test_who_creates_a_project_must_be_allowed_to_pass_its_role(lab: Lab) -> None:
    maker = lab.cloud.identity.session_of(lab.role(lab.name("maker"), ["codebuild:CreateProject"]), "jo")
    request = wanted(lab)
    code, message = refused(lab.cloud.client("codebuild", maker).create_project, **request)
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {request['serviceRole']}" in message
    denied = [one for one in lab.cloud.identity.decisions() if not one.allowed][-1]
    assert denied.context == {"iam:PassedToService": "codebuild.amazonaws.com"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"source": {"type": "GITHUB", "location": "https://github.com/a/b"}}, "source type GITHUB"),
        ({"vpcConfig": {"vpcId": "vpc-1", "subnets": ["s"], "securityGroupIds": ["g"]}}, "vpcConfig"),
        ({"concurrentBuildLimit": 1}, "concurrentBuildLimit"),
        ({"cache": {"type": "S3", "location": "b/c"}}, "S3 cache"),
        ({"cache": {"type": "LOCAL", "modes": ["LOCAL_DOCKER_LAYER_CACHE"]}}, "cache of Docker layers"),
        ({"environment": {**ENVIRONMENT, "image": "python:3.12"}}, "image python:3.12"),
        ({"environment": {**ENVIRONMENT, "privilegedMode": True}}, "environment.privilegedMode"),
        ({"environment": {**ENVIRONMENT, "type": "ARM_CONTAINER"}}, "environment type ARM_CONTAINER"),
        (
            {
                "environment": {
                    **ENVIRONMENT,
                    "environmentVariables": [{"name": "X", "value": "y", "type": "SECRETS_MANAGER"}],
                }
            },
            "variable X of type SECRETS_MANAGER",
        ),
    ],
)
def test_what_is_not_played_is_refused_by_name(lab: Lab, change: dict[str, Any], named: str) -> None:
    code, message = refused(lab.client.create_project, **wanted(lab, **change))
    assert code == "NotImplemented"
    assert named in message


def test_source_and_artifacts_come_from_a_pipeline_together(lab: Lab) -> None:
    code, message = refused(lab.client.create_project, **wanted(lab, artifacts={"type": "NO_ARTIFACTS"}))
    assert code == "InvalidInputException"
    assert "if one of them is CODEPIPELINE, both must be" in message


def template(lab: Lab, name: str, **project: Any) -> str:
    resources = {
        "Project": {
            "Type": "AWS::CodeBuild::Project",
            "Properties": {
                "Name": name,
                "ServiceRole": lab.role(f"{name}-service"),
                "Source": {"Type": "CODEPIPELINE", "BuildSpec": "ci/buildspec.yml"},
                "Artifacts": {"Type": "CODEPIPELINE"},
                "Environment": {
                    "Type": "LINUX_CONTAINER",
                    "Image": IMAGE,
                    "ComputeType": "BUILD_GENERAL1_SMALL",
                    "EnvironmentVariables": [{"Name": "STAGE", "Value": "prod"}],
                },
                "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": "/builds"}},
                **project,
            },
        },
        "Tests": {
            "Type": "AWS::CodeBuild::ReportGroup",
            "Properties": {
                "Name": f"{name}-unit-tests",
                "Type": "TEST",
                "DeleteReports": True,
                "ExportConfig": {"ExportConfigType": "NO_EXPORT"},
            },
        },
    }
    outputs = {
        "Name": {"Value": {"Ref": "Project"}},
        "Arn": {"Value": {"Fn::GetAtt": ["Project", "Arn"]}},
        "Group": {"Value": {"Ref": "Tests"}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def settled(cloudformation: Any, name: str) -> tuple[str, str, dict[str, str]]:
    stack = at_rest(cloudformation, name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each["ResourceStatusReason"] for each in reversed(events) if "FAILED" in each["ResourceStatus"]]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    return stack["StackStatus"], (failed or [""])[0], outputs


STACK_RIGHTS = (
    "codebuild:CreateProject",
    "codebuild:UpdateProject",
    "codebuild:DeleteProject",
    "iam:PassRole",
    "codebuild:CreateReportGroup",
    "codebuild:BatchGetReportGroups",
    "codebuild:DeleteReportGroup",
)


def test_a_stack_makes_changes_and_deletes_projects_and_report_groups(lab: Lab) -> None:
    cloudformation = lab.cloud.client("cloudformation", lab.cloud.identity.root)
    role = lab.role(lab.name("stack"), STACK_RIGHTS, trusted="cloudformation.amazonaws.com")
    body = template(lab, "stacked", TimeoutInMinutes="30", Description="first")
    cloudformation.create_stack(StackName="stacked", TemplateBody=body, RoleARN=role)
    status, reason, outputs = settled(cloudformation, "stacked")
    assert (status, reason) == ("CREATE_COMPLETE", "")
    assert outputs == {
        "Name": "stacked",
        "Arn": "arn:aws:codebuild:us-east-1:123456789012:project/stacked",
        "Group": "arn:aws:codebuild:us-east-1:123456789012:report-group/stacked-unit-tests",
    }
    project = lab.client.batch_get_projects(names=["stacked"])["projects"][0]
    assert project["timeoutInMinutes"] == 30
    assert project["source"] == {"type": "CODEPIPELINE", "buildspec": "ci/buildspec.yml"}
    assert project["environment"]["environmentVariables"] == [{"name": "STAGE", "value": "prod"}]
    assert project["logsConfig"]["cloudWatchLogs"] == {"status": "ENABLED", "groupName": "/builds"}
    changed = json.loads(body)
    del changed["Resources"]["Project"]["Properties"]["Description"]
    changed["Resources"]["Project"]["Properties"]["TimeoutInMinutes"] = 45
    cloudformation.update_stack(StackName="stacked", TemplateBody=json.dumps(changed))
    status, reason, _ = settled(cloudformation, "stacked")
    assert (status, reason) == ("UPDATE_COMPLETE", "")
    project = lab.client.batch_get_projects(names=["stacked"])["projects"][0]
    assert (project["timeoutInMinutes"], project["description"]) == (45, "")
    cloudformation.delete_stack(StackName="stacked")
    until(lambda: not lab.client.batch_get_projects(names=["stacked"])["projects"], "the project's end")
    groups = partial(lab.client.batch_get_report_groups, reportGroupArns=[outputs["Group"]])
    until(lambda: "ACTIVE" not in json.dumps(groups(), default=str), "the report group's end")


@pytest.mark.parametrize("missing", ["codebuild:CreateProject", "iam:PassRole", "codebuild:CreateReportGroup"])
def test_every_grant_of_the_stacks_role_is_needed(lab: Lab, missing: str) -> None:
    cloudformation = lab.cloud.client("cloudformation", lab.cloud.identity.root)
    name = lab.name("powerless")
    rights = [action for action in STACK_RIGHTS if action != missing]
    role = lab.role(f"{name}-stack", rights, trusted="cloudformation.amazonaws.com")
    cloudformation.create_stack(StackName=name, TemplateBody=template(lab, name), RoleARN=role)
    status, reason, _ = settled(cloudformation, name)
    assert status == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: {missing}" in reason


def test_a_report_group_with_reports_is_not_deleted_by_accident(lab: Lab) -> None:
    made = lab.client.create_report_group(
        name=lab.name("group"), type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"}
    )["reportGroup"]
    lab.room.publish_report(lab.cloud.identity.root, made["arn"], "arn:aws:codebuild:us-east-1:1:build/x:1", [])
    assert refused(lab.client.delete_report_group, arn=made["arn"])[0] == "InvalidInputException"
    lab.client.delete_report_group(arn=made["arn"], deleteReports=True)
    found = lab.client.batch_get_report_groups(reportGroupArns=[made["arn"]])
    assert found["reportGroupsNotFound"] == [made["arn"]]
