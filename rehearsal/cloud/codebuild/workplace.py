"""Where one build works, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud.codebuild.build import Build
from rehearsal.cloud.codebuild.logs import BuildLog
from rehearsal.cloud.codebuild.prepared_python import PreparedPython
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


@dataclass
class Workplace:
    """A build's folder, log and credentials; `credentials` are the service role's from PROVISIONING on.

    `bytecode` is where Python keeps what it compiled (see `slots.py`), `python` the one it gets.
    """

    cloud: Cloud
    build: Build
    folder: Path
    bytecode: Path
    python: PreparedPython
    log: BuildLog
    _credentials: Credentials | None = None

    @property
    def source(self) -> Path:
        """The folder of the primary source."""
        return self.folder / "output" / "src"

    @property
    def credentials(self) -> Credentials:
        if self._credentials is None:
            raise RuntimeError("a build has no credentials before it is provisioned")
        return self._credentials

    def become(self, credentials: Credentials) -> None:
        """Act as these credentials from now on, and never show them in the log."""
        self._credentials = credentials
        self.log.hide(credentials.environment().values())

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """A boto3 client acting as the service role."""
        return self.cloud.client(service, self.credentials)


def reason(problem: Exception) -> str:
    """Why a call was refused, in AWS's words."""
    if isinstance(problem, ClientError):
        error = problem.response["Error"]
        return f"{error.get('Code', '')}: {error.get('Message', '')}"
    if isinstance(problem, AwsError):
        return f"{problem.code}: {problem.message}"
    return str(problem)
