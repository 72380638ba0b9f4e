"""What the parts of the CodeCommit API share: the repositories, how to find them, condition keys, pages and codes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.codecommit.events import SOURCE, STATE_CHANGE, reference_changes
from rehearsal.cloud.codecommit.refusals import CODES, code_of
from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Call, Credentials, Document, Needs, Service

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

PAGE = 1000
"""Repositories, branches or tags in one answer. AWS does not say how many it lists at once."""


def on_repository(action: str) -> Needs:
    """The authorisation of an operation on the repository it names.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    """

    def needs(room: Room, request: Document) -> Iterable[Call]:
        name = request.get("repositoryName") or request.get("resourceArn", "").rpartition(":")[2]
        return [Call(f"codecommit:{action}", room.arn(name), room.tag_context(name))]

    return needs


class Room(Service):
    """State and look-ups."""

    name = "codecommit"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._repositories: dict[str, Repository] = {}
        self._lock = threading.RLock()

    def malformed(self, operation: str, problem: str) -> AwsError:
        """CodeCommit has a code for each member; a member that AWS does not know is a ValidationException here."""
        return AwsError(code_of(problem) or self.validation_error, problem)

    def repository(self, name: str) -> Repository:
        """A repository by its name. Raises RepositoryDoesNotExistException."""
        with self._lock:
            if name in self._repositories:
                return self._repositories[name]
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")

    @staticmethod
    def _given(request: Document, member: str) -> str:
        """A member that the model lets people leave out and AWS does not."""
        if not request.get(member):
            raise AwsError(CODES[member][0], f"{member} is required")
        return str(request[member])

    @staticmethod
    def _page(member: str, items: Sequence[Any], request: Document) -> Document:
        shown, token = cut(items, request.get("nextToken"), PAGE, "InvalidContinuationTokenException")
        return {member: shown, **({"nextToken": token} if token else {})}

    def _by_arn(self, arn: str) -> Repository:
        if not arn.startswith(self.arn("")):
            raise AwsError("InvalidResourceArnException", f"{arn} is not the ARN of a repository here")
        return self.repository(arn.rpartition(":")[2])

    def tag_context(self, name: str) -> dict[str, str | list[str]]:
        """Condition keys of an existing repository's tags; none for a name that is not taken."""
        with self._lock:
            found = self._repositories.get(name)
            return {f"aws:ResourceTag/{key}": value for key, value in found.tags.items()} if found else {}

    @staticmethod
    def request_tags(request: Document) -> dict[str, str | list[str]]:
        """Condition keys of the tags a request gives."""
        tags: dict[str, str] = request.get("tags") or {}
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        return {**context, "aws:TagKeys": list(tags)} if tags else {}

    def announce(
        self, repository: Repository, before: dict[str, str], after: dict[str, str], caller: Credentials
    ) -> None:
        """Emit one event for each reference that changed."""
        repository.modified = self.cloud.clock.timestamp()
        for detail in reference_changes(repository, before, after, caller.principal_arn):
            self.cloud.events.emit(SOURCE, STATE_CHANGE, detail, [self.arn(repository.name)])
