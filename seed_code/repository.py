"""A clone of a project's repository, and what is done in it with git."""

import os
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from seed_code import SeedError
from seed_code.worktree import HOOK_VARIABLES


@dataclass(frozen=True)
class Unmerged:
    """A file that both sides changed: the blobs of this side and of the other, empty where it was deleted."""

    path: str
    ours: str
    theirs: str


class Clone:
    """A clone; git acts in it with the configuration, and so the name, of the person who runs this."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments: str, stdin: bytes | None = None, wrong: int = 1) -> bytes:
        """What a git command prints. Raises SeedError with git's own words from the exit status ``wrong`` on."""
        environment = {name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *arguments],
                input=b"" if stdin is None else stdin,
                capture_output=True,
                check=False,
                env=environment | {"GIT_TERMINAL_PROMPT": "0"},
            )
        except FileNotFoundError as missing:
            raise SeedError(
                "git was not found on the PATH, and a repository is changed with it. Install git."
            ) from missing
        if done.returncode >= wrong:
            said = done.stderr.decode(errors="replace").strip()
            raise SeedError(f"'git {arguments[0]}' failed: {said}")
        return done.stdout

    def line(self, *arguments: str) -> str:
        """What a git command prints, in one line."""
        return self.git(*arguments).decode(errors="surrogateescape").strip()

    def has(self, reference: str) -> bool:
        """Whether a reference is there."""
        return bool(self.git("for-each-ref", "--format=%(refname)", reference).strip())

    def file(self, commit: str, path: str) -> str | None:
        """A file's text in a commit; None when it has none of that name."""
        if not self.git("ls-tree", "-z", commit, "--", path):
            return None
        return self.git("show", f"{commit}:{path}").decode(errors="replace")

    def contents(self, commit: str) -> Mapping[str, str]:
        """The blob of each file of a commit, whatever its mode."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit).decode(errors="surrogateescape")
        return {line.partition("\t")[2]: line.split()[2] for line in listed.split("\0") if line}

    def commit_archive(self, reference: str, archive: bytes, message: str, parent: str = "") -> None:
        """Let a reference point at a commit that holds exactly what an archive holds."""
        text = message.encode()
        head = [f"commit {reference}\ncommitter seed <seed> 0 +0000\ndata {len(text)}\n".encode(), text, b"\n"]
        head.append(f"from {parent}\ndeleteall\n".encode() if parent else b"deleteall\n")
        with zipfile.ZipFile(BytesIO(archive)) as packed:
            for entry in packed.infolist():
                mode = "100755" if (entry.external_attr >> 16) & 0o111 else "100644"
                name = entry.filename.replace("\\", "\\\\").replace('"', '\\"')
                data = packed.read(entry)
                head += [f'M {mode} inline "{name}"\ndata {len(data)}\n'.encode(), data, b"\n"]
        self.git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=b"".join(head))

    def unmerged(self) -> list[Unmerged]:
        """The files that a merge could not merge, sorted."""
        stages: dict[str, dict[str, str]] = {}
        for line in self.git("ls-files", "--unmerged", "-z").decode(errors="surrogateescape").split("\0"):
            if line:
                (_, blob, stage), path = line.partition("\t")[0].split(), line.partition("\t")[2]
                stages.setdefault(path, {})[stage] = blob
        return [Unmerged(path, found.get("2", ""), found.get("3", "")) for path, found in sorted(stages.items())]

    def blob(self, identifier: str) -> bytes:
        """What a file held."""
        return self.git("cat-file", "blob", identifier)
