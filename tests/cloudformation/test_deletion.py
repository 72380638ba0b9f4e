"""What goes in which order when a project is deleted, and that nobody's work can go unless they said so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.statements import statements
from checks.template_file import PROJECT, WORST_CASE, Template

STARTING = {"codepipeline:StartPipelineExecution", "sagemaker:StartPipelineExecution", "codebuild:StartBuild"}
# Actions of the deploy pipeline: CleanUp stops its executions, and after that the runs they started.
CALLED_BY_THE_PIPELINE = {"RecordDeploymentFunction"}
# Neither starts anything nor is used by what CleanUp does: gone before it or after it makes no difference.
INDIFFERENT = {
    "BatchFailedRule",  # tells people
    "EventRulesRole",  # goes after the rules
    "ModelBuildCodeRepository",  # what Studio lists
    "ModelDeployCodeRepository",
    "PipelineFailedRule",  # tells people
}
DESTROYS_WORK = {
    "codecommit:DeleteRepository",
    "logs:DeleteLogGroup",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "sagemaker:DeleteModelPackage",
    "sagemaker:DeleteModelPackageGroup",
}


def starters(project: Template) -> set[str]:
    """Whatever can start an execution by itself: rules that call anything but the topic, and functions that may.

    CodeBuild projects and pipelines start things too, but only when they are started; CleanUp stops them.
    """
    topic = project.arn(project.resource("NotificationTopic"))
    rules = {
        rule.logical_id
        for rule in project.of_type("AWS::Events::Rule")
        if any(target["Arn"] != topic for target in project.resolve(rule.properties["Targets"]))
    }
    able = {each.owner.logical_id for each in statements(project) if STARTING & set(each.actions)}
    functions = {
        each.logical_id for each in project.of_type("AWS::Lambda::Function") if able & role_of(each.properties)
    }
    return rules | (functions - CALLED_BY_THE_PIPELINE)


def role_of(properties: dict[str, Any]) -> set[str]:
    name = properties["Role"]["Fn::GetAtt"]
    return {str(name.split(".")[0] if isinstance(name, str) else name[0])}


def started_after_clean_up(project: Template) -> list[str]:
    return sorted(each for each in starters(project) if "CleanUp" not in project.needs(each))


def test_whatever_starts_an_execution_goes_before_clean_up_stops_the_executions(project: Template) -> None:
    assert starters(project) == {
        "ModelBuildPushRule",
        "ModelDeployPushRule",
        "ModelApprovedRule",
        "ModelRejectedRule",
        "DeploymentChangedRule",
        "FollowDeploymentsFunction",
        "FollowRejectionFunction",
    }
    assert started_after_clean_up(project) == []


def test_clean_up_goes_before_everything_it_needs(project: Template) -> None:
    """Every resource has its place: a new one that has none fails here, so that somebody decides."""
    after = project.needs("CleanUp")
    everything = {resource.logical_id for resource in project.resources} - {"CleanUp"}
    before = {each for each in everything if "CleanUp" in project.needs(each)}
    assert before & after == set()
    assert everything - before - after == INDIFFERENT
    assert before == starters(project) | {"DeploymentChangedRuleMayInvoke", "ModelRejectedRuleMayInvoke"}
    for kind in ("AWS::CodePipeline::Pipeline", "AWS::CodeBuild::Project", "AWS::S3::Bucket", "AWS::IAM::Policy"):
        assert {each.logical_id for each in project.of_type(kind)} <= after, kind
    assert {"FollowDeploymentsRole", "FollowRejectionRole"} <= after, "their last invocations may still be running"
    assert {"EndpointDeploymentRole", "PipelineExecutionRole", "ModelExecutionRole", "NotificationTopicPolicy"} <= after
    assert "NotificationEmailSubscription" in after, "the last message would reach nobody"


def test_a_forgotten_dependency_is_noticed(tmp_path: Path) -> None:
    text = PROJECT.read_text(encoding="utf-8")
    rule = "  ModelApprovedRule:\n    Type: AWS::Events::Rule\n"
    assert f"{rule}    DependsOn: CleanUp\n" in text
    (tmp_path / "project.yaml").write_text(text.replace(f"{rule}    DependsOn: CleanUp\n", rule), encoding="utf-8")
    assert started_after_clean_up(Template(tmp_path / "project.yaml", WORST_CASE)) == ["ModelApprovedRule"]


def deployed_endpoints(project: Template) -> list[str]:
    """The names that the build of the deploy repository is given for its endpoints, staging first."""
    variables = project.resource("ModelDeployProject").properties["Environment"]["EnvironmentVariables"]
    named = {each["Name"]: each["Value"] for each in project.resolve(variables)}
    return [str(named["STAGING_ENDPOINT_NAME"]), str(named["PRODUCTION_ENDPOINT_NAME"])]


def test_clean_up_is_told_of_everything_by_the_name_it_has(project: Template) -> None:
    told = project.resolve(project.resource("CleanUp").properties)
    stacks = {
        action["Name"]: action["Configuration"]["StackName"]
        for stage in project.resolve(project.resource("DeployPipeline").properties["Stages"])
        for action in stage["Actions"]
        if "StackName" in action["Configuration"]
    }
    assert stacks == {"DeployStaging": told["StagingStack"], "DeployProduction": told["ProductionStack"]}
    builds = project.of_type("AWS::CodeBuild::Project")
    assert told["BuildProjects"] == [project.name(each) for each in builds]
    endpoints = [f"/aws/sagemaker/Endpoints/{name}" for name in deployed_endpoints(project)]
    assert told["EndpointLogs"] == endpoints
    assert told["ModelPackageGroup"] == project.name(project.resource("ModelPackageGroup"))
    variables = project.resolve(builds[0].properties["Environment"]["EnvironmentVariables"])
    (pipeline,) = (each["Value"] for each in variables if each["Name"] == "SAGEMAKER_PIPELINE_NAME")
    assert told["SageMakerPipeline"] == pipeline


def test_clean_up_has_the_hour_that_cloudformation_gives_at_most(project: Template) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""
    assert project.resource("CleanUp").properties["ServiceTimeout"] == 3600


@pytest.mark.parametrize(("choice", "able"), [("keep-code-models-data", set()), ("delete-everything", {"CleanUpRole"})])
def test_only_who_chose_so_has_a_role_that_can_delete_their_work(
    project: Template, choice: str, able: set[str]
) -> None:
    chosen = Template(project.path, {**project.parameters, "WhenProjectIsDeleted": choice})
    assert {owner for owner, action in granted(chosen) if action in DESTROYS_WORK} == able


def granted(project: Template) -> set[tuple[str, str]]:
    """Roles and what their inline policies allow, with the conditions of the template worked out."""
    found = set()
    for role in project.of_type("AWS::IAM::Role"):
        for policy in project.resolve(role.properties)["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                found |= {(role.logical_id, action) for action in actions}
    return found


def test_what_is_destroyed_on_request_is_what_is_kept_otherwise(project: Template) -> None:
    """A kept resource that delete-everything forgot would stay for ever, unknown to anybody."""
    (destroying,) = (
        policy["PolicyDocument"]["Statement"]
        for policy in project.resolve(project.resource("CleanUpRole").properties)["Policies"]
        if policy["PolicyName"] == "delete-code-models-data"
    )
    reached = {resource for statement in destroying for resource in _as_list(statement["Resource"])}
    kept = {
        each.logical_id: project.arn(each)
        for each in project.resources
        if str(each.body.get("DeletionPolicy", "")).startswith("Retain") and each.type != "AWS::S3::BucketPolicy"
    }
    del kept["FunctionsLogGroup"]  # the record of the deletion
    assert {name for name, arn in kept.items() if arn not in reached} == set()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
