"""The CodeCommit API. Repositories are git's; what AWS adds to git (names, ids, descriptions, tags) is kept here."""

from __future__ import annotations

import re
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.codecommit.contents import Contents
from rehearsal.cloud.codecommit.git_http import PREFIX, GitHttp
from rehearsal.cloud.codecommit.pull_requests import PullRequests
from rehearsal.cloud.codecommit.refusals import check_tags
from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.codecommit.room import on_repository
from rehearsal.cloud.codecommit.tagging import Tagging
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.service_calls import CLOUDFORMATION_CODECOMMIT_SEED

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

NAME = re.compile(r"[\w.-]{1,100}(?<!\.git)")
MOST_NAMES = 100
FIRST_COMMIT = "Initial commit by AWS CloudFormation"
SEEDER = "AWS CloudFormation"


class CodeCommit(Contents, PullRequests, Tagging):
    """Operations on repositories; git clones and pushes arrive in `handle_http`."""

    http_prefixes = (PREFIX,)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._git = GitHttp(cloud, self.repository, lambda found: self.tag_context(found.name), self.announce)

    def handle_http(self, request: Request) -> Response:
        """Answer git."""
        return self._git.answer(request)

    # ---- for other rooms

    def repository_by_id(self, repository_id: str) -> Repository | None:
        """A repository by its id, which is what a stack's `Ref` gives."""
        with self._lock:
            return next((one for one in self._repositories.values() if one.id == repository_id), None)

    def commit_for_pipeline(self, repository: str, branch: str, commit: str | None) -> Mapping[str, str]:
        """A branch's head, or one given commit: `commitId`, `message`, `authorDate`, `committerDate`.

        Raises AwsError (RepositoryDoesNotExistException, BranchDoesNotExistException, CommitIdDoesNotExistException).
        """
        found = self.repository(repository)
        return found.summary(commit or found.head_of(branch))

    def archive(self, repository: str, commit: str) -> bytes:
        """A commit's tree as a zip file."""
        return self.repository(repository).archive(commit)

    def seed(self, name: str, archive: Path, branch: str, caller: Credentials) -> str:
        """Make a zip file's contents the first commit of a new repository, as a stack does, and tell of the branch.

        Raises AwsError with code InvalidInput when the file is no archive git can hold.
        """
        repository = self.repository(name)
        context = {**self.tag_context(name), "codecommit:References": f"refs/heads/{branch}"}
        self.cloud.identity.require_service_calls(caller, CLOUDFORMATION_CODECOMMIT_SEED, self.arn(name), context)
        with repository.pushing:
            before = repository.references()
            try:
                commit = repository.commit_archive(archive, branch, FIRST_COMMIT, SEEDER, self.cloud.clock.timestamp())
            except zipfile.BadZipFile as problem:
                why = f"the code for repository {name} is not a usable zip file: {problem}"
                raise AwsError("InvalidInput", why) from problem
            after = repository.references()
        self.announce(repository, before, after, caller)
        return commit

    def discard(self, name: str) -> None:
        """Take back a repository that could not be finished."""
        with self._lock:
            repository = self._repositories.pop(name, None)
        if repository is not None:
            shutil.rmtree(repository.folder, ignore_errors=True)

    # ---- repositories

    @operation(
        "CreateRepository",
        needs=lambda room, request: [
            Call(f"codecommit:{action}", room.arn(request["repositoryName"]), room.request_tags(request))
            # Tags given on creation are authorised as tagging, too.
            for action in ("CreateRepository", *(("TagResource",) if request.get("tags") else ()))
        ],
    )
    def create_repository(self, request: Document, caller: Credentials) -> Document:
        name = request["repositoryName"]
        if "kmsKeyId" in request:
            raise NotImplementedHere("codecommit:CreateRepository with kmsKeyId")
        if not NAME.fullmatch(name):
            raise AwsError("InvalidRepositoryNameException", f"The repository name {name} is not valid.")
        check_tags(request.get("tags") or {})
        identifier, now = str(uuid.uuid4()), self.cloud.clock.timestamp()
        repository = Repository(
            name,
            identifier,
            self.cloud.folder_for("codecommit", "repositories") / f"{identifier}.git",
            self.cloud.processes,
            request.get("repositoryDescription", ""),
            dict(request.get("tags") or {}),
            now,
            now,
        )
        with self._lock:
            if name in self._repositories:
                raise AwsError("RepositoryNameExistsException", f"Repository named {name} already exists")
            repository.initialise()
            self._repositories[name] = repository
        return {"repositoryMetadata": self.metadata(repository)}

    @operation("GetRepository", needs=on_repository("GetRepository"))
    def get_repository(self, request: Document, caller: Credentials) -> Document:
        return {"repositoryMetadata": self.metadata(self.repository(request["repositoryName"]))}

    @operation(
        "BatchGetRepositories",
        needs=lambda room, request: [
            Call("codecommit:BatchGetRepositories", room.arn(name), room.tag_context(name))
            for name in request["repositoryNames"]
        ],
    )
    def batch_get_repositories(self, request: Document, caller: Credentials) -> Document:
        names = request["repositoryNames"]
        if len(names) > MOST_NAMES:
            raise AwsError("MaximumRepositoryNamesExceededException", f"At most {MOST_NAMES} names can be given.")
        with self._lock:
            found = [self.metadata(self._repositories[name]) for name in names if name in self._repositories]
            return {
                "repositories": found,
                "repositoriesNotFound": [name for name in names if name not in self._repositories],
            }

    @operation("ListRepositories", needs=lambda *_: [Call("codecommit:ListRepositories")])
    def list_repositories(self, request: Document, caller: Credentials) -> Document:
        by_date = request.get("sortBy") == "lastModifiedDate"
        with self._lock:
            listed = sorted(
                self._repositories.values(),
                key=lambda one: (one.modified if by_date else 0.0, one.name),
                reverse=request.get("order") == "descending",
            )
        found = [{"repositoryName": one.name, "repositoryId": one.id} for one in listed]
        return self._page("repositories", found, request)

    @operation("DeleteRepository", needs=on_repository("DeleteRepository"))
    def delete_repository(self, request: Document, caller: Credentials) -> Document:
        with self._lock:
            repository = self._repositories.pop(request["repositoryName"], None)
        if repository is None:
            return {}  # as AWS: deleting what is not there is no error
        with repository.pushing:
            shutil.rmtree(repository.folder, ignore_errors=True)
        return {"repositoryId": repository.id}

    @operation("UpdateRepositoryDescription", needs=on_repository("UpdateRepositoryDescription"))
    def update_repository_description(self, request: Document, caller: Credentials) -> Document:
        repository = self.repository(request["repositoryName"])
        repository.description = request.get("repositoryDescription", "")
        repository.modified = self.cloud.clock.timestamp()
        return {}

    @operation(
        "UpdateRepositoryName",
        needs=lambda room, request: [
            Call("codecommit:UpdateRepositoryName", room.arn(request["oldName"]), room.tag_context(request["oldName"])),
            Call("codecommit:UpdateRepositoryName", room.arn(request["newName"])),
        ],
    )
    def update_repository_name(self, request: Document, caller: Credentials) -> Document:
        old, new = request["oldName"], request["newName"]
        if not NAME.fullmatch(new):
            raise AwsError("InvalidRepositoryNameException", f"The repository name {new} is not valid.")
        with self._lock:
            repository = self.repository(old)
            if new in self._repositories:
                raise AwsError("RepositoryNameExistsException", f"Repository named {new} already exists")
            del self._repositories[old]
            repository.name, repository.modified = new, self.cloud.clock.timestamp()
            self._repositories[new] = repository
        return {}

    def metadata(self, repository: Repository) -> Document:
        """The API's RepositoryMetadata."""
        url = f"{self.cloud.url}{PREFIX}{repository.name}"
        metadata = {
            "accountId": self.cloud.account,
            "repositoryId": repository.id,
            "repositoryName": repository.name,
            "repositoryDescription": repository.description,
            "defaultBranch": repository.default_branch(),
            "lastModifiedDate": repository.modified,
            "creationDate": repository.created,
            "cloneUrlHttp": url,
            # The rehearsal speaks no SSH; the address is formed as AWS forms it.
            "cloneUrlSsh": f"ssh://git-codecommit.{self.cloud.region}.amazonaws.com{PREFIX}{repository.name}",
            "Arn": self.arn(repository.name),
        }
        return {key: value for key, value in metadata.items() if value}  # AWS leaves out what is not set
