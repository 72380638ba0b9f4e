"""The events CodeCommit puts on the default bus.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.service import Document

SOURCE = "aws.codecommit"
STATE_CHANGE = "CodeCommit Repository State Change"
PULL_REQUEST_CHANGE = "CodeCommit Pull Request State Change"


def reference_changes(
    repository: Repository, before: Mapping[str, str], after: Mapping[str, str], who: str
) -> Iterator[Document]:
    """The detail of one state change for each branch or tag that changed; `who` is the ARN of the one who did it."""
    for reference in sorted(before.keys() | after.keys()):
        old, new = before.get(reference), after.get(reference)
        if old == new:
            continue
        kind, _, name = reference.removeprefix("refs/").partition("/")
        detail = {
            "callerUserArn": who,
            "event": "reference" + ("Created" if old is None else "Deleted" if new is None else "Updated"),
            "referenceFullName": reference,
            "referenceName": name,
            "referenceType": "tag" if kind == "tags" else "branch",
            "repositoryId": repository.id,
            "repositoryName": repository.name,
        }
        if new is not None:
            detail["commitId"] = new
        if old is not None:
            detail["oldCommitId"] = old
        if old is not None and new is not None and kind == "heads":
            base = repository.merge_base(old, new)
            if base is not None:
                detail["baseCommitId"] = base
        yield detail


def pull_request_change(pull_request: Document, event: str, who: str) -> Document:
    """The detail of one change of a pull request, from the API's description of it; `who` is the ARN of who did it."""
    [target] = pull_request["pullRequestTargets"]
    return {
        "author": pull_request["authorArn"],
        "callerUserArn": who,
        "creationDate": str(pull_request["creationDate"]),
        "description": pull_request["description"],
        "destinationCommit": target["destinationCommit"],
        "destinationReference": target["destinationReference"],
        "event": event,
        "isMerged": str(target["mergeMetadata"]["isMerged"]),
        "lastModifiedDate": str(pull_request["lastActivityDate"]),
        "pullRequestId": pull_request["pullRequestId"],
        "pullRequestStatus": pull_request["pullRequestStatus"].capitalize(),
        "repositoryNames": [target["repositoryName"]],
        "revisionId": pull_request["revisionId"],
        "sourceCommit": target["sourceCommit"],
        "sourceReference": target["sourceReference"],
        "title": pull_request["title"],
    }
