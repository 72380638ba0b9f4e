"""Merging one branch of a repository into another, as a pull request does."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.codecommit.repository import Repository
from rehearsal.cloud.errors import AwsError


@dataclass(frozen=True)
class Signature:
    """Whose name a merge's commit bears, and its message."""

    name: str
    email: str
    message: str
    moment: float


def manual_merge(repository: Repository) -> AwsError:
    """What is said when a merge needs a person."""
    return AwsError(
        "ManualMergeRequiredException",
        f"The pull request cannot be merged automatically into the destination branch of {repository.name}. You must "
        "manually merge the branches and resolve any conflicts.",
    )


def fast_forward(repository: Repository, destination: str, source: str) -> str:
    """The commit to which `destination` can simply be moved. Raises ManualMergeRequiredException when it cannot."""
    if repository.merge_base(destination, source) != destination:
        raise manual_merge(repository)
    return source


def three_way(repository: Repository, destination: str, source: str, signed: Signature) -> str:
    """A commit that merges two; no branch is moved. Raises ManualMergeRequiredException for conflicts.

    In a worktree for a moment: git merges without one only since 2.38.
    """
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", signed.name),
            ("EMAIL", signed.email),
            ("DATE", f"{int(signed.moment)} +0000"),
        )
    }
    with tempfile.TemporaryDirectory(dir=repository.folder.parent) as folder:
        place = str(Path(folder) / "merge")
        repository.git("worktree", "add", "--quiet", "--detach", place, destination)
        try:
            try:
                repository.git(
                    "-C", place, "merge", "--quiet", "--no-ff", "-m", signed.message, source, environment=who
                )
            except AwsError as conflict:
                raise manual_merge(repository) from conflict
            return repository.git("-C", place, "rev-parse", "HEAD").decode().strip()
        finally:
            repository.git("worktree", "remove", "--force", place)
