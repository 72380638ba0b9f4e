"""One grant taken out of an account's policies, whoever puts it there: to see what does not work without it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. Nothing happens
until the question `withhold` was asked. From then on the grant is taken out of every policy that holds it before the
policy is first used: the account's policies really are without it, and whoever reads them sees so.

Private names of ministack 1.5.33 used here: `resolve_principal` and `_role_name_from_assumed_arn` of the policy
evaluator; `iam._roles` and `iam._policies`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from rehearsal.cloud.policy_documents import places, without

Document = dict[str, Any]

_withheld: list[Document] = []
_looked_at: set[str] = set()
_taken_from: list[str] = []


def withhold(question: Document) -> Document:
    """Take a grant away: `owner` (a role's name, or a managed policy's), `policy` (an inline policy's name; `trust` for
    a role's trust policy; empty for a managed one) and `resource` (or principal) are regular expressions, `statement`
    is the Sid and `action` the entry as it is written."""
    if not _withheld:
        resolve = iam_evaluator.resolve_principal

        def cut(access_key_id: str, account_id: str, credential: Any = None) -> Any:  # noqa: ANN401 - ministack's
            take_away()
            return resolve(access_key_id, account_id, credential)

        iam_evaluator.resolve_principal = cut
    _withheld.append(question)
    return {}


def taken_from(_question: Document) -> Document:
    """The owners of the policies that lost the grant so far."""
    return {"taken_from": list(_taken_from)}


def take_away() -> None:
    """Look through the policies that were not looked through yet. Nothing to do while nothing is withheld."""
    if not _withheld:
        return
    for owner, policy, holder, key in list(_holders()):
        written = holder[key]
        text = written if isinstance(written, str) else json.dumps(written)
        if f"{owner} {policy} {text}" in _looked_at:
            continue
        _looked_at.add(f"{owner} {policy} {text}")
        document = json.loads(text)
        for grant in _withheld:
            left = _without(owner, policy, document, grant)
            if left is not None:
                holder[key] = json.dumps(left) if isinstance(written, str) else left
                _taken_from.append(owner)


def _holders() -> Iterator[tuple[str, str, Document, str]]:
    """Every policy: its owner, its name, and where its document is kept."""
    for role in list(iam._roles.values()):
        inline = role.get("InlinePolicies") or {}
        for name in list(inline):
            yield role["RoleName"], name, inline, name
        yield role["RoleName"], "trust", role, "AssumeRolePolicyDocument"
    for managed in list(iam._policies.values()):
        for version in managed.get("Versions", {}).values():
            yield managed["PolicyName"], "", version, "Document"


def _without(owner: str, policy: str, document: Document, grant: Document) -> Document | None:
    if not (re.fullmatch(grant["owner"], owner) and re.fullmatch(grant["policy"], policy)):
        return None
    for place in places(document):
        if (place.sid, place.action) == (grant["statement"], grant["action"]) and re.fullmatch(
            grant["resource"], place.resource
        ):
            return without(document, place)
    return None


QUESTIONS: dict[str, Callable[[Document], Document]] = {
    "/_base/withhold": withhold,
    "/_base/taken-from": taken_from,
}
