"""A place's Python, made ready for its next build while nobody waits for it.

Making one links two thousand files (`python_stand_in`), half a second of every build. So the place a build leaves is
given a fresh one at once, and the next build takes it. One in which a build left nothing and changed nothing is as
fresh as another, and stays; most builds work in environments of their own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from rehearsal.cloud.codebuild.python_stand_in import base_interpreter, copy_packages, make_python, unpack_pip

Entry = tuple[str, int, int, int, int]
"""A path with the inode, mode, size and time of change that it had."""


def contents(folder: Path) -> frozenset[Entry]:
    """Everything below a folder. Adding, removing and replacing change it, and so does writing into a file."""
    found: set[Entry] = set()
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen = entry.stat(follow_symlinks=False)
                found.add((entry.path, seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return frozenset(found)


class PreparedPython:
    """The Python below `folder`. `cache` gives the folder that clouds share for a purpose."""

    def __init__(self, folder: Path, cache: Callable[[str], Path]) -> None:
        self._folder = folder
        self._cache = cache
        self._ready = folder.with_name(f"{folder.name}.ready")
        """Says what the Python was made from, once it is whole, until somebody takes it."""
        self._taken: tuple[str, frozenset[Entry]] | None = None
        """What it was made from and what lay in it when it was taken."""

    def take(self) -> Path:
        """The folder of programs of a Python as good as new. Raises RuntimeError when none can be made."""
        if not self._is_ready():
            self.renew()
        self._taken = (self._ready.read_text(), contents(self._folder))
        self._ready.unlink()
        return self._folder / "bin"

    def renew(self) -> None:
        """Make a new one in place of what is there, unless that is as it was taken.

        Raises RuntimeError when none can be made.
        """
        self._ready.unlink(missing_ok=True)
        pip, packages = self._sources()
        made_from = self._made_from(pip, packages)
        if self._taken is None or self._taken != (made_from, contents(self._folder)):
            shutil.rmtree(self._folder, ignore_errors=True)
            make_python(self._folder, pip, packages)
        self._taken = None
        self._ready.write_text(made_from)

    def _is_ready(self) -> bool:
        try:
            return self._ready.read_text() == self._made_from(*self._sources())
        except FileNotFoundError:
            return False

    def _sources(self) -> tuple[Path, Path]:
        return unpack_pip(self._cache("pip")), copy_packages(self._cache("packages-of-the-image"))

    @staticmethod
    def _made_from(pip: Path, packages: Path) -> str:
        base = base_interpreter()
        return "\n".join((str(base.executable), base.version, str(pip), str(packages)))
