"""What CloudTrail tells of one call: which role made it, which IAM action it was, and whether it was denied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("actions.yaml")
_VERSION = re.compile(r"\d{8}(v\d+)?$")
_DENIED = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|Forbidden")
"""Services say it in several ways: AccessDenied, AccessDeniedException, Client.UnauthorizedOperation."""


@dataclass(frozen=True)
class Event:
    """One event of the event history. `role` is empty for calls that no role made."""

    id: str
    request_id: str
    time: str
    source: str
    name: str
    role: str
    error: str = ""
    message: str = ""
    invoked_by: str = ""

    @property
    def denied(self) -> bool:
        """Whether IAM refused it."""
        return bool(_DENIED.search(self.error))


def event_of(record: Mapping[str, Any]) -> Event:
    """An event from CloudTrail's record of it.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html and
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    identity: Mapping[str, Any] = record.get("userIdentity") or {}
    return Event(
        id=record["eventID"],
        request_id=record.get("requestID") or "",
        time=record["eventTime"],
        source=record["eventSource"],
        name=record["eventName"],
        role=_role(identity),
        error=record.get("errorCode") or "",
        message=record.get("errorMessage") or "",
        invoked_by=identity.get("invokedBy") or "",
    )


def _role(identity: Mapping[str, Any]) -> str:
    if identity.get("type") != "AssumedRole":
        return ""
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    if issuer.get("userName"):
        return str(issuer["userName"])
    # arn:aws:sts::123456789012:assumed-role/NAME/SESSION: what there is when the session's context is left out
    parts = str(identity.get("arn", "")).split("/")
    return parts[1] if len(parts) > 1 else ""


class Actions:
    """The table of `actions.yaml`."""

    def __init__(self, table: Path = TABLE) -> None:
        written = yaml.safe_load(table.read_text(encoding="utf-8"))
        self._sources: dict[str, str] = written["sources"]
        self._plain = frozenset(written["plain"])
        self._versioned = frozenset(written["versioned"])
        self._names: dict[str, str] = written["names"]
        self._passed_over = _patterns(written["passed_over"])
        self._not_logged = _patterns(written["not_logged"])

    def of(self, event: Event) -> str:
        """The action that an event was authorised as."""
        prefix = self._sources.get(event.source, event.source.partition(".")[0])
        name = _VERSION.sub("", event.name) if prefix in self._versioned else event.name
        return self._names.get(f"{prefix}:{name}", f"{prefix}:{name}")

    def knows(self, source: str) -> bool:
        """Whether the table says how this source's actions begin."""
        return source in self._sources or source.partition(".")[0] in self._plain

    def counts(self, action: str) -> bool:
        """Whether an event of this action is a call of the role itself."""
        return not _any(action, self._passed_over)

    def logged(self, action: str) -> bool:
        """Whether the event history would show a call of this action."""
        return not _any(action, self._not_logged)


def _patterns(entries: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(pattern for entry in entries for pattern in entry["actions"])


def _any(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
