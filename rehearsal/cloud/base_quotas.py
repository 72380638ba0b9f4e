"""How long policies may be, and how many an identity may have: ministack minds neither.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. White space does not
count. The quotas are AWS's defaults; those of managed policies and of a role's trust policy can be raised on request,
those of inline policies cannot.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

Private names of ministack 1.5.33 used here: of `iam` `_IAM_HANDLERS`, `_p`, `_error`, `_roles`, `_users`, `_groups`,
`_user_inline_policies` and `_group_inline_policies`; `provisioners._RESOURCE_HANDLERS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Documents = dict[str, Any]

MANAGED_POLICY = 6144
TRUST_POLICY = 2048
INLINE_POLICIES = {"Role": 10240, "Group": 5120, "User": 2048}
"""Of all inline policies of an identity together."""
ATTACHED_POLICIES = 10


class TooMuchError(ValueError):
    """A quota is exceeded; the message is IAM's."""


def install() -> None:
    """Count before IAM keeps anything, for programs and stacks. Call it once, after `base_repairs.install`."""
    for action, check in CHECKS.items():
        _count_call(action, check)
    _count_resource("AWS::IAM::ManagedPolicy", _check_managed_policy)
    _count_resource("AWS::IAM::Role", _check_role)
    _count_resource("AWS::IAM::Policy", _check_policy)


def length(document: Any) -> int:  # noqa: ANN401 - text or JSON
    """How many characters of a policy count."""
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return len("".join(text.split()))


def check_managed_policy(document: Any) -> None:  # noqa: ANN401 - text or JSON
    """Raise TooMuchError for a managed policy that is too long."""
    if length(document) > MANAGED_POLICY:
        raise TooMuchError(f"Cannot exceed quota for PolicySize: {MANAGED_POLICY}")


def check_trust_policy(document: Any) -> None:  # noqa: ANN401 - text or JSON
    """Raise TooMuchError for a trust policy that is too long."""
    if length(document) > TRUST_POLICY:
        raise TooMuchError(f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY}")


def check_inline_policies(kind: str, name: str, documents: Iterable[Any]) -> None:
    """Raise TooMuchError when the inline policies of a role, user or group are too long together."""
    most = INLINE_POLICIES[kind]
    if sum(length(document) for document in documents) > most:
        raise TooMuchError(f"Maximum policy size of {most} bytes exceeded for {kind.lower()} {name}")


def check_attached_policies(kind: str, arns: Iterable[str]) -> None:
    """Raise TooMuchError for more managed policies than an identity may have."""
    if len(set(arns)) > ATTACHED_POLICIES:
        raise TooMuchError(f"Cannot exceed quota for PoliciesPer{kind}: {ATTACHED_POLICIES}")


# ---- calls


def _count_call(action: str, check: Callable[[Properties], None]) -> None:
    answer = iam._IAM_HANDLERS[action]

    def counted(given: Properties) -> Any:  # noqa: ANN401 - ministack's answer
        try:
            check(given)
        except TooMuchError as too_much:
            return iam._error(409, "LimitExceeded", str(too_much))
        return answer(given)

    iam._IAM_HANDLERS[action] = counted


def _put(kind: str) -> Callable[[Properties], None]:
    def check(given: Properties) -> None:
        name = iam._p(given, f"{kind}Name")
        changed = {iam._p(given, "PolicyName"): iam._p(given, "PolicyDocument")}
        check_inline_policies(kind, name, {**_inline(kind, name), **changed}.values())

    return check


def _attach(kind: str) -> Callable[[Properties], None]:
    def check(given: Properties) -> None:
        there = _identities(kind).get(iam._p(given, f"{kind}Name")) or {}
        check_attached_policies(kind, [*there.get("AttachedPolicies", []), iam._p(given, "PolicyArn")])

    return check


def _given(member: str, check: Callable[[Any], None]) -> Callable[[Properties], None]:
    return lambda given: check(iam._p(given, member))


CHECKS: Mapping[str, Callable[[Properties], None]] = {
    "CreatePolicy": _given("PolicyDocument", check_managed_policy),
    "CreatePolicyVersion": _given("PolicyDocument", check_managed_policy),
    "CreateRole": _given("AssumeRolePolicyDocument", check_trust_policy),
    "UpdateAssumeRolePolicy": _given("PolicyDocument", check_trust_policy),
    **{f"Put{kind}Policy": _put(kind) for kind in INLINE_POLICIES},
    **{f"Attach{kind}Policy": _attach(kind) for kind in INLINE_POLICIES},
}


def _identities(kind: str) -> Any:  # noqa: ANN401 - ministack's store of the account
    return {"Role": iam._roles, "User": iam._users, "Group": iam._groups}[kind]


def _inline(kind: str, name: str) -> Documents:
    if kind == "Role":
        return dict((iam._roles.get(name) or {}).get("InlinePolicies", {}))
    store = iam._user_inline_policies if kind == "User" else iam._group_inline_policies
    return dict(store.get(name) or {})


# ---- resources of stacks


def _count_resource(type_name: str, check: Callable[[str, Properties, Properties], None]) -> None:
    """`check(physical_id, previous_properties, properties)` before the resource is created or updated."""
    handlers = provisioners._RESOURCE_HANDLERS[type_name]
    create, update = handlers["create"], handlers["update"]

    def told(physical_id: str, old: Properties, new: Properties) -> None:
        try:
            check(physical_id, old, new)
        except TooMuchError as too_much:
            raise ValueError(
                f'Resource handler returned message: "{too_much} (Service: Iam, Status Code: 409)" '
                "(HandlerErrorCode: ServiceLimitExceeded)"
            ) from too_much

    def counted_create(logical_id: str, props: Properties, stack_name: str) -> Any:  # noqa: ANN401
        told("", {}, props)
        return create(logical_id, props, stack_name)

    def counted_update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:  # noqa: ANN401
        told(physical_id, old, new)
        return update(physical_id, old, new, *rest)

    provisioners._RESOURCE_HANDLERS[type_name] = {**handlers, "create": counted_create, "update": counted_update}


def _check_managed_policy(physical_id: str, _old: Properties, new: Properties) -> None:
    check_managed_policy(new.get("PolicyDocument") or {})
    for kind in INLINE_POLICIES:
        for name in new.get(f"{kind}s") or []:
            attached = (_identities(kind).get(name) or {}).get("AttachedPolicies", [])
            check_attached_policies(kind, [*attached, physical_id])


def _check_role(physical_id: str, old: Properties, new: Properties) -> None:
    check_trust_policy(new.get("AssumeRolePolicyDocument") or {})
    role = iam._roles.get(physical_id) or {}
    before = {each["PolicyName"] for each in old.get("Policies") or []}
    kept = {name: document for name, document in role.get("InlinePolicies", {}).items() if name not in before}
    own = {each["PolicyName"]: each["PolicyDocument"] for each in new.get("Policies") or []}
    check_inline_policies("Role", physical_id or str(new.get("RoleName", "")), {**kept, **own}.values())
    attached = set(role.get("AttachedPolicies", [])) - set(old.get("ManagedPolicyArns") or [])
    check_attached_policies("Role", attached | set(new.get("ManagedPolicyArns") or []))


def _check_policy(_physical_id: str, old: Properties, new: Properties) -> None:
    for kind in INLINE_POLICIES:
        for name in new.get(f"{kind}s") or []:
            there = _inline(kind, name)
            there.pop(old.get("PolicyName", ""), None)
            documents = {**there, new["PolicyName"]: new.get("PolicyDocument") or {}}
            check_inline_policies(kind, name, documents.values())
