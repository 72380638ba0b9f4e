"""The grants of a policy document: each action entry on each resource entry of each Allow statement.

Standard library only: the base's environment reads this, too. A role's trust policy names principals instead of
resources; there a grant is an action entry for a principal.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


class UnknownFormError(ValueError):
    """A policy says something in a form whose grants cannot be counted."""


@dataclass(frozen=True)
class Place:
    """Where a grant stands in its document: the number of its statement, and both entries as they are written."""

    statement: int
    action: str
    resource: str
    sid: str = ""


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - policies write one or a list of it
    """A list, whichever way it was written."""
    return value if isinstance(value, list) else [value]


def places(document: Document) -> Iterator[Place]:
    """The grants of a document, in its order. A statement without a Sid is called `statement 1` and so on.

    Raises UnknownFormError for an Allow with NotAction, NotResource or NotPrincipal: such a grant has no entries that
    could be taken away one by one.
    """
    for number, statement in enumerate(listed(document["Statement"])):
        if statement["Effect"] != "Allow":
            continue
        sid = statement.get("Sid") or f"statement {number + 1}"
        entries = _entries(statement)
        if "Action" not in statement or entries is None:
            raise UnknownFormError(f"{sid} allows without naming its actions, and its resources or principals")
        for action in dict.fromkeys(listed(statement["Action"])):
            for entry in dict.fromkeys(entries):
                yield Place(number, action, entry, sid)


def _entries(statement: Document) -> list[str] | None:
    if "Resource" in statement:
        return listed(statement["Resource"])
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return [each for named in principal.values() for each in listed(named)]
    return [principal] if isinstance(principal, str) else None


def without(document: Document, place: Place) -> Document:
    """The document with everything that it granted but one grant."""
    statements = listed(document["Statement"])
    old = statements[place.statement]
    actions = [each for each in listed(old["Action"]) if each != place.action]
    rest = _without_entry(old, place.resource)
    kept = []
    if actions:
        kept.append({**old, "Action": actions})
    if rest is not None:
        more = {**rest, "Action": place.action}
        if actions and "Sid" in more:  # a Sid may stand once in a document
            more["Sid"] += "Rest"
        kept.append(more)
    return {**document, "Statement": [*statements[: place.statement], *kept, *statements[place.statement + 1 :]]}


def only(document: Document, place: Place) -> Document:
    """The document with nothing but one grant, with its statement's conditions."""
    old = listed(document["Statement"])[place.statement]
    alone = {**old, "Action": place.action}
    if "Resource" in old:
        alone["Resource"] = place.resource
    elif isinstance(old["Principal"], dict):
        alone["Principal"] = {
            kind: place.resource for kind, named in old["Principal"].items() if place.resource in listed(named)
        }
    return {**document, "Statement": [alone]}


def _without_entry(statement: Document, entry: str) -> Document | None:
    """The statement without one of its resources or principals; None when it had no other."""
    if "Resource" in statement:
        left = [each for each in listed(statement["Resource"]) if each != entry]
        return {**statement, "Resource": left} if left else None
    if not isinstance(statement["Principal"], dict):
        return None
    named = {kind: [each for each in listed(of) if each != entry] for kind, of in statement["Principal"].items()}
    named = {kind: of for kind, of in named.items() if of}
    return {**statement, "Principal": named} if named else None
