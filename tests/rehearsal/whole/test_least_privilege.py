"""A grant that is missing stops the project exactly where it would on AWS.

What every single grant is needed for is shown by the recorded story (`test_story.py`); here a few are missing for real.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.prove_iam.grants import Grant
from rehearsal.prove_iam.replay import replay
from tests.rehearsal.whole.company import Company, remove_action
from tests.waiting import until

LAUNCH_ROLE = "MLOpsProjectLaunchRole"


def test_a_powerless_launch_role_fails_at_the_stacks_first_resource(company: Company) -> None:
    iam = company.engineer.client("iam")
    inline = iam.list_role_policies(RoleName=LAUNCH_ROLE)["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=LAUNCH_ROLE)["AttachedPolicies"]
    taken = {name: iam.get_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name)["PolicyDocument"] for name in inline}
    stacks_only = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["cloudformation:*", "s3:GetObject"], "Resource": "*"}],
    }
    try:
        for name in inline:
            iam.delete_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name)
        for policy in attached:
            iam.detach_role_policy(RoleName=LAUNCH_ROLE, PolicyArn=policy["PolicyArn"])
        iam.put_role_policy(RoleName=LAUNCH_ROLE, PolicyName="stacks", PolicyDocument=json.dumps(stacks_only))
        project = company.launch("powerless")
    finally:
        iam.delete_role_policy(RoleName=LAUNCH_ROLE, PolicyName="stacks")
        for name, document in taken.items():
            iam.put_role_policy(RoleName=LAUNCH_ROLE, PolicyName=name, PolicyDocument=json.dumps(document))
        for policy in attached:
            iam.attach_role_policy(RoleName=LAUNCH_ROLE, PolicyArn=policy["PolicyArn"])
    assert project["ProjectStatus"] == "CreateFailed"
    reason = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert f"assumed-role/{LAUNCH_ROLE}/" in reason
    assert "is not authorized to perform" in reason
    stacks = company.engineer.client("cloudformation").list_stacks()["StackSummaries"]
    stack = next(each for each in stacks if each["StackName"].startswith("SC-"))
    events = company.engineer.client("cloudformation").describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    finished = [each for each in events if each["ResourceStatus"] == "CREATE_COMPLETE"]
    assert [each for each in finished if each["ResourceType"] != "AWS::CloudFormation::Stack"] == []


def test_without_upload_archive_the_source_action_stops(company: Company) -> None:
    project = company.launch("no-archive")
    assert project["ProjectStatus"] == "CreateCompleted", project
    pipeline = f"sagemaker-no-archive-{project['ProjectId']}-modelbuild"
    codepipeline = company.engineer.client("codepipeline")
    role = codepipeline.get_pipeline(name=pipeline)["pipeline"]["roleArn"].rpartition("/")[2]
    removed = remove_action(company.engineer.client("iam"), role, "codecommit:UploadArchive")
    assert removed == 1, "the pipeline's role grants codecommit:UploadArchive in one place"
    execution = codepipeline.start_pipeline_execution(name=pipeline)["pipelineExecutionId"]

    def failed_action() -> dict[str, Any] | None:
        listed = codepipeline.list_action_executions(pipelineName=pipeline, filter={"pipelineExecutionId": execution})[
            "actionExecutionDetails"
        ]
        return next((each for each in listed if each["status"] == "Failed"), None)

    action = until(failed_action)
    assert action["stageName"] == "Source"
    message = action["output"]["executionResult"]["errorDetails"]["message"]
    assert "codecommit:UploadArchive" in message
    assert pipeline in message


def test_a_story_without_a_grant_stops_at_the_action_that_was_predicted(tmp_path: Path) -> None:
    bounded = "arn:aws:iam::<account>:role/sagemaker-projects/*"
    grant = Grant(LAUNCH_ROLE, "roles", "CreateOnlyBoundedRoles", "iam:PutRolePolicy", bounded)
    predicted = {"action": "iam:PutRolePolicy", "resource": bounded, "callers": [LAUNCH_ROLE], "anyway": []}
    ended = replay(grant, predicted, tmp_path / "without")
    assert ended.as_predicted, ended
    assert ended.acts == ("Launch",)
    assert ended.denied is not None
    assert ":role/sagemaker-projects/SC-" in ended.denied["resource"]
