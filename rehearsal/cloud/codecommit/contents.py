"""Branches, commits and files of repositories."""

from __future__ import annotations

from rehearsal.cloud.codecommit.files import file_at, folder_at
from rehearsal.cloud.codecommit.repository import COMMIT_ID
from rehearsal.cloud.codecommit.room import Room, on_repository
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document, operation


class Contents(Room):
    """The operations that read what was pushed."""

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
