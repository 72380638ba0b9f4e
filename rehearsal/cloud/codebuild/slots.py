"""The folders builds work in: few, reused one after the other, so that they lie at the same place every time.

Python keeps the bytecode of a module by the path of its source. A build installs its packages anew, so at a new path
each time it would compile all of them each time: several seconds of the SageMaker SDK in every build. At a path that
stays, the bytecode of *installed packages* is found again (it names size and time of the source it was made from, and
a package's files keep both), and that of the standard library, which a build on AWS finds compiled in its image.
Nothing else of a build is left when it ends.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class Slot:
    """One build's place: `work` is empty at first and removed at the end, `bytecode` and `python` stay.

    What else lies in `folder` is kept for the builds that come after.
    """

    folder: Path
    work: Path
    bytecode: Path

    @property
    def python(self) -> Path:
        """Where the Python lies that the place's builds get (`prepared_python.py`)."""
        return self.folder / "python"


@contextmanager
def slot(folder: Path) -> Iterator[Slot]:
    """The first place below `folder` that no build of any cloud on this machine uses."""
    for number in count():
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        with (place / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            taken = Slot(place, place / "work", place / "bytecode")
            _empty(taken)  # a cloud that was killed may have left something
            taken.work.mkdir()
            try:
                yield taken
            finally:
                _empty(taken)
            return


def _empty(taken: Slot) -> None:
    # rm, not shutil: ten thousand files of an environment in a tenth of the processor time, beside the cloud's work
    subprocess.run(["rm", "-rf", "--", str(taken.work)], check=False)
    of_python = str(taken.bytecode.joinpath(*taken.python.absolute().parts[1:]))
    for folder, folders, files in os.walk(taken.bytecode):
        if folder == of_python:
            folders.clear()
        folders[:] = [name for name in folders if name != "site-packages"]
        for name in files:
            Path(folder, name).unlink(missing_ok=True)
