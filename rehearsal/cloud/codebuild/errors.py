"""How a phase of a build ends early."""

from __future__ import annotations


class PhaseError(Exception):
    """The phase fails; `code` and `message` become its context, as BatchGetBuilds and the log show it."""

    code = "CLIENT_ERROR"

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        if code:
            self.code = code


class YamlFileError(PhaseError):
    """The buildspec is missing, is no YAML, or says something that a buildspec cannot say."""

    code = "YAML_FILE_ERROR"


class NotPlayedError(PhaseError):
    """CodeBuild has it and the rehearsal does not play it. Not an AWS code, so that nobody mistakes it for one."""

    code = "NOT_IMPLEMENTED"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not implemented by the rehearsal's cloud")


class InterruptedBuildError(Exception):
    """The build was stopped or ran out of time; `status` is what becomes of it."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
