"""Events that EventBridge delivers twice, or after later ones.

"At least once", and in no order: https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html
On AWS a second delivery carries the id of the first; here the bus gives it one of its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.faults import DUPLICATED_EVENT, REORDERED_EVENTS

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

Entry = dict[str, Any]
"""One entry of PutEvents."""

LONGEST_HOLD = 1800.0
"""AWS seconds after which a held event is delivered although no other of its kind came: late, but lost never."""


class EventFaults:
    """Decides which events are put on the bus when one is emitted."""

    def __init__(self, cloud: Cloud, put: Callable[[Entry], None]) -> None:
        self._cloud = cloud
        self._put = put
        self._held: Entry | None = None
        self._has_held = False
        self._overtaker: Entry | None = None
        """The newest event that came while one was held."""
        self._lock = threading.Lock()

    def what_comes(self, entry: Entry) -> list[Entry]:
        """The events to put on the bus now, in this order."""
        faults = self._cloud.faults
        if not (faults.on(DUPLICATED_EVENT) or faults.on(REORDERED_EVENTS)):
            return [entry]
        if not _tells_of_approval(entry):
            self._pass_by(entry)
            return [entry]
        if faults.on(REORDERED_EVENTS) and self._hold(entry):
            return []
        self._pass_by(entry)
        return [*self._once_or_twice(entry), *self._late()]

    def _once_or_twice(self, entry: Entry) -> list[Entry]:
        return [entry, entry] if self._cloud.faults.strikes(DUPLICATED_EVENT, _named(entry)) else [entry]

    def _late(self) -> list[Entry]:
        """The event that was held, if it still is."""
        with self._lock:
            held, self._held = self._held, None
            overtaker = self._overtaker
        if held is None:
            return []
        if overtaker is not None:
            self._cloud.faults.strikes(REORDERED_EVENTS, f"{_named(held)} came after {_named(overtaker)}")
        return self._once_or_twice(held)

    def _pass_by(self, entry: Entry) -> None:
        with self._lock:
            if self._held is not None:
                self._overtaker = entry

    def _hold(self, entry: Entry) -> bool:
        """Keep the first such event until another such one came. False for all later ones."""
        with self._lock:
            if self._has_held:
                return False
            self._has_held, self._held = True, entry
        self._cloud.background("a held event", self._let_go)
        return True

    def _let_go(self) -> None:
        self._cloud.clock.wait(LONGEST_HOLD, until=self._cloud.stopping)
        if not self._cloud.stopping.is_set():
            for entry in self._late():
                self._put(entry)


def _tells_of_approval(entry: Entry) -> bool:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html#eventbridge-model-package"""
    if entry["Source"] != "aws.sagemaker" or entry["DetailType"] != "SageMaker Model Package State Change":
        return False
    detail = json.loads(entry["Detail"])
    changed = detail.get("UpdatedModelPackageFields", ["ModelApprovalStatus"])
    return detail.get("ModelApprovalStatus") == "Approved" and "ModelApprovalStatus" in changed


def _named(entry: Entry) -> str:
    """What a person calls the event."""
    resources = entry["Resources"]
    return f"{entry['DetailType']} of {resources[0]}" if resources else str(entry["DetailType"])
