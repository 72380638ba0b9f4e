"""Everything a pipeline does, it does as its role: each missing grant stops it where AWS would."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import BUCKET, PIPELINE_GRANTS, REPOSITORY, Lab, build, stage

MISSING = {
    "codecommit:GetBranch": ("Source", "Commit", "PermissionError"),
    "codecommit:GetCommit": ("Source", "Commit", "PermissionError"),
    "codecommit:UploadArchive": ("Source", "Commit", "PermissionError"),
    "codecommit:GetUploadArchiveStatus": ("Source", "Commit", "PermissionError"),
    "codecommit:CancelUploadArchive": ("Source", "Commit", "PermissionError"),
    "s3:PutObject": ("Source", "Commit", "PermissionError"),
    "codebuild:StartBuild": ("Build", "Build", "PermissionError"),
    "codebuild:BatchGetBuilds": ("Build", "Build", "PermissionError"),
}


@pytest.mark.parametrize("grant", MISSING)
def test_without_a_grant_the_pipeline_stops_there(lab: Lab, grant: str) -> None:
    place, action, code = MISSING[grant]
    role = lab.make_role(
        f"Without-{grant.replace(':', '-')}",
        "codepipeline.amazonaws.com",
        [each for each in PIPELINE_GRANTS if each != grant],
    )
    declaration = {**lab.declaration("poor", stage("Build", build())), "roleArn": role}
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    assert lab.stage(name, place)["latestExecution"]["status"] == "Failed"
    error = lab.action(name, place, action)["errorDetails"]
    assert error["code"] == code
    if grant.startswith("s3:"):
        assert error["message"].startswith(
            f'CodePipeline service role "{role}" is getting S3 access denied for the S3 bucket "{BUCKET}"'
        )
    else:
        assert f"is not authorized to perform: {grant}" in error["message"]


def test_the_artifact_stores_key_is_asked_for_the_role(lab: Lab) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/S3-artifact-encryption.html"""
    key = lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = lab.make_role("Keyless", "codepipeline.amazonaws.com", PIPELINE_GRANTS)
    store = {"type": "S3", "location": BUCKET, "encryptionKey": {"id": key, "type": "KMS"}}
    declaration = {**lab.declaration("keyed", stage("Build", build())), "roleArn": role, "artifactStore": store}
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    error = lab.action(name, "Source", "Commit")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert f"is not authorized to perform: kms:GenerateDataKey on resource: {key}" in error["message"]
    lab.grant("Keyless", [*PIPELINE_GRANTS, "kms:GenerateDataKey"])
    assert lab.finished(name, lab.start(name))["status"] == "Succeeded"


def test_a_refused_source_names_the_repository_and_the_missing_call(lab: Lab) -> None:
    role = lab.make_role("Sourceless", "codepipeline.amazonaws.com", ["s3:PutObject"])
    declaration = {**lab.declaration("sourceless", stage("Build", build())), "roleArn": role}
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    message = lab.action(name, "Source", "Commit")["errorDetails"]["message"]
    assert message.startswith(
        "The service role or action role doesn’t have the permissions required to access the AWS CodeCommit "
        f"repository named {REPOSITORY}. Update the IAM role permissions, and then try again."
    )
    assert "codecommit:GetBranch" in message


def test_a_role_codepipeline_cannot_assume_is_refused_at_once(lab: Lab) -> None:
    stranger = lab.make_role("Stranger", "codebuild.amazonaws.com", PIPELINE_GRANTS)
    declaration = {**lab.declaration("stranger", stage("Build", build())), "roleArn": stranger}
    with pytest.raises(ClientError) as refusal:
        lab.create(declaration)
    assert refusal.value.response["Error"] == {
        "Code": "InvalidStructureException",
        "Message": f"CodePipeline is not authorized to perform AssumeRole on role {stranger}",
    }


def test_a_trust_that_was_withdrawn_fails_the_next_execution(lab: Lab) -> None:
    role = lab.make_role("Withdrawn", "codepipeline.amazonaws.com", PIPELINE_GRANTS)
    declaration = {**lab.declaration("withdrawn", stage("Build", build())), "roleArn": role}
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    lab.trust("Withdrawn", "codebuild.amazonaws.com")
    assert lab.finished(name, lab.start(name))["status"] == "Failed"
    assert lab.action(name, "Source", "Commit")["errorDetails"]["message"].startswith(
        f"The service role or action role {role} cannot be assumed."
    )


def test_creating_needs_passrole_to_codepipeline(lab: Lab) -> None:
    lab.make_role("Creator", "codepipeline.amazonaws.com", ["codepipeline:*"])
    creator = lab.cloud.identity.session_of(f"arn:aws:iam::{lab.cloud.account}:role/Creator", "someone")
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {lab.role}"):
        lab.client("codepipeline", creator).create_pipeline(pipeline=lab.declaration("passed", stage("Build", build())))


def test_an_action_can_have_a_role_of_its_own(lab: Lab) -> None:
    main = lab.make_role("Chief", "codepipeline.amazonaws.com", ["sts:AssumeRole"])
    helper = lab.make_role("Helper", main, PIPELINE_GRANTS, kind="AWS")
    declaration = {**lab.declaration("helped", stage("Build", build(roleArn=helper))), "roleArn": main}
    declaration["stages"][0]["actions"][0]["roleArn"] = helper
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Succeeded"
    details = lab.pipelines.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    assert {each["input"]["roleArn"] for each in details} == {helper}
    lab.grant("Helper", [each for each in PIPELINE_GRANTS if each != "codebuild:StartBuild"])
    lab.finished(name, lab.start(name))
    message = lab.action(name, "Build", "Build")["errorDetails"]["message"]
    assert "assumed-role/Helper/" in message
    assert "codebuild:StartBuild" in message


def test_an_actions_role_must_trust_the_pipelines_role(lab: Lab) -> None:
    closed = lab.make_role("Closed", "codebuild.amazonaws.com", PIPELINE_GRANTS)
    lab.make_role("Chief2", "codepipeline.amazonaws.com", [*PIPELINE_GRANTS, "sts:AssumeRole"])
    main = f"arn:aws:iam::{lab.cloud.account}:role/Chief2"
    declaration = {**lab.declaration("closed-role", stage("Build", build(roleArn=closed))), "roleArn": main}
    with pytest.raises(ClientError, match=f"{main} is not authorized to perform AssumeRole on role {closed}"):
        lab.create(declaration)


def test_a_pipelines_role_must_be_allowed_to_assume_an_actions_role(lab: Lab) -> None:
    main = lab.make_role("Chief3", "codepipeline.amazonaws.com", PIPELINE_GRANTS)
    helper = lab.make_role("Helper3", f"arn:aws:iam::{lab.cloud.account}:root", PIPELINE_GRANTS, kind="AWS")
    declaration = {**lab.declaration("not-allowed", stage("Build", build(roleArn=helper))), "roleArn": main}
    with pytest.raises(ClientError, match=f"{main} is not authorized to perform AssumeRole on role {helper}"):
        lab.create(declaration)
