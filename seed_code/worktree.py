"""What git knows about a folder of this repository: which files it tracks, and what is not committed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from seed_code import SeedError

# Set while git runs a hook. Inherited, they would point our git at the index of whatever is being committed.
HOOK_VARIABLES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")

_EXECUTABLE, _REGULAR = "100755", "100644"
_UNPACKABLE = {"120000": "a symbolic link", "160000": "a submodule"}


@dataclass(frozen=True)
class TrackedFile:
    """One file of a folder: its path relative to that folder, where it is on disk, and its Unix mode."""

    name: str
    path: Path
    mode: int


@dataclass(frozen=True)
class Uncommitted:
    """What sets the working tree apart from the last commit; paths relative to the repository, sorted."""

    changed: tuple[str, ...]
    untracked: tuple[str, ...]


def tracked_files(root: Path, folder: str) -> list[TrackedFile]:
    """The files git tracks in ``root/folder``, sorted by name, ignored and untracked ones left out.

    Raises SeedError when there are none, when one is missing from disk, or when one is a link or a submodule
    (a zip archive made for CodeCommit holds plain files only).
    """
    files = []
    for entry in _git(root, "ls-files", "--stage", "-z", "--", folder).split("\0"):
        if not entry:
            continue
        attributes, path = entry.split("\t", 1)
        mode, _, stage = attributes.split(" ")
        if stage != "0":
            raise SeedError(f"{path} has a merge conflict. Resolve it and 'git add {path}' first.")
        if mode in _UNPACKABLE:
            raise SeedError(f"{path} is {_UNPACKABLE[mode]}; a seed archive holds plain files only. Put a copy there.")
        if mode not in (_EXECUTABLE, _REGULAR):
            raise SeedError(f"{path} has git mode {mode}, which this packer does not know.")
        on_disk = root / path
        if not on_disk.is_file():
            raise SeedError(
                f"{path} is tracked by git but missing from the working tree. "
                f"Bring it back with 'git restore {path}', or remove it for good with 'git rm {path}'."
            )
        files.append(TrackedFile(path.removeprefix(f"{folder}/"), on_disk, 0o755 if mode == _EXECUTABLE else 0o644))
    if not files:
        raise SeedError(f"git tracks no file in {root / folder}. Add the folder's files with 'git add {folder}'.")
    return sorted(files, key=lambda file: file.name.encode())


def uncommitted(root: Path, *paths: str) -> Uncommitted:
    """What differs from the last commit under ``paths``. Changed files are packed as they are, untracked ones not."""
    changed: list[str] = []
    untracked: list[str] = []
    entries = iter(_git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--", *paths).split("\0"))
    for entry in entries:
        if not entry:
            continue
        status, path = entry[:2], entry[3:]
        if "R" in status or "C" in status:
            next(entries, None)  # the name it had before
        (untracked if status == "??" else changed).append(path)
    return Uncommitted(tuple(sorted(changed)), tuple(sorted(untracked)))


def commit(root: Path) -> str:
    """The abbreviated id of the commit the working tree stands on, or an empty string before the first commit."""
    try:
        return _git(root, "rev-parse", "--verify", "--short=12", "HEAD").strip()
    except SeedError:
        return ""


def commit_date(root: Path) -> str:
    """The day of the commit the working tree stands on, as ``2026-01-31``. Raises SeedError before the first commit."""
    return _git(root, "show", "--no-patch", "--format=%cs", "HEAD").strip()


def _git(root: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # names of files are bytes to git
            check=False,
            env=environment,
        )
    except FileNotFoundError as missing:
        raise SeedError("git was not found on the PATH. Seed archives hold exactly what git tracks.") from missing
    if done.returncode != 0:
        raise SeedError(f"'git {arguments[0]}' failed in {root}: {done.stderr.strip()}")
    return done.stdout
