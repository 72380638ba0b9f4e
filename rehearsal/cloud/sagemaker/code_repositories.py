"""Code repositories: Git repositories that Studio shows beside a project.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateCodeRepository.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.tags import Tags, creating, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


@dataclass
class CodeRepository:
    """One entry; the repository itself is elsewhere and is not looked at, as on AWS."""

    name: str
    arn: str
    git: Document
    created: datetime
    modified: datetime

    def document(self) -> Document:
        return {
            "CodeRepositoryName": self.name,
            "CodeRepositoryArn": self.arn,
            "GitConfig": dict(self.git),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }


class CodeRepositories(Tags):
    """Code repository operations."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._code_repositories: dict[str, CodeRepository] = {}
        self._code_repositories_lock = threading.RLock()

    def _code_repository_arn(self, name: str) -> str:
        return self.arn(f"code-repository/{name.lower()}")

    def _code_repository_call(self, action: str, request: Document) -> list[Call]:
        arn = self._code_repository_arn(request["CodeRepositoryName"])
        return [Call(f"sagemaker:{action}", arn, self.resource_tags(arn))]

    @operation(
        "CreateCodeRepository",
        lambda self, request: creating(
            "CreateCodeRepository", self._code_repository_arn(request["CodeRepositoryName"]), request
        ),
    )
    def create_code_repository(self, request: Document, caller: Credentials) -> Document:
        name = request["CodeRepositoryName"]
        arn = self._code_repository_arn(name)
        now = datetime.now(UTC)
        with self._code_repositories_lock:
            if name.lower() in self._code_repositories:
                raise AwsError("ValidationException", f'Cannot create already existing code repository "{arn}".')
            self._code_repositories[name.lower()] = CodeRepository(name, arn, dict(request["GitConfig"]), now, now)
            self.tags[arn] = tag_map(request.get("Tags"))
        return {"CodeRepositoryArn": arn}

    @operation(
        "DescribeCodeRepository", lambda self, request: self._code_repository_call("DescribeCodeRepository", request)
    )
    def describe_code_repository(self, request: Document, caller: Credentials) -> Document:
        return self._code_repository(request["CodeRepositoryName"]).document()

    @operation(
        "UpdateCodeRepository", lambda self, request: self._code_repository_call("UpdateCodeRepository", request)
    )
    def update_code_repository(self, request: Document, caller: Credentials) -> Document:
        with self._code_repositories_lock:
            repository = self._code_repository(request["CodeRepositoryName"])
            repository.git.update(request.get("GitConfig", {}))
            repository.modified = datetime.now(UTC)
        return {"CodeRepositoryArn": repository.arn}

    @operation(
        "DeleteCodeRepository", lambda self, request: self._code_repository_call("DeleteCodeRepository", request)
    )
    def delete_code_repository(self, request: Document, caller: Credentials) -> Document:
        with self._code_repositories_lock:
            repository = self._code_repository(request["CodeRepositoryName"])
            del self._code_repositories[repository.name.lower()]
            self.tags.pop(repository.arn, None)
        return {}

    @operation("ListCodeRepositories", lambda _self, _request: [Call("sagemaker:ListCodeRepositories")])
    def list_code_repositories(self, request: Document, caller: Credentials) -> Document:
        with self._code_repositories_lock:
            repositories, token = listing(self._code_repositories.values(), request, order="Ascending")
        return page("CodeRepositorySummaryList", [repository.document() for repository in repositories], token)

    def _code_repository(self, name: str) -> CodeRepository:
        with self._code_repositories_lock:
            found = self._code_repositories.get(name.lower())
        if found is None:
            raise AwsError(
                "ValidationException", f'Could not find code repository "{self._code_repository_arn(name)}".'
            )
        return found
