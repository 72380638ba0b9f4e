"""The errors a client of the cloud sees. They carry AWS's own codes and wording."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer of an AWS API.

    `code` is AWS's error code (`ResourceNotFoundException`), `message` its sentence, `status` the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class AccessDenied(AwsError):
    """The caller's policies do not allow the call.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """

    def __init__(self, message: str, code: str = "AccessDeniedException") -> None:
        super().__init__(code, message, 400)


class NotImplementedHere(AwsError):
    """Something AWS has and this cloud does not play. Always names what is missing; never a silent success."""

    def __init__(self, what: str) -> None:
        super().__init__("NotImplemented", f"{what} is not implemented by the rehearsal's cloud", 501)
