"""Reads the event history of CloudTrail, which every account has, as patiently as it must be read.

Events come up to 15 minutes after their call, in no order, fifty to a page, two pages a second, and those of IAM in one
region for all: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from smoke_aws.calls import Event, event_of

PAGE = 50
SECONDS_A_PAGE = 0.6
"""A little slower than the two a second that are allowed for account and region."""
LATEST_SECONDS = 20 * 60
"""After this nobody waits for an event any more: the 15 minutes AWS names, and some."""
LOOK_SECONDS = 60
GLOBAL_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
"""Partition -> where the events of services without a region are:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
"""


@dataclass
class Trail:
    """What was read. `complete` says whether the last known call had arrived, and nothing came after it any more."""

    events: list[Event] = field(default_factory=list)
    complete: bool = False

    def document(self) -> dict[str, Any]:
        """As it is kept in a run's folder."""
        return {"complete": self.complete, "events": [vars(event) for event in self.events]}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Trail:
        """From what was kept."""
        return cls([Event(**event) for event in document["events"]], document["complete"])


class Reader:
    """Reads all events of a span of time. `clients` are CloudTrail's, one for each region with events."""

    def __init__(
        self,
        clients: Sequence[Any],
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._say = say
        self._pause = pause

    def read(self, begin: datetime, end: datetime) -> list[Event]:
        """Every event between two moments that has arrived by now, each once, in the order of their calls."""
        found = {event.id: event for client in self._clients for event in self._events(client, begin, end)}
        return sorted(found.values(), key=lambda event: (event.time, event.id))

    def read_all(self, begin: datetime, end: datetime, last_request: str, bound: float = LATEST_SECONDS) -> Trail:
        """Read until the call `last_request` has arrived and nothing more comes, for `bound` seconds at most."""
        waited, before = 0.0, -1
        while True:
            events = self.read(begin, end)
            arrived = any(event.request_id == last_request for event in events)
            if arrived and len(events) == before:
                return Trail(events, complete=True)
            if waited >= bound:
                return Trail(events, complete=False)
            self._say(f"CloudTrail has {len(events)} events; {'more may come' if arrived else 'the last is not there'}")
            before = len(events)
            self._pause(LOOK_SECONDS)
            waited += LOOK_SECONDS

    def _events(self, client: Any, begin: datetime, end: datetime) -> Iterator[Event]:  # noqa: ANN401 - boto3 is untyped
        request: dict[str, Any] = {"StartTime": begin, "EndTime": end, "MaxResults": PAGE}
        while True:
            answer = client.lookup_events(**request)
            for each in answer["Events"]:
                yield event_of(json.loads(each["CloudTrailEvent"]))
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]
            self._pause(SECONDS_A_PAGE)
