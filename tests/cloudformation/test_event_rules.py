"""What starts a pipeline and what people are told. Whether events match is seen where events are real: in the story."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from checks.template_file import Template

APPROVAL_CHANGED = ["ModelApprovalStatus", {"exists": False}]
GROUP_RULES = {"ModelApprovedRule": "Approved", "ModelAwaitsApprovalRule": "PendingManualApproval"}
PUSH_RULES = {
    "ModelBuildPushRule": ("ModelBuildRepository", "BuildPipeline"),
    "ModelDeployPushRule": ("ModelDeployRepository", "DeployPipeline"),
}


def properties(project: Template, rule: str) -> dict[str, Any]:
    found: dict[str, Any] = project.resolve(project.resource(rule).properties)
    return found


def bare(pattern: dict[str, Any]) -> list[str]:
    """The fields of a pattern whose value is neither a list nor a further pattern."""
    found = []
    for key, value in pattern.items():
        if isinstance(value, dict):
            found += bare(value)
        elif not isinstance(value, list):
            found.append(key)
    return found


def filled(template: str, values: dict[str, str]) -> str:
    """An input template with its placeholders filled in; none may be left."""
    text = re.sub(r"<([\w-]+)>", lambda found: values[found[1]], template)
    assert "<" not in text
    return text


def test_every_rule_is_one_we_know(project: Template) -> None:
    rules = {rule.logical_id for rule in project.of_type("AWS::Events::Rule")}
    told = {"PipelineFailedRule", "BatchFailedRule"}
    assert rules == {*GROUP_RULES, *PUSH_RULES, "ModelRejectedRule", "DeploymentChangedRule", *told}


def test_patterns_are_lists_all_the_way_down(project: Template) -> None:
    """EventBridge refuses a bare value, and cfn-lint does not look at all of them."""
    assert bare({"source": "aws.codecommit", "detail": {"state": "FAILED", "group": ["x"]}}) == ["source", "state"]
    for rule in project.of_type("AWS::Events::Rule"):
        assert bare(properties(project, rule.logical_id)["EventPattern"]) == [], project.at(rule.line)


@pytest.mark.parametrize("rule", PUSH_RULES)
def test_a_push_to_main_starts_the_repository_s_pipeline(project: Template, rule: str) -> None:
    repository, pipeline = PUSH_RULES[rule]
    found = properties(project, rule)
    assert found["EventPattern"] == {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [project.arn(project.resource(repository))],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": ["main"],
        },
    }
    (target,) = found["Targets"]
    assert target["Arn"] == project.arn(project.resource(pipeline))
    assert target["RoleArn"] == project.arn(project.resource("EventRulesRole"))


@pytest.mark.parametrize("rule", GROUP_RULES)
def test_an_event_of_this_group_counts_only_when_the_approval_changed(project: Template, rule: str) -> None:
    assert properties(project, rule)["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {
            "ModelPackageGroupName": [project.name(project.resource("ModelPackageGroup"))],
            "ModelPackageStatus": ["Completed"],
            "ModelApprovalStatus": [GROUP_RULES[rule]],
            "UpdatedModelPackageFields": APPROVAL_CHANGED,
        },
    }


def test_what_was_approved_is_what_is_deployed(project: Template) -> None:
    (target,) = properties(project, "ModelApprovedRule")["Targets"]
    assert target["Arn"] == project.arn(project.resource("DeployPipeline"))
    assert target["RoleArn"] == project.arn(project.resource("EventRulesRole"))
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"] == {"modelPackageArn": "$.detail.ModelPackageArn"}
    approved = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7"
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/create-cwe-ecr-source-console.html
    assert json.loads(filled(transformer["InputTemplate"], {"modelPackageArn": approved})) == {
        "variables": [{"name": "MODEL_PACKAGE_ARN", "value": approved}]
    }


def test_a_rejection_reaches_the_function_whole_and_only_when_the_approval_changed(project: Template) -> None:
    found = properties(project, "ModelRejectedRule")
    assert found["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {
            "ModelPackageGroupName": [project.name(project.resource("ModelPackageGroup"))],
            "ModelApprovalStatus": ["Rejected"],
            "UpdatedModelPackageFields": ["ModelApprovalStatus"],
        },
    }
    function = project.arn(project.resource("FollowRejectionFunction"))
    assert found["Targets"] == [{"Id": "follow-rejection", "Arn": function}]
    assert project.resolve(project.resource("ModelRejectedRuleMayInvoke").properties) == {
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": project.arn(project.resource("ModelRejectedRule")),
    }


def test_every_start_and_every_end_of_a_deployment_reaches_the_function(project: Template) -> None:
    found = properties(project, "DeploymentChangedRule")
    assert found["EventPattern"] == {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {
            "pipeline": [project.name(project.resource("DeployPipeline"))],
            "state": ["STARTED", "RESUMED", "SUCCEEDED", "FAILED", "STOPPED", "SUPERSEDED"],
        },
    }
    function = project.arn(project.resource("FollowDeploymentsFunction"))
    assert found["Targets"] == [{"Id": "follow-deployments", "Arn": function}]
    assert project.resolve(project.resource("DeploymentChangedRuleMayInvoke").properties) == {
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": project.arn(project.resource("DeploymentChangedRule")),
    }


@pytest.mark.parametrize("rule", ["ModelAwaitsApprovalRule", "PipelineFailedRule"])
def test_people_are_told_in_words(project: Template, rule: str) -> None:
    (target,) = properties(project, rule)["Targets"]
    assert target["Arn"] == project.arn(project.resource("NotificationTopic"))
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html: the topic's policy decides
    assert "RoleArn" not in target
    transformer = target["InputTransformer"]
    values = {name: f"({path})" for name, path in transformer["InputPathsMap"].items()}
    message = json.loads(filled(transformer["InputTemplate"], values))
    assert isinstance(message, str)
    assert all(value in message for value in values.values())
    assert "\n" not in message


def test_failures_of_both_pipelines_are_told(project: Template) -> None:
    assert properties(project, "PipelineFailedRule")["EventPattern"] == {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {
            "pipeline": [project.name(project.resource(each)) for each in ("BuildPipeline", "DeployPipeline")],
            "state": ["FAILED"],
        },
    }


def test_the_topic_takes_messages_of_event_rules_and_only_over_tls(project: Template) -> None:
    document = properties(project, "NotificationTopicPolicy")["PolicyDocument"]
    topic = project.arn(project.resource("NotificationTopic"))
    allow, deny = document["Statement"]
    assert allow == {
        "Sid": "EventRulesMayPublish",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(("address", "subscribed"), [("someone@example.com", True), ("", False)])
def test_an_e_mail_address_is_subscribed_when_there_is_one(project: Template, address: str, subscribed: bool) -> None:
    chosen = Template(project.path, {**project.parameters, "NotificationEmail": address})
    subscription = chosen.resource("NotificationEmailSubscription")
    assert chosen.condition(subscription.body["Condition"]) is subscribed
    assert subscription.properties["Endpoint"] == {"Ref": "NotificationEmail"}
