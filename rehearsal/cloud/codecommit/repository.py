"""One repository: a bare git repository on disk, read and written with git's own plumbing."""

from __future__ import annotations

import io
import os
import re
import subprocess
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AwsError

if TYPE_CHECKING:
    from rehearsal.cloud.processes import Processes
    from rehearsal.cloud.service import Document

NOBODY = "0" * 40
"""How git writes "no commit": the old value of a new reference, the new value of a deleted one."""
COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SETTINGS = {
    "http.receivepack": "true",
    # Housekeeping would outlive the push that starts it; a rehearsal's repositories stay small.
    "gc.auto": "0",
    "receive.autogc": "false",
    "core.logAllRefUpdates": "false",
}


def git_environment(home: Path) -> dict[str, str]:
    """Variables for git with which neither the person's nor the machine's configuration matters."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass
class Repository:
    """A repository and what the API says about it. `pushing` is held while references change."""

    name: str
    id: str
    folder: Path
    processes: Processes
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    created: float = 0.0
    modified: float = 0.0
    pushing: threading.Lock = field(default_factory=threading.Lock)

    def initialise(self) -> None:
        """Make the bare repository."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._run("init", "--quiet", "--bare", "--initial-branch=main", str(self.folder), cwd=self.folder.parent)
        for key, value in SETTINGS.items():
            self.git("config", key, value)

    def git(self, *arguments: str, stdin: bytes | None = None, environment: dict[str, str] | None = None) -> bytes:
        """Run one git command in the repository and return what it prints. Raises AwsError when it fails."""
        return self._run(*arguments, cwd=self.folder, stdin=stdin, environment=environment)

    def _run(
        self, *arguments: str, cwd: Path, stdin: bytes | None = None, environment: dict[str, str] | None = None
    ) -> bytes:
        options: dict[str, Any] = {"env": git_environment(self.folder.parent) | (environment or {}), "cwd": cwd}
        child = self.processes.start(
            ["git", *arguments],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        try:
            output, errors = child.communicate(stdin)
        finally:
            self.processes.forget(child)
        if child.returncode:
            raise AwsError("InternalFailure", f"git {arguments[0]}: {errors.decode(errors='replace').strip()}", 500)
        return bytes(output)

    # ---- references

    def references(self) -> dict[str, str]:
        """Every branch and tag (full name) with the commit or tag object it points at."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags").decode()
        return {name: commit for commit, name in (line.split(" ", 1) for line in listed.splitlines())}

    def branches(self) -> list[str]:
        """The names of all branches, sorted."""
        return sorted(name.removeprefix("refs/heads/") for name in self.references() if name.startswith("refs/heads/"))

    def default_branch(self) -> str | None:
        """The default branch; an empty repository has none."""
        listed = self.git("for-each-ref", "--format=%(HEAD)%(refname)", "refs/heads").decode().splitlines()
        return next((line.removeprefix("*refs/heads/") for line in listed if line.startswith("*")), None)

    def settle_default_branch(self) -> None:
        """The first branch ever pushed becomes the default branch.

        https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-change-branch.html
        """
        branches = self.branches()
        if branches and self.default_branch() is None:
            self.git("symbolic-ref", "HEAD", f"refs/heads/{branches[0]}")

    def head_of(self, branch: str) -> str:
        """The commit a branch points at. Raises BranchDoesNotExistException."""
        commit = self.references().get(f"refs/heads/{branch}")
        if commit is None:
            raise AwsError(
                "BranchDoesNotExistException",
                f"Branch {branch} does not exist in repository {self.name}. Check the name, and try again.",
            )
        return commit

    # ---- commits

    def has_commit(self, commit: str) -> bool:
        """Whether the id names a commit of this repository."""
        if not COMMIT_ID.fullmatch(commit):
            return False
        kind = self.git("cat-file", "--batch-check=%(objecttype)", stdin=f"{commit}\n".encode())
        return kind.strip() == b"commit"

    def commit(self, commit: str) -> Document:
        """One commit as the API describes it. Raises CommitIdDoesNotExistException."""
        if not self.has_commit(commit):
            raise AwsError(
                "CommitIdDoesNotExistException", f"Commit {commit} does not exist in repository {self.name}."
            )
        shown = self.git(
            "show",
            "--no-patch",
            "--format=%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B",
            "--date=raw",
            commit,
        ).decode(errors="replace")
        tree, parents, author, author_email, authored, committer, email, committed, message = shown.split("\0", 8)
        return {
            "commitId": commit,
            "treeId": tree,
            "parents": parents.split(),
            "message": message.rstrip("\n") + "\n",
            "author": {"name": author, "email": author_email, "date": authored},
            "committer": {"name": committer, "email": email, "date": committed},
            "additionalData": "",
        }

    def summary(self, commit: str) -> dict[str, str]:
        """What a pipeline shows of a commit; dates in ISO 8601. Raises CommitIdDoesNotExistException."""
        described = self.commit(commit)
        dates = (
            self.git(
                "show",
                "--no-patch",
                "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
                "--format=%ad%x00%cd",
                commit,
                environment={"TZ": "UTC"},
            )
            .decode()
            .strip()
        )
        authored, _, committed = dates.partition("\0")
        return {
            "commitId": commit,
            "message": str(described["message"]).rstrip("\n"),
            "authorDate": authored,
            "committerDate": committed,
        }

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit both have in common, if any."""
        try:
            return self.git("merge-base", one, other).decode().strip() or None
        except AwsError:
            return None

    def archive(self, commit: str) -> bytes:
        """A commit's tree as a zip file: every file as it was committed.

        `git archive` would heed `.gitattributes` (export-ignore, line endings), which CodeCommit does not.
        """
        moment = int(self.git("show", "--no-patch", "--format=%ct", commit))
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit).decode(errors="surrogateescape")
        entries = [line.partition("\t") for line in listed.split("\0") if line]
        blobs = [(head.split(), name) for head, _, name in entries if head.split()[1] == "blob"]
        asked = "".join(f"{head[2]}\n" for head, _ in blobs).encode()
        contents = io.BytesIO(self.git("cat-file", "--batch", stdin=asked))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for (mode, *_), name in blobs:
                size = int(contents.readline().split()[2])
                entry = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = int(mode, 8) << 16
                archive.writestr(entry, contents.read(size))
                contents.read(1)  # the newline behind every object
        return packed.getvalue()

    def commit_archive(self, archive: Path, branch: str, message: str, who: str, moment: float) -> str:
        """Make a zip file's contents the first commit of a branch, the default one, and return the commit.

        Raises zipfile.BadZipFile when it is no zip file, or holds a path that no repository can hold.
        """
        with zipfile.ZipFile(archive) as contents:
            stream = self._import_stream(contents, branch, message, f"{who} <{who}> {int(moment)} +0000")
        self.git("fast-import", "--quiet", "--date-format=raw", stdin=stream)
        self.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        return self.head_of(branch)

    @staticmethod
    def _import_stream(contents: zipfile.ZipFile, branch: str, message: str, signature: str) -> bytes:
        """The archive as git-fast-import(1) reads it; execute permissions are kept."""
        body = message.encode()
        parts = [
            f"commit refs/heads/{branch}\nauthor {signature}\ncommitter {signature}\ndata {len(body)}\n".encode(),
            body,
            b"\n",
        ]
        for entry in contents.infolist():
            if entry.is_dir():
                continue
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or {"..", ".git"} & set(path.parts) or "\n" in entry.filename:
                raise zipfile.BadZipFile(f"it holds a path that no repository can hold: {entry.filename!r}")
            mode = "100755" if (entry.external_attr >> 16) & 0o111 else "100644"
            quoted = str(path).replace("\\", "\\\\").replace('"', '\\"')
            content = contents.read(entry)
            parts += [f'M {mode} inline "{quoted}"\ndata {len(content)}\n'.encode(), content, b"\n"]
        return b"".join(parts)
