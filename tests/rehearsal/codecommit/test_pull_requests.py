"""A branch is proposed, looked at, and merged or turned down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.codecommit.conftest import MakePerson, Person
from tests.rehearsal.codecommit.scene import Heard, allow


@dataclass
class Proposal:
    """A repository whose `main` holds a file, and whose branch `idea` changes or adds one."""

    name: str
    jo: Person
    folder: Path

    def commit(self, branch: str, file: str, text: str) -> str:
        self.jo.git("checkout", "--quiet", branch, folder=self.folder)
        commit = self.jo.commit(self.folder, file, text)
        self.jo.git("push", "--quiet", "origin", branch, folder=self.folder)
        return commit

    def targets(self, **more: str) -> list[dict[str, str]]:
        return [{"repositoryName": self.name, "sourceReference": "idea", **more}]


@pytest.fixture
def proposal(cloud: Cloud, person: MakePerson, url: str) -> Proposal:
    jo = person(cloud.identity.root)
    made = Proposal(url.rpartition("/")[2], jo, jo.clone(url))
    jo.commit(made.folder, "README.md", "one\n")
    jo.git("push", "--quiet", "origin", "main", folder=made.folder)
    jo.git("branch", "idea", folder=made.folder)
    made.commit("idea", "idea.md", "new\n")
    return made


def refusal(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**request)
    return str(refused.value.response["Error"]["Code"])


def test_a_pull_request_is_opened_against_the_default_branch_described_and_listed(
    codecommit: Any, proposal: Proposal, heard: list[Heard]
) -> None:
    made = codecommit.create_pull_request(title="An idea", description="why", targets=proposal.targets())["pullRequest"]

    assert codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"] == made
    [target] = made["pullRequestTargets"]
    assert (target["sourceReference"], target["destinationReference"]) == ("refs/heads/idea", "refs/heads/main")
    assert target["mergeBase"] == target["destinationCommit"] != target["sourceCommit"]
    assert (made["pullRequestStatus"], target["mergeMetadata"]) == ("OPEN", {"isMerged": False})
    listed = codecommit.list_pull_requests(repositoryName=proposal.name, pullRequestStatus="OPEN")
    assert listed["pullRequestIds"] == [made["pullRequestId"]]
    assert codecommit.list_pull_requests(repositoryName=proposal.name, authorArn="arn:x")["pullRequestIds"] == []
    [told] = [each.detail for each in heard if each.kind == "CodeCommit Pull Request State Change"]
    assert (told["event"], told["title"], told["isMerged"]) == ("pullRequestCreated", "An idea", "False")

    pushed = proposal.commit("idea", "idea.md", "newer\n")
    codecommit.update_pull_request_description(pullRequestId=made["pullRequestId"], description="better")

    found = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert (found["description"], found["pullRequestTargets"][0]["sourceCommit"]) == ("better", pushed)


def test_a_three_way_merge_keeps_both_sides_and_closes_it(
    codecommit: Any, proposal: Proposal, heard: list[Heard]
) -> None:
    proposal.commit("main", "README.md", "two\n")
    made = codecommit.create_pull_request(title="An idea", targets=proposal.targets())["pullRequest"]
    identifier = made["pullRequestId"]
    codes = {
        refusal(codecommit.merge_pull_request_by_fast_forward, pullRequestId=identifier, repositoryName=proposal.name),
        refusal(
            codecommit.merge_pull_request_by_three_way,
            pullRequestId=identifier,
            repositoryName=proposal.name,
            sourceCommitId="0" * 40,
        ),
    }
    assert codes == {"ManualMergeRequiredException", "TipOfSourceReferenceIsDifferentException"}

    merged = codecommit.merge_pull_request_by_three_way(
        pullRequestId=identifier, repositoryName=proposal.name, commitMessage="Take it", authorName="Jo", email="j@x.y"
    )["pullRequest"]

    metadata = merged["pullRequestTargets"][0]["mergeMetadata"]
    head = codecommit.get_branch(repositoryName=proposal.name, branchName="main")["branch"]["commitId"]
    assert (merged["pullRequestStatus"], metadata["isMerged"], metadata["mergeCommitId"]) == ("CLOSED", True, head)
    commit = codecommit.get_commit(repositoryName=proposal.name, commitId=head)["commit"]
    assert (commit["message"], commit["author"]["name"], len(commit["parents"])) == ("Take it\n", "Jo", 2)
    for file, text in (("README.md", b"two\n"), ("idea.md", b"new\n")):
        assert codecommit.get_file(repositoryName=proposal.name, filePath=file)["fileContent"] == text
    assert [each.detail["event"] for each in heard][-2:] == ["referenceUpdated", "pullRequestMergeStatusUpdated"]
    assert heard[-1].detail["isMerged"] == "True"
    again = {"pullRequestId": identifier, "repositoryName": proposal.name}
    assert refusal(codecommit.merge_pull_request_by_three_way, **again) == "PullRequestAlreadyClosedException"


def test_a_fast_forward_moves_the_branch(codecommit: Any, proposal: Proposal) -> None:
    made = codecommit.create_pull_request(title="An idea", targets=proposal.targets())["pullRequest"]
    request = {"pullRequestId": made["pullRequestId"], "repositoryName": proposal.name}
    codecommit.merge_pull_request_by_fast_forward(**request)
    head = codecommit.get_branch(repositoryName=proposal.name, branchName="main")["branch"]["commitId"]
    assert head == made["pullRequestTargets"][0]["sourceCommit"]


def test_branches_that_contradict_each_other_are_left_to_a_person(codecommit: Any, proposal: Proposal) -> None:
    proposal.commit("main", "idea.md", "other\n")
    made = codecommit.create_pull_request(title="An idea", targets=proposal.targets())["pullRequest"]
    request = {"pullRequestId": made["pullRequestId"], "repositoryName": proposal.name}
    assert refusal(codecommit.merge_pull_request_by_three_way, **request) == "ManualMergeRequiredException"
    assert (
        codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]["pullRequestStatus"] == "OPEN"
    )
    assert codecommit.get_file(repositoryName=proposal.name, filePath="idea.md")["fileContent"] == b"other\n"


def test_a_closed_one_stays_closed(codecommit: Any, proposal: Proposal) -> None:
    made = codecommit.create_pull_request(title="An idea", targets=proposal.targets())["pullRequest"]
    identifier = made["pullRequestId"]
    closed = codecommit.update_pull_request_status(pullRequestId=identifier, pullRequestStatus="CLOSED")["pullRequest"]
    assert (closed["pullRequestStatus"], closed["pullRequestTargets"][0]["mergeMetadata"]) == (
        "CLOSED",
        {"isMerged": False},
    )
    again = {"pullRequestId": identifier, "pullRequestStatus": "OPEN"}
    assert refusal(codecommit.update_pull_request_status, **again) == "InvalidPullRequestStatusUpdateException"
    described = {"pullRequestId": identifier, "description": "late"}
    assert refusal(codecommit.update_pull_request_description, **described) == "PullRequestAlreadyClosedException"


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([], "InvalidTargetsException"),
        ([{"sourceReference": "none"}], "ReferenceDoesNotExistException"),
        ([{"sourceReference": "refs/tags/v1"}], "ReferenceTypeNotSupportedException"),
        ([{"sourceReference": "main"}], "SourceAndDestinationAreSameException"),
        ([{"repositoryName": "nobody"}], "RepositoryDoesNotExistException"),
        ([{}, {}], "InvalidTargetsException"),
    ],
)
def test_what_cannot_be_proposed_is_refused(
    codecommit: Any, proposal: Proposal, targets: list[dict[str, str]], code: str
) -> None:
    given = [{**proposal.targets()[0], **each} for each in targets]
    assert refusal(codecommit.create_pull_request, title="An idea", targets=given) == code


@pytest.mark.parametrize(
    ("identifier", "code"), [("999999", "PullRequestDoesNotExistException"), ("x", "InvalidPullRequestIdException")]
)
def test_a_pull_request_that_is_not_there_is_said_so(codecommit: Any, identifier: str, code: str) -> None:
    assert refusal(codecommit.get_pull_request, pullRequestId=identifier) == code


def test_the_same_token_opens_one(codecommit: Any, proposal: Proposal) -> None:
    ids = {
        codecommit.create_pull_request(title="An idea", targets=proposal.targets(), clientRequestToken="t")[
            "pullRequest"
        ]["pullRequestId"]
        for _ in range(2)
    }
    assert len(ids) == 1


def test_who_may_propose_may_not_merge_into_a_protected_branch(
    cloud: Cloud, codecommit: Any, proposal: Proposal, session: Any
) -> None:
    protect = {
        "Effect": "Deny",
        "Action": "codecommit:Merge*",
        "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"codecommit:References": "refs/heads/main"}},
    }
    theirs = cloud.client("codecommit", session("proposes", allow("codecommit:*"), protect))
    made = theirs.create_pull_request(title="An idea", targets=proposal.targets())["pullRequest"]
    request = {"pullRequestId": made["pullRequestId"], "repositoryName": proposal.name}
    assert refusal(theirs.merge_pull_request_by_three_way, **request) == "AccessDeniedException"
