"""CodeCommit's own error codes: one for each member that is missing or is not what it should be.

https://docs.aws.amazon.com/codecommit/latest/APIReference/CommonErrors.html, and the errors of each operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rehearsal.cloud.errors import AwsError

COMPLAINT = re.compile(r"(?P<missing>Value null )?at '(?P<name>\w+)")
CODES = {
    "repositoryName": ("RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    "repositoryNames": ("RepositoryNamesRequiredException", "InvalidRepositoryNameException"),
    "oldName": ("RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    "newName": ("RepositoryNameRequiredException", "InvalidRepositoryNameException"),
    "repositoryDescription": ("", "InvalidRepositoryDescriptionException"),
    "branchName": ("BranchNameRequiredException", "InvalidBranchNameException"),
    "commitId": ("CommitIdRequiredException", "InvalidCommitIdException"),
    "commitSpecifier": ("", "InvalidCommitException"),
    "filePath": ("PathRequiredException", "InvalidPathException"),
    "folderPath": ("PathRequiredException", "InvalidPathException"),
    "resourceArn": ("ResourceArnRequiredException", "InvalidResourceArnException"),
    "tags": ("TagsMapRequiredException", "InvalidTagsMapException"),
    "tagKeys": ("TagKeysListRequiredException", "InvalidTagKeysListException"),
    "kmsKeyId": ("", "EncryptionKeyInvalidIdException"),
    "pullRequestId": ("PullRequestIdRequiredException", "InvalidPullRequestIdException"),
    "pullRequestStatus": ("PullRequestStatusRequiredException", "InvalidPullRequestStatusException"),
    "title": ("TitleRequiredException", "InvalidTitleException"),
    "description": ("InvalidDescriptionException", "InvalidDescriptionException"),
    "conflictDetailLevel": ("", "InvalidConflictDetailLevelException"),
    "conflictResolutionStrategy": ("", "InvalidConflictResolutionStrategyException"),
    "conflictResolution": ("InvalidConflictResolutionException", "InvalidConflictResolutionException"),
    "targets": ("TargetsRequiredException", "InvalidTargetsException"),
    "sortBy": ("", "InvalidSortByException"),
    "order": ("", "InvalidOrderException"),
}
"""For each member the code when it is missing, and when it is there and wrong."""
MOST_TAGS = 50
"""https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html"""
SYSTEM, STACKS_OWN = "aws:", ("aws:cloudformation:", "aws:servicecatalog:")


def code_of(problem: str) -> str:
    """The code for the first complaint in `problem`; empty for a member that has none of its own."""
    found = COMPLAINT.search(problem)
    if found is None or found["name"] not in CODES:
        return ""
    missing, wrong = CODES[found["name"]]
    return missing if found["missing"] else wrong


def check_tag_keys(keys: Iterable[str]) -> None:
    """Raise InvalidSystemTagUsageException for a key of AWS's own, except those a stack leaves on what it makes."""
    for key in keys:
        if key.lower().startswith(SYSTEM) and not key.startswith(STACKS_OWN):
            raise AwsError("InvalidSystemTagUsageException", f"The tag key {key} is reserved: it begins with {SYSTEM}")


def check_tags(tags: Iterable[str]) -> None:
    """Raise AwsError for the keys of tags that a repository cannot have."""
    keys = list(tags)
    check_tag_keys(keys)
    if sum(not key.startswith(SYSTEM) for key in keys) > MOST_TAGS:
        raise AwsError("TooManyTagsException", f"A repository can have {MOST_TAGS} tags at most")
