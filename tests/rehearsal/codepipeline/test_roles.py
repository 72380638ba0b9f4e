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
        f"The service role {role} cannot be assumed."
    )


def test_creating_needs_passrole_to_codepipeline(lab: Lab) -> None:
    lab.make_role("Creator", "codepipeline.amazonaws.com", ["codepipeline:*"])
    creator = lab.cloud.identity.session_of(f"arn:aws:iam::{lab.cloud.account}:role/Creator", "someone")
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {lab.role}"):
        lab.client("codepipeline", creator).create_pipeline(pipeline=lab.declaration("passed", stage("Build", build())))
