"""Why grants that no call of the story needs are there all the same: `unproved.yaml`, kept and reviewed by people.

Each entry says one reason for some grants: those whose owner, statement, action and resource each match one of its
patterns (`*` is any text, `[*]` the character). The first entry that matches gives the reason. No pattern may be so
wide that it fits anything, and each entry says how many grants it is for: so no new grant is explained unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rehearsal.prove_iam.grants import Grant

TABLE = Path(__file__).with_name("unproved.yaml")
PATTERNS = {"owners": "owner", "statements": "statement", "actions": "action", "resources": "resource"}
ANYTHING = {
    "owners": "Anybody",
    "statements": "Anything",
    "actions": "any:Thing",
    "resources": "arn:aws:any:<region>:<account>:any/thing",
}
"""What no grant is: a pattern that matches it matches everything of its kind, or nearly."""
MOST_NAMED = 10


class TableError(ValueError):
    """The table of reasons cannot be read."""


@dataclass(frozen=True)
class Reason:
    """One entry. `grants`: how many it is the first to match. `sometimes`: whether a story happens to need them depends
    on what overtakes what."""

    reason: str
    owners: tuple[str, ...]
    statements: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    grants: int
    sometimes: bool = False

    def matches(self, grant: Grant) -> bool:
        """Whether this is the reason of a grant, if it needs one."""
        return all(
            any(fnmatchcase(getattr(grant, part), pattern) for pattern in getattr(self, name))
            for name, part in PATTERNS.items()
        )

    def faults(self, mine: Sequence[Grant], proved: Callable[[Grant], bool], then: Collection[Grant] = ()) -> list[str]:
        """What is wrong with the entry, given the grants that it is the first to match: patterns that match none of
        them, more or fewer of them than it says, and grants that it explains although a call proves them. `then`: those
        that had its reason when docs/iam-proof.md was written, to tell what has changed."""
        if not mine:
            return [f"the reason {self.reason!r} is no grant's: take it out"]
        found = [
            f"of the reason {self.reason!r}, {pattern!r} in {name} matches no grant: take it out"
            for name, part in PATTERNS.items()
            for pattern in getattr(self, name)
            if not any(fnmatchcase(getattr(grant, part), pattern) for grant in mine)
        ]
        if len(mine) != self.grants:
            found.append(
                f"the reason {self.reason!r} explains {len(mine)} where its entry says `grants: {self.grants}`."
                f"{_changed(mine, then)} Write {len(mine)} if it is the reason of each"
            )
        if not self.sometimes:
            found += [
                f"the reason {self.reason!r} is given for a grant that a call proves: {grant}"
                for grant in mine
                if proved(grant)
            ]
        return found


def _changed(now: Sequence[Grant], then: Collection[Grant]) -> str:
    """Which grants were not explained before, and which are not any more, in sentences."""
    changed = {
        "New": [str(grant) for grant in now if grant not in then],
        "No longer": [str(grant) for grant in then if grant not in now],
    }
    told = ""
    for kind, named in changed.items():
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        told += f" {kind}: {'; '.join(named[:MOST_NAMED])}{more}." if named else ""
    return told


def read(path: Path = TABLE) -> list[Reason]:
    """The table. Raises TableError, saying where, for an entry in another form."""
    try:
        entries = yaml.safe_load(path.read_text())
    except yaml.YAMLError as problem:
        raise TableError(f"{path.name} is no YAML: {problem}") from problem
    if not isinstance(entries, list):
        raise TableError(f"{path.name}: a list of entries is expected")
    return [_entry(f"{path.name}, entry {number}", entry) for number, entry in enumerate(entries, 1)]


def _entry(where: str, entry: Any) -> Reason:  # noqa: ANN401 - whatever the file holds
    if not isinstance(entry, dict) or not isinstance(entry.get("reason"), str) or not entry["reason"].strip():
        raise TableError(f"{where}: a `reason` is expected")
    unknown = set(entry) - {each.name for each in fields(Reason)}
    if unknown:
        raise TableError(f"{where}: {', '.join(sorted(unknown))} is unknown")
    patterns = {name: _patterns(where, name, entry.get(name)) for name in PATTERNS}
    count = entry.get("grants")
    if type(count) is not int or count < 1:
        raise TableError(f"{where}: `grants`, the number of grants that it explains, is expected")
    reason = " ".join(entry["reason"].split())
    return Reason(reason, **patterns, grants=count, sometimes=bool(entry.get("sometimes", False)))


def _patterns(where: str, name: str, given: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the file holds
    if not isinstance(given, list) or not given:
        raise TableError(f"{where}: {name} is a list of patterns")
    patterns = tuple(str(pattern) for pattern in given)
    for pattern in patterns:
        if fnmatchcase(ANYTHING[name], pattern):
            raise TableError(f"{where}: {pattern!r} in {name} would explain anything: name what it is for")
    return patterns
