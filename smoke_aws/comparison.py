"""Holds what happened on AWS against what the rehearsal recorded: the calls of roles, and the shapes of answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rehearsal.shapes import ERROR, Recorded
from smoke_aws.calls import Actions, Event
from smoke_aws.trail import Trail

EXPECTED = Path(__file__).with_name("expected.yaml")
Difference = dict[str, Any]

KINDS = {
    "denied": "Denied on AWS, which nobody was in the rehearsal",
    "only_on_aws": "Called on AWS, and never in the rehearsal",
    "wrong_shapes": "Answers of another shape",
    "only_rehearsed": "Called in the rehearsal, and not seen on AWS (for information)",
}
_RESOURCE = re.compile(r"on resource: (\S+)")
"""AWS's denials name the resource: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
_OF_A_RUN = re.compile(r"(?<=[-_/:])(?=[0-9a-z]*\d)[0-9a-z]{8,}(?:-[0-9a-f]{4,12})*|(?<=/)\d+(?=/|$)")
"""What a run made up: ids of projects, jobs and executions, and numbers of versions."""
FATAL = ("denied", "only_on_aws", "wrong_shapes")


@dataclass(frozen=True)
class Reason:
    """One entry of `expected.yaml`."""

    reason: str
    patterns: tuple[tuple[str, tuple[str, ...]], ...]
    """Members of a difference, and what they must look like."""

    def explains(self, difference: Difference) -> bool:
        """Whether each pattern finds the member of the difference that it is for."""
        return all(
            any(fnmatchcase(str(difference[member]), pattern) for pattern in patterns)
            for member, patterns in self.patterns
        )


@dataclass
class Expected:
    """The differences that people have explained, by kind."""

    reasons: dict[str, list[Reason]]
    used: set[Reason] = field(default_factory=set)

    PATTERNS = {"roles": "role", "actions": "action", "operations": "operation", "members": "member"}  # noqa: RUF012

    @classmethod
    def read(cls, path: Path = EXPECTED) -> Expected:
        """Read the list."""
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        kinds = {"denied": "denied", "calls": "only_on_aws", "shapes": "wrong_shapes"}
        return cls({kind: [cls._reason(entry) for entry in written[name]] for name, kind in kinds.items()})

    @classmethod
    def _reason(cls, entry: dict[str, Any]) -> Reason:
        patterns = {cls.PATTERNS[name]: tuple(found) for name, found in entry.items() if name != "reason"}
        return Reason(entry["reason"], tuple(patterns.items()))

    def why(self, kind: str, difference: Difference) -> str:
        """The reason of a difference; empty when it has none."""
        for reason in self.reasons.get(kind, []):
            if reason.explains(difference):
                self.used.add(reason)
                return reason.reason
        return ""

    def unused(self) -> list[str]:
        """Reasons of differences that there were none of."""
        return [each.reason for reasons in self.reasons.values() for each in reasons if each not in self.used]


@dataclass
class Comparison:
    """What came of it. Each difference has a `reason`, empty where nobody has given one."""

    differences: dict[str, list[Difference]]
    notes: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether all was seen and compared, and everything that counts is explained."""
        compared = self.notes["complete"] and not self.notes["unnamed_roles"] and not self.notes["without_shapes"]
        return bool(compared) and not any(self.unexplained(kind) for kind in FATAL)

    def unexplained(self, kind: str) -> list[Difference]:
        """The differences of a kind that have no reason."""
        return [each for each in self.differences[kind] if not each["reason"]]

    def document(self) -> dict[str, Any]:
        """comparison.json"""
        return {"ok": self.ok, **self.differences, **self.notes}

    def lines(self) -> Iterator[str]:
        """The report, as people read it: denials first."""
        for kind, title in KINDS.items():
            found = self.differences[kind]
            explained = len(found) - len(self.unexplained(kind))
            yield f"{title}: {len(found)}{f', {explained} of them explained' if explained else ''}"
            for each in self.unexplained(kind):
                yield f"  {describe(kind, each)}"
        if not self.notes["complete"]:
            yield "CloudTrail had not delivered the last call: compare again later."
        for role in self.notes["unnamed_roles"]:
            yield f"Which role {role} is on AWS could not be read, so that its calls were not compared."
        for side in self.notes["without_shapes"]:
            yield f"No answers were kept {side}, so that their shapes were not compared."
        for source in self.notes["unknown_sources"]:
            yield f"Events of {source} are of a service that smoke_aws/actions.yaml does not know."
        for reason in self.notes["unused_reasons"]:
            yield f"Nothing needed this reason of smoke_aws/expected.yaml any more: {reason}"


def describe(kind: str, each: Difference) -> str:
    """One difference in one line."""
    if kind == "wrong_shapes":
        return f"{each['operation']}: {each['member']} {each['what']}"
    message = f": {each['message']}" if each.get("message") else ""
    return f"{each['role']} {each['action']} ({each['times']} times){message}"


def compare(
    trail: Trail,
    names: Mapping[str, str],
    authorisations: Iterable[Mapping[str, Any]],
    on_aws: Recorded,
    rehearsed: Recorded,
    template_roles: Iterable[str] = (),
    expected: Expected | None = None,
    actions: Actions | None = None,
) -> Comparison:
    """Compare a run on AWS with a rehearsal.

    `names` are the logical ids of the roles on AWS by their names; calls of roles that it does not name are other
    people's, so every one of `template_roles`, the logical ids of the roles that stacks made in the rehearsal, must be
    among them. `authorisations` are the rehearsal's (`rehearsal.prove_iam.recording`).
    """
    expected, actions = expected or Expected.read(), actions or Actions()
    ours = [(names[event.role], actions.of(event), event) for event in trail.events if event.role in names]
    ours = [each for each in ours if actions.counts(each[1])]
    recorded: Counter[tuple[str, str]] = Counter()
    refused: set[tuple[str, str, str]] = set()
    for each in authorisations:
        what = each.get("logical_id") or each["role"], each["action"]
        if each["decision"] == "Allow":
            recorded[what] += each["count"]
        else:
            refused.add((*what, _alike(each["resource"])))
    seen = {(role, action) for role, action, _ in ours}
    differences = {
        "denied": _calls(
            (role, action, event)
            for role, action, event in ours
            if event.denied and (role, action, _denied_on(event)) not in refused
        ),
        "only_on_aws": _calls(
            (role, action, event) for role, action, event in ours if not event.denied and (role, action) not in recorded
        ),
        "wrong_shapes": list(shapes(on_aws, rehearsed)),
        "only_rehearsed": [
            {"role": role, "action": action, "times": times}
            for (role, action), times in sorted(recorded.items())
            if role in set(names.values())
            and (role, action) not in seen
            and actions.counts(action)
            and actions.logged(action)
        ],
    }
    for kind, found in differences.items():
        for each in found:
            each["reason"] = expected.why(kind, each)
    return Comparison(
        differences,
        {
            "complete": trail.complete,
            "unnamed_roles": sorted(set(template_roles) - set(names.values())),
            "without_shapes": [
                side for side, found in (("on AWS", on_aws), ("in the rehearsal", rehearsed)) if not found
            ],
            "events": len(trail.events),
            "calls_of_roles": len(ours),
            "unknown_sources": sorted({event.source for _, _, event in ours if not actions.knows(event.source)}),
            "operations_only_on_aws": sorted(on_aws.keys() - rehearsed.keys()),
            "operations_only_rehearsed": sorted(rehearsed.keys() - on_aws.keys()),
            "unused_reasons": expected.unused(),
        },
    )


def _denied_on(event: Event) -> str:
    """The resource that AWS refused; empty when it does not name one, which is like none of the rehearsal's."""
    named = _RESOURCE.search(event.message)
    return _alike(named[1]) if named else ""


def _alike(resource: str) -> str:
    """A resource without account, region and whatever a run made up: the same in the rehearsal and on AWS."""
    parts = resource.split(":", 5)
    kind = ":".join((parts[2], parts[5])) if len(parts) == 6 else resource
    return _OF_A_RUN.sub("*", kind)


def _calls(found: Iterable[tuple[str, str, Event]]) -> list[Difference]:
    """Each call once, with how often it was made, and the event and message of its first time."""
    times: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Event] = {}
    for role, action, event in found:
        times[role, action] += 1
        first.setdefault((role, action), event)
    return [
        {
            "role": role,
            "action": action,
            "times": times[role, action],
            "invoked_by": event.invoked_by,
            "error": event.error,
            "message": event.message,
            "event": event.id,
        }
        for (role, action), event in sorted(first.items())
    ]


def shapes(on_aws: Recorded, rehearsed: Recorded) -> Iterator[Difference]:
    """Members that one side gave and the other did not, and members of another type, of the operations both know.

    Below a list or a map that was always empty on one side nothing can be said, nor below a member that was missing.
    """
    for operation in sorted(on_aws.keys() & rehearsed.keys()):
        there, here = on_aws[operation], rehearsed[operation]
        for what, some, others in (
            ("is given on AWS, and not in the rehearsal", there, here),
            ("is given in the rehearsal, and not on AWS", here, there),
        ):
            for path in sorted(some.keys() - others.keys()):
                if path.startswith(ERROR):
                    yield {"operation": operation, "member": path, "what": what.replace("given", "answered")}
                elif _can_be_missed(path, others):
                    yield {"operation": operation, "member": path, "what": what}
        for path in sorted(there.keys() & here.keys()):
            if there[path] != here[path]:
                types = f"is {' or '.join(there[path])} on AWS, and {' or '.join(here[path])} in the rehearsal"
                yield {"operation": operation, "member": path, "what": types}


def _can_be_missed(path: str, others: Mapping[str, list[str]]) -> bool:
    """Whether what holds the member was there on the other side, so that the member itself is what is missing."""
    if path.endswith(("[]", "{}")):
        return False  # a list or a map that was empty
    holder = path.rpartition(".")[0]
    succeeded = any(not each.startswith(ERROR) for each in others)
    return holder in others if holder else succeeded or not others
