"""The Python of a build: the machine's own interpreter with nothing but pip, thrown away with the build.

AWS's image has a bare Python that builds install into as they like. Here the interpreter is the one the rehearsal runs
on, set up anew for each build, so that neither this machine's packages leak in nor the build's leak out. That takes
some milliseconds, because hardly anything is copied: the standard library is linked file by file beside an empty
`site-packages`, and pip is the one that every Python carries for `ensurepip`, unpacked once for the whole cloud. What
the images' Pythons hold besides, and scripts lean on, is copied once from this environment: the AWS SDK and PyYAML.
https://github.com/aws/aws-codebuild-docker-images/blob/master/al/x86_64/standard/5.0/Dockerfile

The result is an installation of its own, not a virtual environment: tools that look for a system's Python (`uv venv
--python python3`) pass over virtual environments and would find another one. Only framework builds of macOS, whose
interpreter cannot stand anywhere else, become virtual environments.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

NOT_LINKED = ("site-packages", "dist-packages", "EXTERNALLY-MANAGED")
ASK = """\
import json, platform, site, sys, sysconfig
print(json.dumps({
    "prefix": sys.base_prefix,
    "stdlib": sysconfig.get_path("stdlib"),
    "packages": site.getsitepackages(["/prefix"]),
    "framework": bool(sysconfig.get_config_var("PYTHONFRAMEWORK")),
    "version": platform.python_version(),
}))
"""

IN_THE_IMAGE = ("boto3", "botocore", "jmespath", "python-dateutil", "PyYAML", "s3transfer", "six", "urllib3")
"""boto3 with what it needs, and PyYAML."""

_unpacking = threading.Lock()


@dataclass(frozen=True)
class Interpreter:
    """The interpreter behind whatever environment this program runs in."""

    executable: Path
    prefix: Path
    stdlib: Path
    packages: tuple[str, ...]
    """Its folders of installed packages, relative to its prefix."""
    framework: bool
    version: str

    @property
    def name(self) -> str:
        """`python3.11`"""
        return "python" + ".".join(self.version.split(".")[:2])


@cache
def base_interpreter() -> Interpreter:
    """Ask the interpreter about itself, once."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    answer = subprocess.run([executable, "-I", "-c", ASK], capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    return Interpreter(
        executable,
        Path(told["prefix"]),
        Path(told["stdlib"]),
        tuple(str(Path(one).relative_to("/prefix")) for one in told["packages"]),
        told["framework"],
        told["version"],
    )


def make_python(folder: Path, pip: Path, more: Path | None = None) -> Path:
    """Make the build's Python in `folder` and return its folder of programs. What lies in `more` is installed in it.

    Installed, file by file: outside a virtual environment pip takes away what it replaces wherever that lies.
    """
    base = base_interpreter()
    programs = folder / "bin"
    programs.mkdir(parents=True)
    if base.framework:
        _as_virtual_environment(folder, base)
    else:
        _as_installation(folder, base)
    for place in base.packages:
        packages = folder / place
        packages.mkdir(parents=True, exist_ok=True)
        (packages / "pip.pth").write_text(f"{pip}\n")
    if more is not None:
        shutil.copytree(more, folder / base.packages[0], copy_function=_link_or_copy, dirs_exist_ok=True)
    for name in ("pip", "pip3"):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{programs / "python"}" -m pip "$@"\n')
        script.chmod(0o755)
    return programs


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or files of another owner
        shutil.copy2(source, target)


def _as_installation(folder: Path, base: Interpreter) -> None:
    programs = folder / "bin"
    _link_or_copy(base.executable, programs / base.name)
    for name in ("python", "python3"):
        (programs / name).symlink_to(base.name)
    stdlib = folder / base.stdlib.relative_to(base.prefix)
    stdlib.mkdir(parents=True)
    for entry in base.stdlib.iterdir():
        if entry.name not in NOT_LINKED:
            (stdlib / entry.name).symlink_to(entry)
    for library in (base.prefix / "lib").glob("libpython*"):
        (folder / "lib" / library.name).symlink_to(library)
    if (base.prefix / "include").is_dir():
        (folder / "include").symlink_to(base.prefix / "include")


def _as_virtual_environment(folder: Path, base: Interpreter) -> None:
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.executable.parent}\ninclude-system-site-packages = false\nversion = {base.version}\n"
    )
    for name in ("python", "python3", base.name):
        (folder / "bin" / name).symlink_to(base.executable)


def copy_packages(folder: Path) -> Path:
    """The folder that holds the packages of `IN_THE_IMAGE`, made once below `folder`.

    Copies, not links: whatever builds do to theirs, this environment stays as it is.
    """
    chosen = [distribution(name) for name in IN_THE_IMAGE]
    place = folder / "-".join(each.version for each in chosen)
    with _unpacking:
        if not place.exists():
            unfinished = folder / f"{place.name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            for each in chosen:
                for file in each.files or ():
                    if ".." not in file.parts and "__pycache__" not in file.parts:
                        target = unfinished / file
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(str(each.locate_file(file)), target)
            unfinished.rename(place)
    return place


def unpack_pip(folder: Path) -> Path:
    """The folder that holds an importable pip, made once below `folder`. Raises RuntimeError when there is none.

    It is called as folders of installed packages are, so that pip's bytecode is kept like theirs (`slots.py`).
    """
    wheels = sorted(Path(str(files("ensurepip"))).glob("_bundled/pip-*.whl"))
    wheels += sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))  # where Debian keeps it
    if not wheels:
        raise RuntimeError(
            f"{base_interpreter().executable} carries no pip, which builds need: install its ensurepip (on Debian and "
            "Ubuntu the package python3-venv)"
        )
    place = folder / wheels[0].stem / "site-packages"
    with _unpacking:
        if not place.exists():
            unfinished = place.with_name("unfinished")
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(unfinished)
            unfinished.rename(place)
    return place
