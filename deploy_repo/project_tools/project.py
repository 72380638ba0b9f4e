"""Which SageMaker project a repository belongs to, and what the project's parts are called.

environment   SAGEMAKER_PROJECT_NAME and SAGEMAKER_PROJECT_ID, as the project's CodeBuild projects set them
git           the remote `origin`, else: a clone knows its project by its address
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

NAME_VARIABLE = "SAGEMAKER_PROJECT_NAME"
ID_VARIABLE = "SAGEMAKER_PROJECT_ID"

# The id comes last and begins with `p-`; a name may hold `-p-` itself, so the split is at the last one.
REPOSITORY = re.compile(r"sagemaker-(?P<name>.+)-(?P<id>p-[a-z0-9]+)-(?:modelbuild|modeldeploy)(?:\.git)?")
# https://docs.aws.amazon.com/codecommit/latest/userguide/regions.html#regions-git
CODECOMMIT_HOST = re.compile(r"git-codecommit(?:-fips)?\.([a-z0-9-]+)\.")
# codecommit::region://[profile@]repository and codecommit://[profile@]repository
# https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-git-remote-codecommit.html
GRC = re.compile(r"codecommit:(?::(?P<region>[a-z0-9-]+):)?//(?:[^@/]+@)?[^/]+")


class ProjectNotFoundError(Exception):
    """Nothing says which project this is. The message says what to set."""


@dataclass(frozen=True)
class Project:
    """A SageMaker project, with the names that cloudformation gives its parts. `region` is empty where unknown."""

    name: str
    id: str
    region: str = ""

    @property
    def prefix(self) -> str:
        return f"sagemaker-{self.name}-{self.id}"

    @property
    def build_pipeline(self) -> str:
        return f"{self.prefix}-modelbuild"

    @property
    def deploy_pipeline(self) -> str:
        return f"{self.prefix}-modeldeploy"

    @property
    def model_package_group(self) -> str:
        return f"{self.name}-{self.id}"

    @property
    def sagemaker_pipeline(self) -> str:
        return f"{self.name}-{self.id}"

    @property
    def staging_endpoint(self) -> str:
        return f"{self.name}-staging"

    @property
    def production_endpoint(self) -> str:
        return f"{self.name}-prod"

    @property
    def staging_stack(self) -> str:
        return f"{self.prefix}-deploy-staging"

    @property
    def production_stack(self) -> str:
        return f"{self.prefix}-deploy-prod"


def find(folder: Path, environment: Mapping[str, str]) -> Project:
    """The project the environment names, else the one the clone in `folder` came from.

    Raises ProjectNotFoundError, which says what to set.
    """
    given = {name: environment.get(name, "").strip() for name in (NAME_VARIABLE, ID_VARIABLE)}
    if all(given.values()):
        return Project(given[NAME_VARIABLE], given[ID_VARIABLE])
    if any(given.values()):
        missing = next(name for name, value in given.items() if not value)
        present = next(name for name, value in given.items() if value)
        raise ProjectNotFoundError(f"{present} is set, but {missing} is not: set both, or neither.")
    address = _origin(folder)
    if project := from_address(address):
        return project
    seen = f"The remote `origin`, {_without_secrets(address)}, names no project."
    raise ProjectNotFoundError(
        f"{seen if address else 'There is no git remote `origin`.'} Run this in a clone of one of the project's "
        f"repositories (sagemaker-<name>-<id>-modelbuild or -modeldeploy), or set {NAME_VARIABLE} and {ID_VARIABLE}: "
        "both stand in SageMaker Studio under Projects."
    )


def from_address(address: str) -> Project | None:
    """The project in a git address over HTTPS, SSH or git-remote-codecommit; None when it names none."""
    repository = re.split(r"[/:@]", address.rstrip("/"))[-1]
    found = REPOSITORY.fullmatch(repository)
    if found is None:
        return None
    grc, host = GRC.fullmatch(address), CODECOMMIT_HOST.search(address)
    region = (grc["region"] or "") if grc else host[1] if host else ""
    return Project(found["name"], found["id"], region)


def _origin(folder: Path) -> str:
    """The address of the remote `origin`; empty without one, or without git."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(folder), "remote", "get-url", "origin"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _without_secrets(address: str) -> str:
    """An address as it may be shown: without the user and password some people keep in it."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=parts.hostname + port).geturl()
    return address
