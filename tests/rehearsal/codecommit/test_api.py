"""The API tells of repositories what git knows of them, in AWS's words."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import room
from rehearsal.cloud.errors import AwsError
from tests.rehearsal.codecommit.conftest import MakePerson
from tests.rehearsal.codecommit.scene import allow

ACCOUNT = "arn:aws:codecommit:us-east-1:123456789012"


def error_of(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**request)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_repository_is_described_as_aws_describes_it(cloud: Cloud, codecommit: Any) -> None:
    made = codecommit.create_repository(repositoryName="described", repositoryDescription="a model")[
        "repositoryMetadata"
    ]
    assert made == codecommit.get_repository(repositoryName="described")["repositoryMetadata"]
    assert made["Arn"] == f"{ACCOUNT}:described"
    assert made["cloneUrlHttp"] == f"{cloud.url}/v1/repos/described"
    assert made["repositoryDescription"] == "a model"
    assert made["accountId"] == "123456789012"
    listed = codecommit.list_repositories()["repositories"]
    assert {"repositoryName": "described", "repositoryId": made["repositoryId"]} in listed


def test_a_name_is_taken_once(codecommit: Any) -> None:
    codecommit.create_repository(repositoryName="taken")
    code, message = error_of(codecommit.create_repository, repositoryName="taken")
    assert (code, message) == ("RepositoryNameExistsException", "Repository named taken already exists")


@pytest.mark.parametrize("name", ["ends.git", "spa ce", "größe", "x" * 101])
def test_a_name_that_aws_refuses_is_refused(codecommit: Any, name: str) -> None:
    code, _ = error_of(codecommit.create_repository, repositoryName=name)
    assert code == "InvalidRepositoryNameException"


def test_a_deleted_repository_is_gone_from_disk_too(cloud: Cloud, codecommit: Any) -> None:
    made = codecommit.create_repository(repositoryName="short-lived")["repositoryMetadata"]
    folder = cloud.folder_for("codecommit", "repositories") / f"{made['repositoryId']}.git"
    assert (folder / "HEAD").exists()
    answer = codecommit.delete_repository(repositoryName="short-lived")
    assert answer["repositoryId"] == made["repositoryId"]
    assert not folder.exists()
    assert error_of(codecommit.get_repository, repositoryName="short-lived")[0] == "RepositoryDoesNotExistException"
    assert "repositoryId" not in codecommit.delete_repository(repositoryName="short-lived")


def test_commits_branches_files_and_folders_are_gits(
    cloud: Cloud, codecommit: Any, person: MakePerson, url: str
) -> None:
    name = url.rpartition("/")[2]
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    first = jo.commit(folder, "steps/train.py", "fit()\n")
    second = jo.commit(folder, "README.md", "# Model\n")
    jo.git("push", "origin", "main", "main:other", folder=folder)
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["main", "other"]
    commit = codecommit.get_commit(repositoryName=name, commitId=second)["commit"]
    assert (commit["parents"], commit["message"]) == ([first], "Write README.md\n")
    assert commit["author"]["name"] == "Jo"
    file = codecommit.get_file(repositoryName=name, filePath="steps/train.py")
    assert (file["fileContent"], file["fileMode"], file["commitId"]) == (b"fit()\n", "NORMAL", second)
    top = codecommit.get_folder(repositoryName=name, folderPath="/", commitSpecifier="main")
    assert [one["absolutePath"] for one in top["files"]] == ["README.md"]
    assert [one["absolutePath"] for one in top["subFolders"]] == ["steps"]
    assert error_of(codecommit.get_file, repositoryName=name, filePath="nothing")[0] == "FileDoesNotExistException"
    assert error_of(codecommit.get_folder, repositoryName=name, folderPath="no")[0] == "FolderDoesNotExistException"
    missing = {"repositoryName": name, "branchName": "none"}
    assert error_of(codecommit.get_branch, **missing)[0] == "BranchDoesNotExistException"
    code, _ = error_of(codecommit.get_commit, repositoryName=name, commitId="0" * 40)
    assert code == "CommitIdDoesNotExistException"


def test_a_pipeline_gets_a_commit_and_its_archive(cloud: Cloud, person: MakePerson, url: str, tmp_path: Any) -> None:
    name, room = url.rpartition("/")[2], cloud.services["codecommit"]
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    (folder / ".gitattributes").write_text("run.sh export-ignore\n* text eol=crlf\n")
    (folder / "link").symlink_to("run.sh")
    (folder / "run.sh").touch(0o755)
    commit = jo.commit(folder, "run.sh", "echo ran\n")
    jo.git("push", "origin", "main", folder=folder)
    found = room.commit_for_pipeline(name, "main", None)  # type: ignore[attr-defined]
    assert (found["commitId"], found["message"]) == (commit, "Write run.sh")
    assert found["authorDate"].endswith("Z")
    with zipfile.ZipFile(io.BytesIO(room.archive(name, commit))) as archive:  # type: ignore[attr-defined]
        assert sorted(archive.namelist()) == [".gitattributes", "link", "run.sh"]
        assert archive.read("run.sh") == b"echo ran\n"
        assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755
        assert archive.read("link") == b"run.sh"
    with pytest.raises(AwsError, match="BranchDoesNotExistException"):
        room.commit_for_pipeline(name, "none", None)  # type: ignore[attr-defined]


def test_tags_are_kept_and_decide_who_may(cloud: Cloud, codecommit: Any, session: Any) -> None:
    codecommit.create_repository(repositoryName="tagged", tags={"team": "claims"})
    codecommit.create_repository(repositoryName="untagged")
    arn = f"{ACCOUNT}:tagged"
    codecommit.tag_resource(resourceArn=arn, tags={"stage": "prod"})
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "claims", "stage": "prod"}
    codecommit.untag_resource(resourceArn=arn, tagKeys=["stage"])
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "claims"}
    of_the_team = allow("codecommit:GetRepository") | {
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "claims"}}
    }
    theirs = cloud.client("codecommit", session("reads-by-tag", of_the_team))
    assert theirs.get_repository(repositoryName="tagged")["repositoryMetadata"]["Arn"] == arn
    code, message = error_of(theirs.get_repository, repositoryName="untagged")
    assert code == "AccessDeniedException"
    assert f"codecommit:GetRepository on resource: {ACCOUNT}:untagged" in message


def test_what_is_not_played_is_refused_by_name(codecommit: Any) -> None:
    code, message = error_of(codecommit.get_repository_triggers, repositoryName="any")
    assert (code, message) == (
        "NotImplemented",
        "codecommit:GetRepositoryTriggers is not implemented by the rehearsal's cloud",
    )


def test_listings_are_turned_page_by_page(codecommit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PAGE", 2)
    for name in ("page-a", "page-b", "page-c"):
        codecommit.create_repository(repositoryName=name, tags={"one": "1", "two": "2", "three": "3"})
    pages = list(codecommit.get_paginator("list_repositories").paginate())
    names = [one["repositoryName"] for page in pages for one in page["repositories"]]
    assert {"page-a", "page-b", "page-c"} <= set(names)
    assert len(names) == len(set(names))
    assert all(len(page["repositories"]) <= 2 for page in pages)
    arn = codecommit.get_repository(repositoryName="page-a")["repositoryMetadata"]["Arn"]
    first = codecommit.list_tags_for_resource(resourceArn=arn)
    second = codecommit.list_tags_for_resource(resourceArn=arn, nextToken=first["nextToken"])
    assert {**first["tags"], **second["tags"]} == {"one": "1", "two": "2", "three": "3"}
    assert "nextToken" not in second


@pytest.mark.parametrize("operation", ["list_branches", "list_repositories", "list_tags_for_resource"])
def test_a_token_that_no_listing_gave_out_is_refused(codecommit: Any, operation: str) -> None:
    made = codecommit.create_repository(repositoryName=f"token-{operation}")["repositoryMetadata"]
    where = {
        "list_branches": {"repositoryName": made["repositoryName"]},
        "list_tags_for_resource": {"resourceArn": made["Arn"]},
    }
    code, _ = error_of(getattr(codecommit, operation), nextToken="made-up", **where.get(operation, {}))
    assert code == "InvalidContinuationTokenException"


@pytest.mark.parametrize(
    ("operation", "given", "code"),
    [
        ("get_commit", {"commitId": "c0ffee"}, "InvalidCommitIdException"),
        ("get_commit", {"commitId": "0" * 40}, "CommitIdDoesNotExistException"),
        ("get_branch", {"branchName": ""}, "InvalidBranchNameException"),
        ("get_branch", {}, "BranchNameRequiredException"),
        ("get_branch", {"branchName": "nowhere"}, "BranchDoesNotExistException"),
        ("get_file", {"filePath": "a.txt"}, "CommitDoesNotExistException"),
        (
            "update_repository_description",
            {"repositoryDescription": "x" * 1001},
            "InvalidRepositoryDescriptionException",
        ),
    ],
)
def test_what_is_wrong_has_the_code_of_its_member(
    cloud: Cloud, codecommit: Any, operation: str, given: dict[str, str], code: str, request: pytest.FixtureRequest
) -> None:
    name = re.sub(r"\W+", "-", request.node.name)[:100]
    codecommit.create_repository(repositoryName=name)
    config = Config(parameter_validation=False)
    root = cloud.identity.root
    careless = boto3.client(
        "codecommit",
        endpoint_url=cloud.url,
        region_name=cloud.region,
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        config=config,
    )
    assert error_of(getattr(careless, operation), repositoryName=name, **given)[0] == code


def test_tags_that_a_repository_cannot_have_are_refused(codecommit: Any) -> None:
    made = codecommit.create_repository(repositoryName="tag-rules")["repositoryMetadata"]
    many = {f"tag-{number}": "x" for number in range(51)}
    assert error_of(codecommit.tag_resource, resourceArn=made["Arn"], tags=many)[0] == "TooManyTagsException"
    system = {"aws:mine": "x"}
    assert (
        error_of(codecommit.tag_resource, resourceArn=made["Arn"], tags=system)[0] == "InvalidSystemTagUsageException"
    )
    assert error_of(codecommit.create_repository, repositoryName="never", tags=system)[0] == (
        "InvalidSystemTagUsageException"
    )
    assert codecommit.list_tags_for_resource(resourceArn=made["Arn"])["tags"] == {}
