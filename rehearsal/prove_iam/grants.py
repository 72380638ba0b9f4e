"""A grant of the template: one action entry on one resource entry of one Allow statement, and whose it is.

Standard library only: the base's environment reads this, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rehearsal.cloud.policy_documents import Document, Place, UnknownFormError, places

RANDOM = "[0-9A-F]{13}"
"""The end of the name that CloudFormation gives to what has none of its own. A name that would be too long for it loses
the end of what stands before."""
LEAST_KEPT = 12
NAMES: tuple[tuple[str, str, str], ...] = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>", "[0-9a-f-]{36}"),
    (r"\bclaims-fraud\b", "<name>", "claims-fraud"),
    (r"\bp-[a-z0-9]{12}\b", "<id>", "p-[a-z0-9]{12}"),
    (r"\b[0-9]{12}\b", "<account>", "[0-9]{12}"),
    (r"\b[a-z]{2}-[a-z]+-[0-9]\b", "<region>", "[a-z]{2}-[a-z]+-[0-9]"),
    (r"(?<=[:/])SC-<account>-pp-[0-9a-z]+(?![*])", "SC-<stack>", "SC-[0-9]{12}-pp-[0-9a-z]+"),
    (rf"(?<=-)[A-Z0-9]{{12}}$|{RANDOM}$", "<random>", rf"(?:[A-Z0-9]{{12}}|{RANDOM})"),
)
"""What is another word in every run, what stands for it, and how it is found again."""

TRUST = "trust"
"""The name of a role's trust policy among its policies. Its grants stand on principals instead of resources."""


@dataclass(frozen=True, order=True)
class Grant:
    """`owner` and `policy` as in `recording.Policy`; `statement` is the Sid, or `statement N`. Names that differ from
    run to run stand as `<id>` and the like, so that a grant is the same in the next run."""

    owner: str
    policy: str
    statement: str
    action: str
    resource: str

    def __str__(self) -> str:
        return (
            f"{self.owner}: {self.statement}: {self.action} {'for' if self.policy == TRUST else 'on'} {self.resource}"
        )

    def withheld(self) -> dict[str, str]:
        """The grant as `Identity.withhold` finds it in another run."""
        return {
            "owner": _named(self.owner),
            "policy": varying(self.policy),
            "statement": self.statement,
            "action": self.action,
            "resource": varying(self.resource),
        }


def constant(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, stands, _ in NAMES:
        text = re.sub(pattern, stands, text)
    return text


def varying(text: str) -> str:
    """A regular expression for the texts that `constant` makes this one of."""
    found = {stands: pattern for _, stands, pattern in NAMES}
    parts = re.split("(" + "|".join(map(re.escape, found)) + ")", text)
    return "".join(found.get(part, re.escape(part)) for part in parts)


def grants(owner: str, policy: str, document: Document) -> Iterator[tuple[Grant, Place]]:
    """The grants of a document. Raises UnknownFormError, saying where, for those that cannot be counted."""
    try:
        for place in places(document):
            yield Grant(owner, constant(policy), place.sid, place.action, constant(place.resource)), place
    except UnknownFormError as problem:
        raise UnknownFormError(f"{owner}: {policy}: {problem}") from None


def is_role(owner: str, name: str) -> bool:
    """Whether a role's own name is that of the role which people call `owner`; a stack puts its own name around it."""
    return re.fullmatch(_named(owner), name) is not None


def _named(owner: str) -> str:
    """A regular expression for the name itself, and for the names that CloudFormation makes of it."""
    kept = [owner[:length] for length in range(len(owner), min(LEAST_KEPT, len(owner)) - 1, -1)]
    return rf"{re.escape(owner)}|.+-(?:{'|'.join(map(re.escape, kept))})-?{RANDOM}"
