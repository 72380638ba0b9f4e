"""Pull requests: opened, described, listed, closed and merged. Comments and approval rules are not played."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.cloud.codecommit.events import PULL_REQUEST_CHANGE, SOURCE, pull_request_change
from rehearsal.cloud.codecommit.merging import Signature, fast_forward, three_way
from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.codecommit.room import Room, on_repository
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

HEADS = "refs/heads/"
OPEN, CLOSED = "OPEN", "CLOSED"
RESOLUTION = ("conflictDetailLevel", "conflictResolutionStrategy", "conflictResolution", "keepEmptyFolders")


@dataclass
class PullRequest:
    """One pull request. Its commits follow the branches until it is closed."""

    id: str
    title: str
    description: str
    repository: str
    source: str
    destination: str
    author: str
    created: float
    modified: float
    revision: str
    token: str
    source_commit: str = ""
    destination_commit: str = ""
    merge_base: str = ""
    status: str = OPEN
    merged_by: str = ""
    merge_commit: str = ""
    merge_option: str = ""


def _on_pull_request(action: str) -> Needs:
    """Asked for on the repository of the pull request that is named; on a merge for the branch that it changes, too."""

    def needs(room: PullRequests, request: Document) -> Iterable[Call]:
        found = room.pull_requests.get(request["pullRequestId"])
        if found is None:
            return [Call(f"codecommit:{action}", room.arn("*"))]
        context = room.tag_context(found.repository)
        if action.startswith("Merge"):
            context["codecommit:References"] = found.destination
        return [Call(f"codecommit:{action}", room.arn(found.repository), context)]

    return needs


class PullRequests(Room):
    """The operations on pull requests.

    https://docs.aws.amazon.com/codecommit/latest/userguide/pull-requests.html
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.pull_requests: dict[str, PullRequest] = {}

    @operation(
        "CreatePullRequest",
        needs=lambda room, request: [
            Call("codecommit:CreatePullRequest", room.arn(name), room.tag_context(name))
            for name in (target["repositoryName"] for target in request["targets"])
        ],
    )
    @once("clientRequestToken", "IdempotencyParameterMismatchException")
    def create_pull_request(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreatePullRequest.html"""
        if len(request["targets"]) != 1:
            raise AwsError("InvalidTargetsException", "A pull request has exactly one target.")
        [target] = request["targets"]
        repository = self.repository(target["repositoryName"])
        source = self._branch(repository, target["sourceReference"])
        destination = self._branch(repository, target.get("destinationReference") or repository.default_branch() or "")
        if source == destination:
            raise AwsError("SourceAndDestinationAreSameException", f"Both branches are {source}.")
        now = self.cloud.clock.timestamp()
        with self._lock:
            made = PullRequest(
                str(len(self.pull_requests) + 1),
                request["title"],
                request.get("description", ""),
                repository.name,
                source,
                destination,
                caller.principal_arn,
                now,
                now,
                secrets.token_hex(32),
                request.get("clientRequestToken", ""),
            )
            self.pull_requests[made.id] = made
        return self._changed(made, "pullRequestCreated", caller)

    @operation("GetPullRequest", needs=_on_pull_request("GetPullRequest"))
    def get_pull_request(self, request: Document, caller: Credentials) -> Document:
        return {"pullRequest": self._detail(self._pull_request(request))}

    @operation("ListPullRequests", needs=on_repository("ListPullRequests"))
    def list_pull_requests(self, request: Document, caller: Credentials) -> Document:
        """Newest first; AWS does not say in which order."""
        name, author, status = (request.get(key) for key in ("repositoryName", "authorArn", "pullRequestStatus"))
        self.repository(str(name))
        found = [
            each.id
            for each in reversed(self.pull_requests.values())
            if each.repository == name and author in (None, each.author) and status in (None, each.status)
        ]
        return self._page("pullRequestIds", found, request)

    @operation("UpdatePullRequestDescription", needs=_on_pull_request("UpdatePullRequestDescription"))
    def update_pull_request_description(self, request: Document, caller: Credentials) -> Document:
        found = self._open(request)
        found.description = request["description"]
        return self._changed(found, "", caller)

    @operation("UpdatePullRequestStatus", needs=_on_pull_request("UpdatePullRequestStatus"))
    def update_pull_request_status(self, request: Document, caller: Credentials) -> Document:
        """A closed one stays closed.

        https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdatePullRequestStatus.html
        """
        found, wanted = self._pull_request(request), request["pullRequestStatus"]
        if found.status == CLOSED and wanted == OPEN:
            raise AwsError("InvalidPullRequestStatusUpdateException", f"Pull request {found.id} is closed for good.")
        self._follow(found)
        found.status = wanted
        return self._changed(found, "pullRequestStatusChanged", caller)

    @operation("MergePullRequestByFastForward", needs=_on_pull_request("MergePullRequestByFastForward"))
    def merge_pull_request_by_fast_forward(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/codecommit/latest/APIReference/API_MergePullRequestByFastForward.html"""
        return self._merge(request, caller, "FAST_FORWARD_MERGE")

    @operation("MergePullRequestByThreeWay", needs=_on_pull_request("MergePullRequestByThreeWay"))
    def merge_pull_request_by_three_way(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/codecommit/latest/APIReference/API_MergePullRequestByThreeWay.html"""
        for unsupported in RESOLUTION:
            if request.get(unsupported):
                raise NotImplementedHere(f"{unsupported} of codecommit:MergePullRequestByThreeWay")
        return self._merge(request, caller, "THREE_WAY_MERGE")

    def _merge(self, request: Document, caller: Credentials, option: str) -> Document:
        found = self._open(request)
        repository = self.repository(request["repositoryName"])
        if found.repository != repository.name:
            raise AwsError(
                "RepositoryNotAssociatedWithPullRequestException",
                f"Pull request {found.id} is not one of {repository.name}.",
            )
        with repository.pushing:
            before = repository.references()
            self._follow(found)
            if request.get("sourceCommitId", found.source_commit) != found.source_commit:
                raise AwsError("TipOfSourceReferenceIsDifferentException", f"{found.source} is {found.source_commit}.")
            tips = (repository, found.destination_commit, found.source_commit)
            if option == "FAST_FORWARD_MERGE":
                commit = fast_forward(*tips)
            else:
                name = request.get("authorName") or caller.principal_arn.rpartition("/")[2]
                said = request.get("commitMessage") or f"Merge pull request {found.id}: {found.title}"
                signed = Signature(name, request.get("email") or "unknown", said, self.cloud.clock.timestamp())
                commit = three_way(*tips, signed)
            repository.git("update-ref", found.destination, commit, found.destination_commit)
            after = repository.references()
        found.status, found.merged_by, found.merge_commit = CLOSED, caller.principal_arn, commit
        found.merge_option = option
        self.announce(repository, before, after, caller)
        return self._changed(found, "pullRequestMergeStatusUpdated", caller)

    # ---- what they share

    @staticmethod
    def _branch(repository: Repository, name: str) -> str:
        reference = name if name.startswith("refs/") else HEADS + name
        if not reference.startswith(HEADS):
            raise AwsError("ReferenceTypeNotSupportedException", f"{name} is not a branch.")
        if reference not in repository.references():
            raise AwsError("ReferenceDoesNotExistException", f"{name} does not exist in repository {repository.name}.")
        return reference

    def _pull_request(self, request: Document) -> PullRequest:
        identifier = request["pullRequestId"]
        if not identifier.isdigit():
            raise AwsError("InvalidPullRequestIdException", f"{identifier} is not the ID of a pull request.")
        if identifier not in self.pull_requests:
            raise AwsError("PullRequestDoesNotExistException", f"Pull request {identifier} does not exist.")
        return self.pull_requests[identifier]

    def _open(self, request: Document) -> PullRequest:
        found = self._pull_request(request)
        if found.status == CLOSED:
            raise AwsError("PullRequestAlreadyClosedException", f"Pull request {found.id} is closed.")
        return found

    def _follow(self, found: PullRequest) -> None:
        """Look where the branches of an open pull request are. One that is gone stays where it was seen last."""
        repository = self.repository(found.repository)
        if found.status != OPEN:
            return
        references = repository.references()
        found.source_commit = references.get(found.source, found.source_commit)
        found.destination_commit = references.get(found.destination, found.destination_commit)
        found.merge_base = repository.merge_base(found.source_commit, found.destination_commit) or ""

    def _changed(self, found: PullRequest, event: str, caller: Credentials) -> Document:
        found.modified = self.cloud.clock.timestamp()
        detail = self._detail(found)
        if event:
            self.cloud.events.emit(
                SOURCE,
                PULL_REQUEST_CHANGE,
                pull_request_change(detail, event, caller.principal_arn),
                [self.arn(found.repository)],
            )
        return {"pullRequest": detail}

    def _detail(self, found: PullRequest) -> Document:
        self._follow(found)
        merge = {
            "isMerged": bool(found.merge_commit),
            "mergedBy": found.merged_by,
            "mergeCommitId": found.merge_commit,
            "mergeOption": found.merge_option,
        }
        target = {
            "repositoryName": found.repository,
            "sourceReference": found.source,
            "destinationReference": found.destination,
            "sourceCommit": found.source_commit,
            "destinationCommit": found.destination_commit,
            "mergeBase": found.merge_base,
            "mergeMetadata": {key: value for key, value in merge.items() if value != ""},
        }
        return {
            "pullRequestId": found.id,
            "title": found.title,
            "description": found.description,
            "lastActivityDate": found.modified,
            "creationDate": found.created,
            "pullRequestStatus": found.status,
            "authorArn": found.author,
            "pullRequestTargets": [target],
            "clientRequestToken": found.token,
            "revisionId": found.revision,
            "approvalRules": [],
        }
