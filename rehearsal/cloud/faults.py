"""Faults that can be switched on: what happens on AWS now and then, made to happen here, at a known place.

A room asks `cloud.faults.strikes(NAME, where)` at the place where the fault would happen, and lets it happen when the
answer is yes. That is once per rehearsal; only throttling comes again and again. Every strike is told to those who
listen and kept for the report. Nothing here, and no room, decides what happens next: that is the promise, which tests
and the story hold the project to.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How a project comes out of a fault. Never stuck, and never half-deployed."""

    RETRIED = "retried"
    ROLLED_BACK = "rolled back"
    FAILED = "failed with its reason"
    UNCHANGED = "the same end as without it"


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong. `does` is told when it strikes, `then` says what is promised afterwards."""

    name: str
    does: str
    ending: Ending
    then: str


@dataclass(frozen=True)
class Strike:
    """A fault that has just happened, and to what."""

    fault: Fault
    where: str

    def __str__(self) -> str:
        return f"{self.fault.does} ({self.where})"


THROTTLING = "throttling"
FLAKY_STEP = "flaky-step"
OBJECT_GONE = "object-gone"
DUPLICATED_EVENT = "duplicated-event"
REORDERED_EVENTS = "reordered-events"
BUILD_TIMEOUT = "build-timeout"
ENDPOINT_KILLED = "endpoint-killed"
ENDPOINT_MAINTENANCE = "endpoint-maintenance"
GIT_NETWORK = "git-network"

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            THROTTLING,
            "one API call in twenty is throttled at its first attempt",
            Ending.RETRIED,
            "the SDK, and the retry policy of a pipeline's step, ask again until they are answered",
        ),
        Fault(
            FLAKY_STEP,
            "the first training job fails with an internal error of SageMaker's",
            Ending.RETRIED,
            "the step's retry policy starts another job",
        ),
        Fault(
            OBJECT_GONE,
            "the artefact of the first approved model package is deleted as it is approved",
            Ending.FAILED,
            "the deployment fails and names the object; restored and retried, it goes through",
        ),
        Fault(
            DUPLICATED_EVENT,
            "the event of the first approval of a model package is delivered twice",
            Ending.UNCHANGED,
            "the second deployment of the same version stops, or finds nothing to change",
        ),
        Fault(
            REORDERED_EVENTS,
            "the event of the first approval of a model package is delivered after that of the next one, or half an "
            "hour late",
            Ending.UNCHANGED,
            "every approved version is deployed as a whole, the one whose event came last ends up live",
        ),
        Fault(
            BUILD_TIMEOUT,
            "the first build runs into its timeout",
            Ending.FAILED,
            "build and pipeline fail with TIMED_OUT; retrying the stage goes on",
        ),
        Fault(
            ENDPOINT_KILLED,
            "the new container of the first canary deployment is killed while it bakes",
            Ending.ROLLED_BACK,
            "SageMaker starts the container again; requests that failed meanwhile raise the alarm, which brings the "
            "old version back",
        ),
        Fault(
            ENDPOINT_MAINTENANCE,
            "SageMaker maintains an endpoint as one is first updated, and each as it is first deleted",
            Ending.FAILED,
            "the endpoint serves on and no change of it is begun; the deployment says so, and goes through when it is "
            "retried after the maintenance; a deletion is asked for again until it is done",
        ),
        Fault(
            GIT_NETWORK,
            "the connection breaks during the first clone or fetch, and during the first push",
            Ending.FAILED,
            "git says so, nothing is half pushed, and doing it again works",
        ),
    )
}
"""Every fault by its name."""

EVERY_TIME = ""
"""The part of a fault that strikes in one place only."""


class UnknownFaultError(ValueError):
    """No fault has this name. The message lists those there are."""


def check_names(names: Iterable[str]) -> None:
    """Raise UnknownFaultError for the first name that is no fault's."""
    for name in names:
        if name not in FAULTS:
            raise UnknownFaultError(f"there is no fault '{name}'; the faults are: {', '.join(FAULTS)}")


class Faults:
    """The faults that are switched on, and what they have done so far."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Raises UnknownFaultError."""
        chosen = tuple(dict.fromkeys(names))
        check_names(chosen)
        self.chosen = tuple(FAULTS[name] for name in chosen)
        self._on = frozenset(chosen)
        self._struck: dict[str, list[str]] = {name: [] for name in chosen}
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in chosen}
        self._parts: set[tuple[str, str]] = set()
        self._listeners: list[Callable[[Strike], None]] = []
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[Strike], None]) -> None:
        """Tell `listener` of every strike as it happens, on the thread it happens on; of throttling once."""
        self._listeners.append(listener)

    def on(self, name: str) -> bool:
        """Whether the fault is switched on."""
        return name in self._on

    def strikes(self, name: str, where: str, part: str = EVERY_TIME) -> bool:
        """Whether the fault happens now, to what `where` names: True at the first call only, once per `part`."""
        if name not in self._on:
            return False
        with self._lock:
            if (name, part) in self._parts:
                return False
            self._parts.add((name, part))
            self._struck[name].append(where)
        self._tell(Strike(FAULTS[name], where))
        return True

    def counts(self, name: str, where: str) -> None:
        """A fault that strikes again and again has struck; only its first time is told."""
        with self._lock:
            first = not self._counts[name]
            self._counts[name][where] += 1
        if first:
            self._tell(Strike(FAULTS[name], where))

    def struck(self, name: str) -> list[str]:
        """What the fault has happened to so far, in order; counted ones by their number."""
        with self._lock:
            counted = [f"{where} ({count} times)" for where, count in self._counts.get(name, Counter()).most_common()]
            return [*self._struck.get(name, []), *counted]

    def missed(self) -> list[Fault]:
        """Faults that are switched on and have not happened: nothing was shown about them."""
        return [fault for fault in self.chosen if not self.struck(fault.name)]

    def _tell(self, strike: Strike) -> None:
        for listener in self._listeners:
            listener(strike)
