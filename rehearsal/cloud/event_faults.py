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
"""AWS seconds after which a held event is delivered although no other came: it is late then, but lost never."""


class EventFaults:
    """Decides which events are put on the bus when one is emitted."""

    def __init__(self, cloud: Cloud, put: Callable[[Entry], None]) -> None:
        self._cloud = cloud
        self._put = put
        self._held: Entry | None = None
        self._has_held = False
        self._lock = threading.Lock()

    def what_comes(self, entry: Entry) -> list[Entry]:
        """The events to put on the bus now, in this order."""
        faults = self._cloud.faults
        if not (faults.on(DUPLICATED_EVENT) or faults.on(REORDERED_EVENTS)):
            return [entry]
        coming = [entry]
        if _tells_of_approval(entry):
            if faults.on(REORDERED_EVENTS) and self._hold(entry):
                return []
            if faults.strikes(DUPLICATED_EVENT, _named(entry)):
                coming.append(entry)
        held = self._release()
        if held is not None:
            faults.strikes(REORDERED_EVENTS, f"{_named(held)} came after {_named(entry)}")
            coming.append(held)
            if faults.strikes(DUPLICATED_EVENT, _named(held)):
                coming.append(held)
        return coming

    def _hold(self, entry: Entry) -> bool:
        """Keep the first such event until another one came. False for all later ones."""
        with self._lock:
            if self._has_held:
                return False
            self._has_held, self._held = True, entry
        self._cloud.background("a held event", self._let_go)
        return True

    def _let_go(self) -> None:
        self._cloud.clock.wait(LONGEST_HOLD, until=self._cloud.stopping)
        held = self._release()
        if held is not None and not self._cloud.stopping.is_set():
            self._put(held)

    def _release(self) -> Entry | None:
        with self._lock:
            held, self._held = self._held, None
            return held


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
