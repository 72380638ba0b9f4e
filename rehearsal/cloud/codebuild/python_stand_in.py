"""The Python of a build: the machine's own interpreter with nothing but pip, thrown away with the build.

AWS's image has a bare Python that builds install into as they like. Here the interpreter is the one the rehearsal runs
on, wrapped in an environment of the build's own, so that neither this machine's packages leak in nor the build's leak
out. Nothing is copied, so it costs no time: an environment is a `pyvenv.cfg` beside a link, and pip is read from the
wheel that every Python carries (`ensurepip`), unpacked once for the whole cloud.
"""

from __future__ import annotations

import platform
import sys
import threading
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

_unpacking = threading.Lock()


@cache
def base_interpreter() -> Path:
    """The interpreter behind whatever environment this program runs in."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def make_python(folder: Path, pip: Path) -> Path:
    """Make the build's Python in `folder` and return its folder of programs."""
    programs = folder / "bin"
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    programs.mkdir(parents=True)
    packages.mkdir(parents=True)
    base = base_interpreter()
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {platform.python_version()}\n"
    )
    (packages / "pip.pth").write_text(f"{pip}\n")
    names = ("python", "python3", f"python3.{sys.version_info.minor}")
    for name in names:
        (programs / name).symlink_to(base)
    for name in ("pip", "pip3"):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{programs / "python"}" -m pip "$@"\n')
        script.chmod(0o755)
    return programs


def unpack_pip(folder: Path) -> Path:
    """The folder that holds an importable pip, made once below `folder`. Raises RuntimeError when there is none."""
    wheels = sorted(Path(str(files("ensurepip"))).glob("_bundled/pip-*.whl"))
    wheels += sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))  # where Debian keeps it
    if not wheels:
        raise RuntimeError(
            f"{base_interpreter()} carries no pip, which builds need: install its ensurepip (on Debian and Ubuntu the "
            "package python3-venv)"
        )
    place = folder / wheels[0].stem
    with _unpacking:
        if not place.exists():
            unfinished = folder / f"{place.name}.unfinished"
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(unfinished)
            unfinished.rename(place)
    return place
