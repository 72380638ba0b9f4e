"""A place's Python, made ready for its next build while nobody waits for it.

Making one links two thousand files (`python_stand_in`), half a second of every build. So the place a build leaves is
given a fresh one at once, and the next build takes it. No Python is taken twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from rehearsal.cloud.codebuild.python_stand_in import base_interpreter, copy_packages, make_python, unpack_pip


class PreparedPython:
    """The Python below `folder`. `cache` gives the folder that clouds share for a purpose."""

    def __init__(self, folder: Path, cache: Callable[[str], Path]) -> None:
        self._folder = folder
        self._cache = cache
        self._ready = folder.with_name(f"{folder.name}.ready")
        """Says what the Python was made from, once it is whole, until somebody takes it."""

    def take(self) -> Path:
        """The folder of programs of a Python that no build has used. Raises RuntimeError when none can be made."""
        if not self._is_ready():
            self.renew()
        self._ready.unlink()
        return self._folder / "bin"

    def renew(self) -> None:
        """Make a new one in place of what is there. Raises RuntimeError when none can be made."""
        self._ready.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        pip, packages = self._sources()
        make_python(self._folder, pip, packages)
        self._ready.write_text(self._made_from(pip, packages))

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
