"""Why grants that no call of the story needs are there all the same: `unproved.yaml`, kept and reviewed by people.

Each entry says one reason for some grants: those whose owner, action, statement and resource each match one of its
patterns (`*` is any text; what is left out matches everything). The first entry that matches gives the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rehearsal.prove_iam.grants import Grant

TABLE = Path(__file__).with_name("unproved.yaml")
PATTERNS = {"owners": "owner", "statements": "statement", "actions": "action", "resources": "resource"}


class TableError(ValueError):
    """The table of reasons cannot be read."""


@dataclass(frozen=True)
class Reason:
    """One entry. `sometimes`: whether a story happens to need the grants depends on what overtakes what."""

    reason: str
    owners: tuple[str, ...] = ("*",)
    statements: tuple[str, ...] = ("*",)
    actions: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ("*",)
    sometimes: bool = False

    def matches(self, grant: Grant) -> bool:
        """Whether this is the reason of a grant, if it needs one."""
        return all(
            any(fnmatchcase(getattr(grant, part), pattern) for pattern in getattr(self, name))
            for name, part in PATTERNS.items()
        )

    def faults(self, grants: Iterable[Grant], proved: Callable[[Grant], bool]) -> list[str]:
        """What is wrong with the entry, given the grants that it is the first to match: patterns that match none of
        them, and grants that it explains although a call proves them."""
        mine = list(grants)
        if not mine:
            return [f"the reason {self.reason!r} is no grant's: take it out"]
        found = [
            f"of the reason {self.reason!r}, {pattern!r} in {name} matches no grant: take it out"
            for name, part in PATTERNS.items()
            for pattern in getattr(self, name)
            if not any(fnmatchcase(getattr(grant, part), pattern) for grant in mine)
        ]
        if not self.sometimes:
            found += [
                f"the reason {self.reason!r} is given for a grant that a call proves: {grant}"
                for grant in mine
                if proved(grant)
            ]
        return found


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
    patterns = {}
    for name in PATTERNS.keys() & entry.keys():
        if not isinstance(entry[name], list) or not entry[name]:
            raise TableError(f"{where}: {name} is a list of patterns")
        patterns[name] = tuple(str(pattern) for pattern in entry[name])
    return Reason(" ".join(entry["reason"].split()), **patterns, sometimes=bool(entry.get("sometimes", False)))
