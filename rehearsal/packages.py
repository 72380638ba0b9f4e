"""What the builds of a sealed rehearsal install: fetched before, by installing as they do.

`uv` comes from the requirements of each seed, with pip, into a folder of wheels; everything else lies in uv's own
cache, where each seed's own `make` puts it. Whether all is there is not remembered but tried: the same installation,
offline. It takes some seconds, and a cache that was emptied meanwhile is filled again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rehearsal.cloud.codebuild.environment import link_tools, machine_variables
from rehearsal.cloud.codebuild.python_stand_in import make_python, unpack_pip
from rehearsal.cloud.egress import Egress
from rehearsal.person import REPOSITORY_ROOT

SEEDS = {"build_repo": ("install",), "deploy_repo": ("install", "install-staging-test")}
"""The verbs with which each seed's builds install, as their buildspecs name them."""
LEFT_OUT = shutil.ignore_patterns(".venv*", ".tools", "build", "reports", "exports", "__pycache__", ".*_cache")
LAST_LINES = 8


class PackagesError(Exception):
    """Something that builds install cannot be fetched. The message tells the installer's own words."""


def prepared(cache: Path, say: Callable[[str], None]) -> dict[str, str]:
    """The variables with which builds install offline; fetches what is missing. Raises PackagesError."""
    wheels = cache / "packages"
    wheels.mkdir(parents=True, exist_ok=True)
    offline = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": " ".join(filter(None, (str(wheels), os.environ.get("PIP_FIND_LINKS")))),
        "UV_OFFLINE": "1",
    }
    with tempfile.TemporaryDirectory(dir=cache, prefix="packages-") as scratch:
        builds = _Builds(Path(scratch), cache)
        try:
            builds.install({**builds.nowhere, **offline})
        except PackagesError:
            say("fetching what builds install, once")
            builds.fetch_uv(wheels)
            builds.install({})
            builds.install({**builds.nowhere, **offline})
    return offline


class _Builds:
    """A place as builds have one, in which the seeds are installed."""

    def __init__(self, scratch: Path, cache: Path) -> None:
        for name in ("home", "tmp"):
            (scratch / name).mkdir()
        self._pip = unpack_pip(cache / "pip")
        programs = make_python(scratch / "python", self._pip)
        tools = link_tools(scratch / "tools")
        egress = Egress()
        self.nowhere = egress.variables()  # it is not opened: whatever asks for something outside is refused
        self._scratch = scratch
        self._python = programs / "python3"
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        self._variables = {**machine_variables(scratch / "home", scratch / "tmp", programs, tools), **proxies}

    def install(self, more: Mapping[str, str]) -> None:
        """Install what every seed's builds do. Raises PackagesError."""
        for seed, verbs in SEEDS.items():
            copy = self._scratch / seed
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(REPOSITORY_ROOT / seed, copy, ignore=LEFT_OUT)
            self._run(["make", *verbs], copy, more)

    def fetch_uv(self, wheels: Path) -> None:
        """Put the wheels that pip installs into a folder. Raises PackagesError."""
        for seed in SEEDS:
            lock = REPOSITORY_ROOT / seed / "requirements" / "uv.lock"
            command = [str(self._python), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            self._run([*command, "--dest", str(wheels), "--requirement", str(lock)], self._scratch, {})

    def _run(self, command: list[str], folder: Path, more: Mapping[str, str]) -> None:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self._variables, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.returncode:
            said = "\n".join(done.stdout.strip().splitlines()[-LAST_LINES:])
            raise PackagesError(
                f"What builds install cannot be fetched, and a sealed rehearsal cannot fetch it later:\n{said}\n"
                "Try once more with a network, or leave out --sealed."
            )
