"""The CodeCommit API. Repositories are git's; what AWS adds to git (names, ids, descriptions, tags) is kept here."""

from __future__ import annotations

import re
import shutil
import threading
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.codecommit.events import SOURCE, STATE_CHANGE, reference_changes
from rehearsal.cloud.codecommit.files import file_at, folder_at
from rehearsal.cloud.codecommit.git_http import PREFIX, GitHttp
from rehearsal.cloud.codecommit.refusals import CODES, check_tag_keys, check_tags, code_of
from rehearsal.cloud.codecommit.repository import COMMIT_ID, Repository
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Call, Credentials, Document, Needs, Service, operation
from rehearsal.cloud.service_calls import CLOUDFORMATION_CODECOMMIT_SEED

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

NAME = re.compile(r"[\w.-]{1,100}(?<!\.git)")
MOST_NAMES = 100
PAGE = 1000
"""Repositories, branches or tags in one answer. AWS does not say how many it lists at once."""
FIRST_COMMIT = "Initial commit by AWS CloudFormation"
SEEDER = "AWS CloudFormation"


def on_repository(action: str) -> Needs:
    """The authorisation of an operation on the repository it names.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    """

    def needs(room: CodeCommit, request: Document) -> Iterable[Call]:
        name = request.get("repositoryName") or request.get("resourceArn", "").rpartition(":")[2]
        return [Call(f"codecommit:{action}", room.arn(name), room.tag_context(name))]

    return needs


class CodeCommit(Service):
    """Operations on repositories; git clones and pushes arrive in `handle_http`."""

    name = "codecommit"
    http_prefixes = (PREFIX,)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._repositories: dict[str, Repository] = {}
        self._lock = threading.RLock()
        self._git = GitHttp(cloud, self.repository, lambda found: self.tag_context(found.name), self._announce)

    def malformed(self, operation: str, problem: str) -> AwsError:
        """CodeCommit has a code for each member; a member it does not know, it leaves out of account."""
        return AwsError(code_of(problem) or self.validation_error, problem)

    def handle_http(self, request: Request) -> Response:
        """Answer git."""
        return self._git.answer(request)

    # ---- for other rooms

    def repository(self, name: str) -> Repository:
        """A repository by its name. Raises RepositoryDoesNotExistException."""
        with self._lock:
            if name in self._repositories:
                return self._repositories[name]
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")

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
        self._announce(repository, before, after, caller)
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

    # ---- branches, commits, files

    @operation("ListBranches", needs=on_repository("ListBranches"))
    def list_branches(self, request: Document, caller: Credentials) -> Document:
        return self._page("branches", self.repository(request["repositoryName"]).branches(), request)

    @operation("GetBranch", needs=on_repository("GetBranch"))
    def get_branch(self, request: Document, caller: Credentials) -> Document:
        branch = self._given(request, "branchName")
        commit = self.repository(self._given(request, "repositoryName")).head_of(branch)
        return {"branch": {"branchName": branch, "commitId": commit}}

    @operation("GetCommit", needs=on_repository("GetCommit"))
    def get_commit(self, request: Document, caller: Credentials) -> Document:
        repository, commit = self.repository(request["repositoryName"]), request["commitId"]
        if not COMMIT_ID.fullmatch(commit):
            raise AwsError("InvalidCommitIdException", f"{commit} is not a full commit ID (40 hexadecimal digits)")
        return {"commit": repository.commit(commit)}

    @operation("GetFile", needs=on_repository("GetFile"))
    def get_file(self, request: Document, caller: Credentials) -> Document:
        repository = self.repository(request["repositoryName"])
        return file_at(repository, request.get("commitSpecifier"), request["filePath"])

    @operation("GetFolder", needs=on_repository("GetFolder"))
    def get_folder(self, request: Document, caller: Credentials) -> Document:
        repository = self.repository(request["repositoryName"])
        return folder_at(repository, request.get("commitSpecifier"), request["folderPath"])

    # ---- tags

    @operation(
        "TagResource",
        needs=lambda room, request: [
            Call(
                "codecommit:TagResource",
                request["resourceArn"],
                {**room.tag_context(request["resourceArn"].rpartition(":")[2]), **room.request_tags(request)},
            )
        ],
    )
    def tag_resource(self, request: Document, caller: Credentials) -> Document:
        repository = self._by_arn(request["resourceArn"])
        tags = {**repository.tags, **request["tags"]}
        check_tags(tags)
        repository.tags = tags
        return {}

    @operation(
        "UntagResource",
        needs=lambda room, request: [
            Call(
                "codecommit:UntagResource",
                request["resourceArn"],
                {
                    **room.tag_context(request["resourceArn"].rpartition(":")[2]),
                    "aws:TagKeys": list(request["tagKeys"]),
                },
            )
        ],
    )
    def untag_resource(self, request: Document, caller: Credentials) -> Document:
        repository = self._by_arn(request["resourceArn"])
        check_tag_keys(request["tagKeys"])
        for key in request["tagKeys"]:
            repository.tags.pop(key, None)
        return {}

    @operation("ListTagsForResource", needs=on_repository("ListTagsForResource"))
    def list_tags_for_resource(self, request: Document, caller: Credentials) -> Document:
        answer = self._page("tags", sorted(self._by_arn(request["resourceArn"]).tags.items()), request)
        return {**answer, "tags": dict(answer["tags"])}

    # ---- inside

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

    def _announce(
        self, repository: Repository, before: dict[str, str], after: dict[str, str], caller: Credentials
    ) -> None:
        """Emit one event for each reference that changed."""
        repository.modified = self.cloud.clock.timestamp()
        for detail in reference_changes(repository, before, after, caller.principal_arn):
            self.cloud.events.emit(SOURCE, STATE_CHANGE, detail, [self.arn(repository.name)])
