"""What Lambda remembers of a function."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from rehearsal.cloud.service import Document

LATEST = "$LATEST"


@dataclass(frozen=True)
class Code:
    """An unpacked archive."""

    folder: Path
    sha256: str
    """Of the archive, in base64."""
    size: int


@dataclass(eq=False)
class Function:
    """A function. `settings` are the members of its configuration that people set, with AWS's defaults.

    Changes take a moment to settle, in which the function cannot be changed again (nor invoked, when it is new):
    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    """

    name: str
    arn: str
    settings: Document
    code: Code
    tags: dict[str, str]
    settled_at: float
    """On `time.monotonic`."""
    new: bool = True
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: str = field(default_factory=lambda: str(uuid4()))
    statements: list[Document] = field(default_factory=list)
    reserved: int | None = None
    running: int = 0
    at_work: int = 0
    """Invocations that run, or that were accepted and begin right now."""

    @property
    def settled(self) -> bool:
        return time.monotonic() >= self.settled_at

    @property
    def active(self) -> bool:
        """Whether it can be invoked."""
        return self.settled or not self.new

    def change(self, settled_at: float) -> None:
        """Note that it was changed just now."""
        self.new, self.settled_at = False, settled_at
        self.modified = datetime.now(UTC)
        self.revision = str(uuid4())

    @property
    def policy(self) -> Document | None:
        """The resource policy, None when it has no statement."""
        if not self.statements:
            return None
        return {"Version": "2012-10-17", "Id": "default", "Statement": list(self.statements)}

    def configuration(self) -> Document:
        """The API's `FunctionConfiguration`."""
        state: Document = {"State": "Active", "LastUpdateStatus": "Successful"}
        if not self.settled:
            state = {"State": "Active", "LastUpdateStatus": "InProgress"}
        if not self.active:
            reason = "The function is being created."
            state = {"State": "Pending", "StateReason": reason, "StateReasonCode": "Creating"}
        return {
            **self.settings,
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "CodeSha256": self.code.sha256,
            "CodeSize": self.code.size,
            "LastModified": f"{self.modified:%Y-%m-%dT%H:%M:%S}.{self.modified.microsecond // 1000:03d}+0000",
            "PackageType": "Zip",
            "RevisionId": self.revision,
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "Version": LATEST,
            **state,
        }


@dataclass(frozen=True)
class Invocation:
    """One event for one function, with the function as it stood when the event came."""

    name: str
    arn: str
    revision: str
    """Of the function: another one is imported anew."""
    settings: Document
    code: Code
    event: bytes
    request_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def timeout(self) -> float:
        return float(self.settings["Timeout"])

    @classmethod
    def of(cls, function: Function, event: bytes, request_id: str | None = None) -> Invocation:
        """One of `function` as it stands."""
        named = {"request_id": request_id} if request_id else {}
        return cls(function.name, function.arn, function.revision, function.settings, function.code, event, **named)


@dataclass(frozen=True)
class Outcome:
    """What came of an invocation: the handler's answer, or an error's document."""

    payload: bytes
    failed: bool = False
    tail: bytes = b""
    """The end of its log."""
