"""Every authorisation that is decided in the base, kept with all that decided it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. Nothing is recorded
until the question `record` was asked. From then on each decision on a role's call is kept with its condition keys, the
identity policies, boundary and session policy in force at that moment and the resource's own policy, so that it can be
decided again with one of them changed; so is each role that an AWS service becomes, with the trust policy that let it.
The same decision is kept once and counted.

Both that ask the evaluator are seen: ministack for its own services, and the front door (`decide`) for ours.

Private names of ministack 1.5.33 used here: of the policy evaluator `resolve_principal`, `combine_resource_policy`,
`_resolve_managed_policy_document` and `_role_name_from_assumed_arn`; `iam._roles` and `sts._sessions`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, sts

Document = dict[str, Any]

MARK = "rehearsal:policies"
"""Where a principal's condition keys carry which policies were in force; no policy can ask for such a key."""
OF_THE_SESSION = frozenset({MARK, "aws:userid", "aws:tokenissuetime"})
"""Keys that are another word for every session of a role; calls that differ in them only are the same."""

_lock = threading.RLock()
_recording = False
_documents: dict[str, Any] = {}
"""Policy documents by their digest."""
_policies: dict[str, Document] = {}
"""What was in force for a principal, by its digest: documents by their digest."""
_found: dict[str, Document] = {}
"""The authorisations, by all that makes them differ, in order of their first time."""


def record(_question: Document) -> Document:
    """Record from now on."""
    global _recording
    if not _recording:
        _recording = True
        _install()
    return {}


def authorisations(_question: Document) -> Document:
    """Everything recorded so far."""
    with _lock:
        return {"authorisations": list(_found.values()), "policies": dict(_policies), "documents": dict(_documents)}


def keep_trust(request: Any, role: Document, service: str, *, trusted: bool) -> None:  # noqa: ANN401 - ministack's
    """An AWS service asked to become `role`; nothing is kept when nobody records."""
    if _recording:
        policies = {"role": role["Arn"], "trust": _document(role["AssumeRolePolicyDocument"])}
        with _lock:
            request.principal_keys = {MARK: _known(_policies, policies)}
            request.resource_arn = role["Arn"]
            _keep(request, role["RoleName"], "Allow" if trusted else "ImplicitDeny", None, principal=service)


def _install() -> None:
    resolve, evaluate = iam_evaluator.resolve_principal, iam_evaluator.evaluate
    combine = iam_evaluator.combine_resource_policy

    def marked(access_key_id: str, account_id: str, credential: Any = None) -> Any:  # noqa: ANN401 - ministack's
        principal = resolve(access_key_id, account_id, credential)
        if isinstance(principal, iam_evaluator.PrincipalInfo) and principal.type == "AssumedRole":
            principal.keys[MARK] = _in_force(access_key_id, principal)
        return principal

    def noted(request: Any, policies: Any, *limits: Any) -> Any:  # noqa: ANN401 - ministack's
        result = evaluate(request, policies, *limits)
        if MARK in request.principal_keys and not hasattr(request, "recorded"):  # later ones are the resource's policy
            request.recorded = _keep(request, _role_of(request), result.decision, None)
        return result

    def combined(identity: Any, request: Any, policy: Any, owner: Any, required: bool = False, **rest: Any) -> Any:  # noqa: ANN401 - ministack's
        result = combine(identity, request, policy, owner, required=required, **rest)
        if hasattr(request, "recorded"):
            asked = {"document": _document(policy), "owner": owner, "required": required}
            with _lock:
                _forget(request.recorded)
                request.recorded = _keep(request, _role_of(request), result.decision, asked)
        return result

    iam_evaluator.resolve_principal = marked
    iam_evaluator.evaluate = noted
    iam_evaluator.combine_resource_policy = combined


def _role_of(request: Any) -> str:  # noqa: ANN401 - ministack's
    return str(iam_evaluator._role_name_from_assumed_arn(request.principal_arn))


def _in_force(access_key_id: str, principal: Any) -> str:  # noqa: ANN401 - ministack's
    name = iam_evaluator._role_name_from_assumed_arn(principal.arn)
    role = iam._roles.get_scoped(principal.account, None, name) or {}
    managed: Callable[[str], Any] = lambda arn: iam_evaluator._resolve_managed_policy_document(arn, principal.account)  # noqa: E731
    boundary = role.get("PermissionsBoundary")
    session = (sts._sessions.get(access_key_id) or {}).get("SessionPolicies")
    named = [session["Policy"]] if session and session.get("Policy") else []
    named += [managed(arn) for arn in session.get("PolicyArns", [])] if session else []
    policies = {
        "role": role.get("Arn", ""),
        "inline": {each: _document(written) for each, written in dict(role.get("InlinePolicies") or {}).items()},
        "managed": {arn: _document(managed(arn)) for arn in list(role.get("AttachedPolicies", []))},
        "boundary": {boundary: _document(managed(boundary))} if boundary else {},
        "session": None if session is None else [_document(written) for written in named if written],
    }
    with _lock:
        return _known(_policies, policies)


def _document(written: Any) -> str:  # noqa: ANN401 - a document, written out or not
    return _document_of_text(written if isinstance(written, str) else json.dumps(written or None))


@lru_cache(maxsize=1000)
def _document_of_text(text: str) -> str:
    with _lock:
        return _known(_documents, json.loads(text) if text else None)


def _known(kept: dict[str, Any], value: Any) -> str:  # noqa: ANN401 - any JSON
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
    kept.setdefault(digest, value)
    return digest


def _keep(request: Any, role: str, decision: str, resource_policy: Document | None, principal: str = "") -> str:  # noqa: ANN401 - ministack's
    keys = {name: value for name, value in request.principal_keys.items() if name != MARK}
    lasting = {name: value for name, value in keys.items() if name not in OF_THE_SESSION}
    same = [role, principal, request.action, request.resource_arn, request.service_context, lasting,
            request.principal_keys[MARK], decision, resource_policy]  # fmt: skip
    key = json.dumps(same, sort_keys=True, default=str)
    with _lock:
        found = _found.get(key)
        if found is None:
            found = _found[key] = {
                "role": role,
                "principal": principal or request.principal_arn,
                "action": request.action,
                "resource": request.resource_arn,
                "context": request.service_context,
                "decision": decision,
                "count": 0,
                "region": request.region,
                "account": request.principal_account,
                "secure": request.secure_transport,
                "principal_keys": keys,
                "policies": request.principal_keys[MARK],
                "resource_policy": resource_policy,
            }
        found["count"] += 1
    return key


def _forget(key: str) -> None:
    """Take back what `_keep` counted, because the resource's policy has its word, too."""
    _found[key]["count"] -= 1
    if not _found[key]["count"]:
        del _found[key]


QUESTIONS: dict[str, Callable[[Document], Document]] = {
    "/_base/record": record,
    "/_base/authorisations": authorisations,
}
