"""The calls AWS services make with a role they are given.

Nobody sees these calls in a template, which is why templates forget to grant them. Each entry names who acts, when,
which actions it needs, and where AWS documents that. A room asks
`cloud.identity.require_service_calls(credentials, ENTRY, resource, context)` before it does the thing itself; calls
that a room really makes through an API (boto3 with the role's credentials) need no entry: the front door authorises
them like anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceCalls:
    """Actions that `service` performs with the role it was given, when `when` happens."""

    service: str
    when: str
    actions: tuple[str, ...]
    source: str


CODEPIPELINE_CODECOMMIT_SOURCE = ServiceCalls(
    "codepipeline.amazonaws.com",
    "a CodeCommit source action fetches a commit",
    (
        "codecommit:GetBranch",
        "codecommit:GetCommit",
        "codecommit:UploadArchive",
        "codecommit:GetUploadArchiveStatus",
    ),
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/security-iam.html#how-to-custom-role",
)
