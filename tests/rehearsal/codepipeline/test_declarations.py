"""Which declarations are accepted, and in which words the others are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_lab import action, approve, build, only_when, source, stage

from rehearsal.cloud.codepipeline.declaration import check, normalised
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

STRUCTURE, STAGE, ACTION = (
    "InvalidStructureException",
    "InvalidStageDeclarationException",
    "InvalidActionDeclarationException",
)
NOT_HERE = "NotImplemented"


def pipeline(*stages: Document, **more: Any) -> Document:
    return {
        "name": "p",
        "roleArn": "arn:aws:iam::123456789012:role/r",
        "artifactStore": {"type": "S3", "location": "bucket"},
        "pipelineType": "V2",
        "stages": list(stages),
        **more,
    }


def usual(*stages: Document, **more: Any) -> Document:
    """A source stage, then `stages`."""
    return pipeline(stage("Source", source()), *stages, **more)


def checked(declaration: Document) -> None:
    check(normalised(declaration), "us-east-1")


def deploy(name: str = "Deploy", **configuration: str) -> Document:
    return action(
        name,
        "Deploy",
        "CloudFormation",
        configuration={
            "ActionMode": "CREATE_UPDATE",
            "StackName": "stack",
            "RoleArn": "arn:aws:iam::123456789012:role/d",
            "TemplatePath": "SourceCode::template.yml",
            **configuration,
        },
        inputArtifacts=[{"name": "SourceCode"}],
    )


def without(declared: Document, *members: str) -> Document:
    return {key: value for key, value in declared.items() if key not in members}


def test_a_whole_deployment_pipeline_is_accepted() -> None:
    when = only_when("#{BuildVariables.DEPLOY}", "yes")
    checked(
        usual(
            stage("Build", build(namespace="BuildVariables", outputArtifacts=[{"name": "Configuration"}])),
            stage("Staging", deploy(), build("Test", runOrder=2, namespace="TestVariables"), beforeEntry=when),
            stage("Approve", approve(CustomData="#{TestVariables.SUMMARY} #{variables.MODEL}"), beforeEntry=when),
            stage("Production", deploy(), beforeEntry=when),
            variables=[{"name": "MODEL", "defaultValue": "auto"}],
            executionMode="SUPERSEDED",
        )
    )


def test_defaults_are_filled_in_as_getpipeline_shows_them() -> None:
    full = normalised(usual(stage("Build", build())))
    assert full["executionMode"] == "SUPERSEDED"
    assert full["stages"][0]["actions"][0]["runOrder"] == 1
    assert full["stages"][0]["actions"][0]["inputArtifacts"] == []
    assert normalised(without(usual(), "pipelineType"))["pipelineType"] == "V1"


two = stage("Build", build())
REFUSED = {
    "one stage only": (usual(), STRUCTURE, "Pipeline has only 1 stage(s). There should be a minimum of 2 stages"),
    "no artifact store": (without(usual(two), "artifactStore"), STRUCTURE, "must have an artifactStore"),
    "a build in the first stage": (
        pipeline(stage("Source", source(), build()), two),
        STRUCTURE,
        "Pipeline should start with a stage that only contains source actions",
    ),
    "a source in a later stage": (usual(stage("Again", source())), STRUCTURE, "Only the first stage of a pipeline"),
    "two stages of one name": (usual(two, two), STAGE, "two stages with the same name: Build"),
    "two actions of one name": (usual(stage("B", build(), build())), STAGE, "two actions with the same name: Build"),
    "more actions than a pipeline can have": (
        usual(*(stage(f"S{number}", *(build(f"B{each}") for each in range(50))) for number in range(20))),
        STRUCTURE,
        "Pipeline has 1001 actions. There should be a maximum of 1000",
    ),
    "a stage without actions": (usual(stage("Empty")), STAGE, "Stage Empty has 0 actions"),
    "queued in V1": (usual(two, executionMode="QUEUED", pipelineType="V1"), STRUCTURE, "only be used with V2"),
    "variables in V1": (
        usual(two, pipelineType="V1", variables=[{"name": "A"}]),
        STRUCTURE,
        "Pipeline variable can only be used with V2 pipelines",
    ),
    "a variable twice": (
        usual(two, variables=[{"name": "A"}, {"name": "A"}]),
        STRUCTURE,
        "Variable names must be unique. The following variable name is already in use: A",
    ),
    "conditions in V1": (
        usual({**two, "beforeEntry": only_when("a", "b")}, pipelineType="V1"),
        STAGE,
        "Stage conditions can only be used with V2 pipelines",
    ),
    "an unknown configuration key": (
        usual(stage("Build", build(configuration={"Colour": "red"}))),
        ACTION,
        "Action configuration for action 'Build' contains unknown configuration 'Colour'",
    ),
    "a missing configuration key": (
        usual(stage("Build", {**build(), "configuration": {}})),
        ACTION,
        "Action configuration for action 'Build' is missing required configuration 'ProjectName'",
    ),
    "a build without input": (
        usual(stage("Build", without(build(), "inputArtifacts"))),
        ACTION,
        "Action Build declares 0 input artifacts which is less than the minimum count (1)",
    ),
    "an approval with input": (
        usual(stage("A", {**approve(), "inputArtifacts": [{"name": "SourceCode"}]})),
        ACTION,
        "Action Approve declares 1 input artifacts which is more than the maximum count (0)",
    ),
    "an artifact nobody makes": (
        usual(stage("Build", {**build(), "inputArtifacts": [{"name": "Nothing"}]})),
        ACTION,
        "Input Artifact Bundle Nothing in action Build is not declared as Output Artifact Bundle in any of the",
    ),
    "an artifact made at the same time": (
        usual(
            stage("B", build("One", outputArtifacts=[{"name": "X"}]), {**build(), "inputArtifacts": [{"name": "X"}]})
        ),
        ACTION,
        "Input Artifact Bundle X in action Build is not declared",
    ),
    "an artifact made twice": (
        usual(stage("B", build(outputArtifacts=[{"name": "SourceCode"}]))),
        ACTION,
        "Output Artifact Bundle name must be unique within the pipeline. SourceCode has been used more than once.",
    ),
    "two inputs and no primary source": (
        usual(
            stage("A", build(outputArtifacts=[{"name": "X"}])),
            stage("B", {**build(), "inputArtifacts": [{"name": "X"}, {"name": "SourceCode"}]}),
        ),
        ACTION,
        "'PrimarySource'",
    ),
    "environment variables that are no JSON": (
        usual(stage("B", build(configuration={"EnvironmentVariables": "A=1"}))),
        ACTION,
        "EnvironmentVariables is not JSON",
    ),
    "an environment variable without value": (
        usual(stage("B", build(configuration={"EnvironmentVariables": '[{"name": "A"}]'}))),
        ACTION,
        "Each of EnvironmentVariables is an object with the strings name, value",
    ),
    "a reference without a dot": (
        usual(stage("B", build(configuration={"EnvironmentVariables": "#{oops}"}))),
        ACTION,
        "VariableReferenceText=[oops]",
    ),
    "a namespace nobody has": (
        usual(stage("A", approve(CustomData="#{Nobody.KEY}"))),
        ACTION,
        "are referencing a namespace that does not exist.\nStageName=[A], ActionName=[Approve]",
    ),
    "a namespace of the same action": (
        usual(stage("B", build(namespace="N", configuration={"EnvironmentVariables": "#{N.A}"}))),
        ACTION,
        "does not occur before them",
    ),
    "a condition on its own stage's namespace": (
        usual(stage("B", build(namespace="N"), beforeEntry=only_when("#{N.A}", "yes"))),
        ACTION,
        "does not occur before them",
    ),
    "an undeclared pipeline variable": (
        usual(stage("A", approve(CustomData="#{variables.B}")), variables=[{"name": "A"}]),
        ACTION,
        "a pipeline variable that is not declared",
    ),
    "an unknown variable of the pipeline": (
        usual(stage("A", approve(CustomData="#{codepipeline.Colour}"))),
        ACTION,
        "a variable that does not exist",
    ),
    "a pipeline variable in a source action": (
        pipeline(stage("S", source(BranchName="#{variables.A}")), two, variables=[{"name": "A"}]),
        STRUCTURE,
        "Variables at the pipeline level cannot be used in source actions",
    ),
    "a namespace twice": (
        usual(stage("B", build(namespace="SourceVariables"))),
        ACTION,
        "Namespaces must be unique across the pipeline definition.",
    ),
    "a condition that neither skips nor fails": (
        usual(stage("B", build(), beforeEntry=only_when("a", "a", result="ROLLBACK"))),
        STAGE,
        "can have result SKIP or FAIL",
    ),
    "an unknown operator": (
        usual(stage("B", build(), beforeEntry=only_when("a", "a", operator="GT"))),
        STAGE,
        "has an invalid value 'GT' for Operator; valid values are EQ, NE, CONTAINS, MATCHES",
    ),
    "a topic that is none": (
        usual(stage("A", approve(NotificationArn="topic"))),
        ACTION,
        "The ARN topic you specified for sending notifications for the approval action Approve contains a format",
    ),
    "a queue for a topic": (
        usual(stage("A", approve(NotificationArn="arn:aws:sqs:us-east-1:123456789012:q"))),
        ACTION,
        "cannot be used to send approval requests",
    ),
    "a timeout of a build": (usual(stage("B", build(timeoutInMinutes=5))), ACTION, "timeoutInMinutes"),
    "a deployment without role": (
        usual(stage("D", {**deploy(), "configuration": without(deploy()["configuration"], "RoleArn")})),
        ACTION,
        "is missing required configuration 'RoleArn' for ActionMode CREATE_UPDATE",
    ),
    "a template path without file": (
        usual(stage("D", deploy(TemplatePath="template.yml"))),
        ACTION,
        "'template.yml' for TemplatePath, which is not Artifact::File",
    ),
    "a template of another action's artifact": (
        usual(stage("D", deploy(TemplatePath="Other::template.yml"))),
        ACTION,
        "refers to artifact 'Other' in TemplatePath, which is not an input artifact",
    ),
    "an unknown capability": (usual(stage("D", deploy(Capabilities="ALL"))), ACTION, "unknown Capabilities: ALL"),
    "an unknown action mode": (usual(stage("D", deploy(ActionMode="DO"))), ACTION, "invalid value 'DO' for ActionMode"),
    "parallel executions": (usual(two, executionMode="PARALLEL"), NOT_HERE, "executionMode PARALLEL"),
    "several regions": (
        {**without(usual(two), "artifactStore"), "artifactStores": {"us-east-1": {}}},
        NOT_HERE,
        "artifactStores",
    ),
    "an unknown provider": (
        usual(stage("D", action("Ship", "Deploy", "ECS"))),
        NOT_HERE,
        "action provider ECS (category Deploy, owner AWS, version 1) of action Ship in stage D",
    ),
    "an unknown rule": (
        usual(
            stage(
                "B",
                build(),
                beforeEntry={
                    "conditions": [
                        {
                            "result": "FAIL",
                            "rules": [{"name": "R", "ruleTypeId": {"category": "Rule", "provider": "CloudWatchAlarm"}}],
                        }
                    ]
                },
            )
        ),
        NOT_HERE,
        "rule provider CloudWatchAlarm of rule R in stage B",
    ),
    "conditions on failure": (
        usual(stage("B", build(), onFailure={"result": "ROLLBACK", **only_when("a", "b")})),
        NOT_HERE,
        "conditions of onFailure of stage B",
    ),
    "skipping on failure": (
        usual(stage("B", build(), onFailure={"result": "SKIP"})),
        NOT_HERE,
        "result SKIP of onFailure of stage B",
    ),
    "an automatic retry without mode": (
        usual(stage("B", build(), onFailure={"result": "RETRY"})),
        NOT_HERE,
        "onFailure of stage B with result RETRY and without a retryMode",
    ),
    "a retry configuration of a rollback": (
        usual(
            stage("B", build(), onFailure={"result": "ROLLBACK", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}})
        ),
        STAGE,
        "can have a retryConfiguration only with result RETRY",
    ),
    "a rollback of the source stage": (
        pipeline(stage("S", source(), onFailure={"result": "ROLLBACK"}), two),
        STAGE,
        "The source stage S cannot be rolled back",
    ),
    "a success condition that rolls the source stage back": (
        pipeline(stage("S", source(), onSuccess=only_when("a", "a", result="ROLLBACK")), two),
        STAGE,
        "The source stage S cannot be rolled back",
    ),
    "a retry on failure in V1": (
        usual(
            stage("B", build(), onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}),
            pipelineType="V1",
        ),
        STAGE,
        "Stage conditions can only be used with V2 pipelines: onFailure of stage B",
    ),
    "polling, which is AWS's default": (
        pipeline(stage("S", {**source(), "configuration": {"RepositoryName": "r", "BranchName": "b"}}), two),
        NOT_HERE,
        "PollForSourceChanges of source action Commit",
    ),
    "a full clone": (
        pipeline(stage("S", source(OutputArtifactFormat="CODEBUILD_CLONE_REF")), two),
        NOT_HERE,
        "CODEBUILD_CLONE_REF",
    ),
    "a batch build": (usual(stage("B", build(configuration={"BatchEnabled": "true"}))), NOT_HERE, "BatchEnabled"),
    "a change set": (usual(stage("D", deploy(ActionMode="CHANGE_SET_REPLACE"))), NOT_HERE, "CHANGE_SET_REPLACE"),
    "git triggers": (usual(two, triggers=[{"providerType": "CodeStarSourceConnection"}]), NOT_HERE, "triggers"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused_and_says_why(what: str) -> None:
    declaration, code, words = REFUSED[what]
    with pytest.raises(AwsError) as refusal:
        checked(declaration)
    assert refusal.value.code == code
    assert words in refusal.value.message
