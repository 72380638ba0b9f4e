"""What a story needs of the place it is played in: this machine's cloud, or an account on AWS.

People speak to both in the same way. `rehearsal.cloud.Cloud` is one; `smoke_aws.account.Account` the other.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rehearsal.cloud.clock import Patience
    from rehearsal.cloud.faults import Faults
    from rehearsal.cloud.processes import Processes
    from rehearsal.cloud.service import Credentials


class Network(Protocol):
    """The way out of this machine."""

    def variables(self) -> dict[str, str]:
        """What a program's environment must say to take it."""


class World(Protocol):
    """One account in one region."""

    @property
    def account(self) -> str:
        """The account's number."""

    @property
    def region(self) -> str: ...

    @property
    def stopping(self) -> threading.Event:
        """Set when nobody is to wait for anything any more."""

    @property
    def faults(self) -> Faults:
        """What is made to go wrong."""

    @property
    def processes(self) -> Processes:
        """Where people's programs run, so that none outlives the story."""

    @property
    def egress(self) -> Network: ...

    @property
    def patience(self) -> Patience: ...

    def client(self, service: str, credentials: Credentials) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """A boto3 client of a service, acting as `credentials`."""

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """The environment with which a program acts here as `credentials`."""

    def folder_for(self, *parts: str) -> Path:
        """A folder of the story's own on this machine, made when it is missing."""

    def stop(self) -> None:
        """End every wait and every program. Safe to call twice."""
