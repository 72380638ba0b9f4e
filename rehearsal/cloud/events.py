"""EventBridge: rules and matching are the base's; targets it cannot reach are delivered here."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.event_faults import EventFaults
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

Deliver = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str | None], None]
"""`deliver(rule, target, event, payload)`: `payload` is the transformed or constant input, None for the plain event."""
DELIVERY_SECONDS = 2.0
MOST_DELIVERIES = 20
"""How many of the last deliveries are remembered."""


class Events:
    """Puts the events AWS services emit on the default bus, and delivers to targets that are rooms of ours."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._deliverers: dict[str, Deliver] = {}
        self._deliveries: list[tuple[tuple[str, list[str]], threading.Thread]] = []
        self._arrival = threading.Condition()
        self._faults = EventFaults(cloud, self._put)

    def add_target(self, service: str, deliver: Deliver) -> None:
        """Deliver events to targets whose ARN names `service`."""
        self._deliverers[service] = deliver

    def emit(self, source: str, detail_type: str, detail: dict[str, Any], resources: Sequence[str] = ()) -> None:
        """Put one event on the default bus as the AWS service `source` does."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=str),
            "Resources": list(resources),
        }
        for position, each in enumerate(coming := self._faults.what_comes(entry)):
            if position:
                self._until_delivered(coming[position - 1])
            self._put(each)

    def _until_delivered(self, entry: dict[str, Any]) -> None:
        """Wait until a target of ours has the event, so that the next one does not overtake it once more.

        For a moment only: there may be no rule for it.
        """
        named = (entry["DetailType"], entry["Resources"])
        with self._arrival:
            self._arrival.wait_for(lambda: named in [each for each, _ in self._deliveries], timeout=DELIVERY_SECONDS)
            under_way = [delivery for each, delivery in self._deliveries if each == named]
        for delivery in under_way:
            delivery.join()

    def _put(self, entry: dict[str, Any]) -> None:
        self._cloud.base.ask("emit", entry)
        self._cloud.news.tell()

    def arrived(self, document: dict[str, Any]) -> None:
        """The base matched a rule whose target it cannot reach, or whose target does not let EventBridge in."""
        target = document["target"]
        if document["verb"] == "refused":
            action = {"sns": "sns:Publish", "sqs": "sqs:SendMessage"}.get(
                target["Arn"].split(":")[2], "lambda:InvokeFunction"
            )
            self._cloud.identity.record("events.amazonaws.com", Call(action, target["Arn"]), allowed=False)
            log.warning("EventBridge may not deliver to %s: its policy does not allow it", target["Arn"])
            return
        if target.get("InputPath"):
            raise NotImplementedHere(f"InputPath of an event rule's target ({target['Arn']})")
        service = target["Arn"].split(":")[2]
        deliver = self._deliverers.get(service)
        if deliver is None:
            raise NotImplementedHere(f"an event rule's target of service {service} ({target['Arn']})")
        delivery = self._cloud.background(
            f"event to {service}", deliver, document["rule"], target, document["event"], document["payload"]
        )
        event = document["event"]
        with self._arrival:
            self._deliveries = [
                *self._deliveries[-MOST_DELIVERIES:],
                ((event["detail-type"], event["resources"]), delivery),
            ]
            self._arrival.notify_all()
