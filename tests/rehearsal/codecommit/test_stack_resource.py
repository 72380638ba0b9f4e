"""A stack makes, fills, changes and deletes a repository as its role, and only as far as that role may."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.codecommit.conftest import MakePerson
from tests.rehearsal.codecommit.scene import Heard, allow, role
from tests.waiting import at_rest, until

SEEDS = "seeds"
FULL = (
    "codecommit:CreateRepository",
    "codecommit:CreateCommit",
    "codecommit:TagResource",
    "codecommit:DeleteRepository",
    "codecommit:ListRepositories",
    "s3:GetObject",
)


def template(name: str, **properties: Any) -> str:
    resource = {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name, **properties}}
    outputs = {
        "Id": {"Value": {"Ref": "Code"}},
        "Url": {"Value": {"Fn::GetAtt": ["Code", "CloneUrlHttp"]}},
        "Name": {"Value": {"Fn::GetAtt": ["Code", "Name"]}},
        "Arn": {"Value": {"Fn::GetAtt": ["Code", "Arn"]}},
    }
    return json.dumps({"Resources": {"Code": resource}, "Outputs": outputs})


def seeded(branch: str = "main") -> dict[str, Any]:
    return {"Code": {"BranchName": branch, "S3": {"Bucket": SEEDS, "Key": "seed.zip"}}}


@pytest.fixture(scope="module", autouse=True)
def seeds(cloud: Cloud) -> None:
    """A bucket with an archive of two files, one of them executable."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README.md", "# Seed\n")
        script = zipfile.ZipInfo("bin/run now.sh")
        script.external_attr = 0o755 << 16
        archive.writestr(script, "echo ran\n")
    s3 = cloud.client("s3", cloud.identity.root)
    s3.create_bucket(Bucket=SEEDS)
    s3.put_object(Bucket=SEEDS, Key="seed.zip", Body=content.getvalue())
    s3.put_object(Bucket=SEEDS, Key="broken.zip", Body=b"no zip")


@pytest.fixture(scope="module")
def cloudformation(cloud: Cloud) -> Any:
    return cloud.client("cloudformation", cloud.identity.root)


def settled(cloudformation: Any, name: str) -> tuple[str, str, dict[str, str]]:
    """The stack's final status, the first failure's reason, and its outputs."""
    stack = at_rest(cloudformation, name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each["ResourceStatusReason"] for each in reversed(events) if "FAILED" in each["ResourceStatus"]]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    return stack["StackStatus"], (failed or [""])[0], outputs


def made(cloud: Cloud, cloudformation: Any, name: str, body: str, *statements: dict[str, Any]) -> Any:
    arn = role(cloud.client("iam", cloud.identity.root), f"{name}-role", *statements)
    cloudformation.create_stack(StackName=name, TemplateBody=body, RoleARN=arn)
    return settled(cloudformation, name)


def test_a_stack_makes_a_repository_with_its_first_commit(
    cloud: Cloud, cloudformation: Any, codecommit: Any, person: MakePerson, heard: list[Heard]
) -> None:
    tags = [{"Key": "team", "Value": "claims"}]
    body = template("seeded", RepositoryDescription="Trains", Tags=tags, **seeded())
    status, reason, outputs = made(cloud, cloudformation, "seeding", body, allow(*FULL))
    assert (status, reason) == ("CREATE_COMPLETE", "")
    metadata = codecommit.get_repository(repositoryName="seeded")["repositoryMetadata"]
    assert outputs == {
        "Id": metadata["repositoryId"],
        "Url": metadata["cloneUrlHttp"],
        "Name": "seeded",
        "Arn": metadata["Arn"],
    }
    assert metadata["defaultBranch"] == "main"
    assert codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"]["team"] == "claims"
    folder = person(cloud.identity.root).clone(outputs["Url"])
    assert (folder / "README.md").read_text() == "# Seed\n"
    assert (folder / "bin" / "run now.sh").stat().st_mode & 0o111
    assert [(one.detail["event"], one.detail["referenceName"]) for one in heard] == [("referenceCreated", "main")]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("codecommit:CreateRepository", "codecommit:CreateRepository"),
        ("codecommit:CreateCommit", "codecommit:CreateCommit"),
        ("s3:GetObject", "s3:GetObject"),
        ("codecommit:TagResource", "codecommit:TagResource"),
    ],
)
def test_every_grant_of_the_stacks_role_is_needed(
    cloud: Cloud, cloudformation: Any, codecommit: Any, missing: str, said: str
) -> None:
    name = f"without-{missing.split(':')[1]}"
    body = template(name, Tags=[{"Key": "team", "Value": "claims"}], **seeded())
    granted = [action for action in FULL if action != missing]
    status, reason, _ = made(cloud, cloudformation, name, body, allow(*granted))
    assert status == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: {said}" in reason
    assert name not in [one["repositoryName"] for one in codecommit.list_repositories()["repositories"]]


def test_an_archive_that_is_none_is_named(cloud: Cloud, cloudformation: Any) -> None:
    body = template("broken", Code={"S3": {"Bucket": SEEDS, "Key": "broken.zip"}})
    status, reason, _ = made(cloud, cloudformation, "broken", body, allow(*FULL))
    assert status == "ROLLBACK_COMPLETE"
    assert "the code for repository broken is not a usable zip file" in reason


def test_an_archive_that_is_missing_is_named(cloud: Cloud, cloudformation: Any) -> None:
    body = template("absent", Code={"S3": {"Bucket": SEEDS, "Key": "absent.zip"}})
    status, reason, _ = made(cloud, cloudformation, "absent", body, allow(*FULL, "s3:ListBucket"))
    assert status == "ROLLBACK_COMPLETE"
    assert f"the code of repository absent, s3://{SEEDS}/absent.zip" in reason


def test_a_stack_changes_and_deletes_its_repository(cloud: Cloud, cloudformation: Any, codecommit: Any) -> None:
    actions = [
        *FULL,
        "codecommit:UpdateRepositoryDescription",
        "codecommit:UntagResource",
        "codecommit:UpdateRepositoryName",
    ]
    body = template("before", RepositoryDescription="one", Tags=[{"Key": "a", "Value": "1"}])
    status, _, outputs = made(cloud, cloudformation, "changing", body, allow(*actions))
    assert status == "CREATE_COMPLETE"
    after = template("after", RepositoryDescription="two", Tags=[{"Key": "b", "Value": "2"}])
    cloudformation.update_stack(StackName="changing", TemplateBody=after)
    status, reason, updated = settled(cloudformation, "changing")
    assert (status, reason) == ("UPDATE_COMPLETE", "")
    assert updated["Id"] == outputs["Id"]
    metadata = codecommit.get_repository(repositoryName="after")["repositoryMetadata"]
    assert metadata["repositoryDescription"] == "two"
    assert "b" in codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"]
    assert "a" not in codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"]
    cloudformation.delete_stack(StackName="changing")

    def names() -> list[str]:
        return [one["repositoryName"] for one in codecommit.list_repositories()["repositories"]]

    until(lambda: "after" not in names(), "the repository's end")


def test_properties_that_are_not_played_are_refused(cloud: Cloud, cloudformation: Any) -> None:
    trigger = {"Name": "t", "DestinationArn": "arn:aws:sns:us-east-1:123456789012:t", "Events": ["all"]}
    status, reason, _ = made(
        cloud, cloudformation, "triggers", template("triggers", Triggers=[trigger]), allow("codecommit:*")
    )
    assert status == "ROLLBACK_COMPLETE"
    assert "Triggers of AWS::CodeCommit::Repository (Code) is not implemented" in reason
