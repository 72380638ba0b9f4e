"""Who owns an access key, what a principal may do, and sessions of roles as an AWS service makes them.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack's own root
key would bypass a role's trust policy, so the root user has one key here and signs with its secret, as everybody does.

A service that goes on in the name of its caller, as CloudFormation does for a stack without a role, has a session of
the same principal with `aws:CalledVia` in it. No service that acts with a role of its own does.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-calledvia

Private names of ministack 1.5.33 used here: of the policy evaluator `resolve_principal`, `_resource_policy`,
`_gather_role_policies`, `_permissions_boundary`, `_is_root_key`, `_service_principal_matches`,
`_principal_keys` and `enforce`; `iam._roles`; of `sts` `_sessions`, `_gen_session_access_key`, `_gen_secret` and
`_gen_session_token`.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import iam, sts

from rehearsal.cloud import base_denials, base_recording, base_withholding

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]
ROOT_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SESSION_SECONDS = 12 * 3600  # services renew theirs; nothing here outlives a day

CALLED_VIA = "rehearsal:called-via"
"""Where a session carries the services that it goes through, in order."""

ALLOWED: Counter[tuple[str, str]] = Counter()


def install() -> None:
    """Let the root user have one key, and count what is allowed. Call it once, before the base serves."""
    _give_root_one_key()
    _tell_called_via()
    _record_what_is_allowed()


def _give_root_one_key() -> None:
    """ministack takes `test`, account numbers, no key at all and its own root key with any secret for the root user.

    Here the root user has one key, and its signature is verified like everybody's.
    """

    def is_root_access_key(access_key_id: str) -> bool:
        return access_key_id == ROOT_KEY

    iam_evaluator.is_root_access_key = sts.is_root_access_key = is_root_access_key
    iam_evaluator._is_root_key = lambda _access_key_id: False  # decides only whose signature is not looked at


def _tell_called_via() -> None:
    keys_of = iam_evaluator._principal_keys

    def keys_with_services(credential: Any) -> dict[str, Any]:  # noqa: ANN401 - ministack's
        keys: dict[str, Any] = keys_of(credential)
        via = (sts._sessions.get(credential.access_key_id) or {}).get(CALLED_VIA)
        if via:
            keys |= {"aws:calledvia": via, "aws:calledviafirst": via[0], "aws:calledvialast": via[-1]}
        return {**keys, "aws:viaawsservice": "true"} if via else keys

    iam_evaluator._principal_keys = keys_with_services


def _record_what_is_allowed() -> None:
    """Count what ministack allows; what it refuses, the front door reads from its answers."""
    enforce = iam_evaluator.enforce

    def recorded(access_key_id: str, iam_action: str, *rest: Any, **named: Any) -> Any:  # noqa: ANN401
        result = enforce(access_key_id, iam_action, *rest, **named)
        if result is None:
            caller = iam_evaluator.resolve_credential(access_key_id, ACCOUNT)
            if not isinstance(caller, iam_evaluator.CredentialResolutionError):
                ALLOWED[caller.principal_arn, iam_action] += 1
        return result

    iam_evaluator.enforce = recorded


# ---- the front door's questions


def credential(question: dict[str, Any]) -> dict[str, Any]:
    """Whose access key this is: secret, token and principal, or AWS's error for a key nobody owns."""
    found = iam_evaluator.resolve_credential(question["access_key_id"], ACCOUNT)
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        return {"error": found.message, "code": found.code}
    return {
        "access_key_id": found.access_key_id,
        "secret_access_key": found.secret_access_key,
        "session_token": found.session_token,
        "principal_arn": found.principal_arn,
    }


def decide(question: dict[str, Any]) -> dict[str, Any]:
    """What keeps each call of one principal from being made, empty for one that is allowed: identity policies,
    boundary, session and resource policies together."""
    principal = iam_evaluator.resolve_principal(question["access_key_id"], ACCOUNT)
    if isinstance(principal, iam_evaluator.AuthError):
        return {"error": principal.message, "code": principal.code}
    return {"refusals": [_refusal(principal, call) for call in question["calls"]]}


def _refusal(principal: iam_evaluator.PrincipalInfo, call: dict[str, Any]) -> str:
    if principal.policies is None:  # the account's root user
        return ""
    context = {key.lower(): value for key, value in call["context"].items()}
    context.setdefault("aws:tagkeys", None)
    request = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=call["action"],
        resource_arn=call["resource"],
        region=get_region(),
        secure_transport=True,  # on AWS every call of a service or SDK is TLS; the loopback hop stands in for it
        service_context=context,
        principal_keys=principal.keys,
    )
    result = iam_evaluator.evaluate(request, principal.policies, *principal.limits)
    service = call["action"].split(":")[0]
    policy = iam_evaluator._resource_policy(service, call["resource"])
    if policy is not None:
        result = iam_evaluator.combine_resource_policy(
            result, request, *policy, required=service == "kms", limits=principal.limits
        )
    return "" if result.decision == "Allow" else base_denials.why(result)


def allowed(_question: dict[str, Any]) -> dict[str, Any]:
    """Who was allowed what by ministack itself, and how often."""
    return {"allowed": [[*key, count] for key, count in ALLOWED.items()]}


def trusts(question: dict[str, Any]) -> dict[str, Any]:
    """Whether a role's trust policy lets an AWS service assume it, conditions included."""
    base_withholding.take_away()
    path_and_name = question["role_arn"].split(":role/", 1)[-1]
    role = iam._roles.get_scoped(ACCOUNT, None, path_and_name.rsplit("/", 1)[-1])
    if role is None or role.get("Arn") != question["role_arn"]:
        return {"exists": False, "trusted": False}
    request = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:iam::{ACCOUNT}:service/{question['service']}",
        principal_type="Service",
        principal_account=ACCOUNT,
        action="sts:AssumeRole",
        resource_arn="*",
        region=get_region(),
        service_context={key.lower(): value for key, value in question["context"].items()},
    )
    document = role["AssumeRolePolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    statements = document["Statement"]
    named = [
        {key: value for key, value in {**statement, "Resource": "*"}.items() if key != "Principal"}
        for statement in (statements if isinstance(statements, list) else [statements])
        if iam_evaluator._service_principal_matches(statement.get("Principal", {}), question["service"])
    ]
    result = iam_evaluator.evaluate(request, [iam_evaluator.parse_policy_document({"Statement": named})])
    trusted = result.decision == "Allow"
    base_recording.keep_trust(request, role, question["service"], trusted=trusted)
    return {"exists": True, "trusted": trusted}


def session(question: dict[str, Any]) -> dict[str, Any]:
    """Credentials of a role's session. Whether it may be had was decided before, by `trusts`."""
    name = question["role_arn"].rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(ACCOUNT, None, name)
    if role is None:
        return {"error": f"Role {question['role_arn']} does not exist", "code": "NoSuchEntity"}
    keys = {
        "access_key_id": sts._gen_session_access_key(),
        "secret_access_key": sts._gen_secret(),
        "session_token": sts._gen_session_token(),
        "principal_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{question['session_name']}",
    }
    sts.register_session(
        keys["access_key_id"],
        {
            "Arn": keys["principal_arn"],
            "UserId": f"{role['RoleId']}:{question['session_name']}",
            "SecretAccessKey": keys["secret_access_key"],
            "SessionToken": keys["session_token"],
            "Expiration": time.time() + SESSION_SECONDS,
            "AccountId": ACCOUNT,
            "PrincipalType": "AssumedRole",
            "SessionPolicies": {"Policy": question["policy"], "PolicyArns": []} if question["policy"] else None,
        },
    )
    return keys


def forwarded(question: dict[str, Any]) -> dict[str, Any]:
    """Credentials with which a service goes on in its caller's name: the caller's session, and through which services.

    A user and the root user have no session; theirs are their own.
    """
    before = sts._sessions.get(question["access_key_id"])
    if before is None:
        return credential(question)
    access_key_id = sts._gen_session_access_key()
    sts.register_session(access_key_id, {**before, CALLED_VIA: [*before.get(CALLED_VIA, []), question["service"]]})
    return credential({"access_key_id": access_key_id})


QUESTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/_base/allowed": allowed,
    "/_base/credential": credential,
    "/_base/decide": decide,
    "/_base/forwarded": forwarded,
    "/_base/trusts": trusts,
    "/_base/session": session,
}
