"""Files and folders of a commit, as GetFile and GetFolder describe them."""

from __future__ import annotations

from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

LARGEST = 6 * 1024 * 1024
"""Bytes of the largest file the API answers: https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html"""
MODES = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}


def resolve(repository: Repository, specifier: str | None) -> str:
    """The commit a specifier (commit, branch, tag, full reference name; the default branch when left out) names."""
    if specifier is None:
        branch = repository.default_branch()
        if branch is None:
            raise AwsError("CommitDoesNotExistException", f"Repository {repository.name} has no commit yet.")
        specifier = branch
    if repository.has_commit(specifier):
        return specifier
    references = repository.references()
    for reference in (specifier, f"refs/heads/{specifier}", f"refs/tags/{specifier}"):
        if reference in references:
            return repository.git("rev-parse", f"{references[reference]}^{{commit}}").decode().strip()
    raise AwsError("CommitDoesNotExistException", f"{specifier} names no commit of repository {repository.name}.")


def _entries(repository: Repository, commit: str, path: str) -> list[tuple[str, str, str, str]]:
    """Mode, type, object and full path of what lies at a path (ending in `/`: inside that folder)."""
    pathspec = ["--", path] if path not in ("", "/") else []
    listed = repository.git("ls-tree", "-z", "--full-tree", commit, *pathspec).decode(errors="replace")
    entries = []
    for line in listed.split("\0"):
        if line:
            head, _, name = line.partition("\t")
            mode, kind, identifier = head.split()
            entries.append((mode, kind, identifier, name))
    return entries


def file_at(repository: Repository, specifier: str | None, path: str) -> Document:
    """The answer of GetFile. Raises FileDoesNotExistException, FileTooLargeException."""
    commit, path = resolve(repository, specifier), path.lstrip("/")
    found = [entry for entry in _entries(repository, commit, path) if entry[1] == "blob" and entry[3] == path]
    if not found:
        raise AwsError("FileDoesNotExistException", f"{path} is not a file of commit {commit}.")
    mode, _, blob, _ = found[0]
    content = repository.git("cat-file", "blob", blob)
    if len(content) > LARGEST:
        raise AwsError("FileTooLargeException", f"{path} is larger than {LARGEST} bytes.")
    return {
        "commitId": commit,
        "blobId": blob,
        "filePath": path,
        "fileMode": MODES.get(mode, "NORMAL"),
        "fileSize": len(content),
        "fileContent": content,
    }


def folder_at(repository: Repository, specifier: str | None, path: str) -> Document:
    """The answer of GetFolder. Raises FolderDoesNotExistException."""
    commit, path = resolve(repository, specifier), path.strip("/")
    try:
        tree = repository.git("rev-parse", "--verify", "--quiet", f"{commit}:{path}" if path else f"{commit}^{{tree}}")
        entries = _entries(repository, commit, f"{path}/")
    except AwsError:
        raise AwsError("FolderDoesNotExistException", f"{path} is not a folder of commit {commit}.") from None
    if path and not entries:
        raise AwsError("FolderDoesNotExistException", f"{path} is not a folder of commit {commit}.")
    answer: Document = {
        "commitId": commit,
        "folderPath": path,
        "treeId": tree.decode().strip(),
        "subFolders": [],
        "files": [],
        "symbolicLinks": [],
        "subModules": [],
    }
    for mode, kind, identifier, name in entries:
        relative = name.rpartition("/")[2]
        if kind == "tree":
            answer["subFolders"].append({"treeId": identifier, "absolutePath": name, "relativePath": relative})
        elif kind == "commit":
            answer["subModules"].append({"commitId": identifier, "absolutePath": name, "relativePath": relative})
        else:
            item = {"blobId": identifier, "absolutePath": name, "relativePath": relative, "fileMode": MODES[mode]}
            answer["symbolicLinks" if mode == "120000" else "files"].append(item)
    return answer
