"""What ministack's policy evaluator gets wrong, put right: variables, ARNs, and keys that say who calls.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack

- takes a policy variable for plain text, so that a statement with one never matches: a Deny is then silent;
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
- compares ARNs as text, where IAM looks at each of their six parts by itself;
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
- says of a role's session that its `aws:PrincipalArn` is the session's, where IAM gives the role's, and knows neither
  `aws:PrincipalIsAWSService` nor `aws:ViaAWSService`;
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
- does not tell IAM's own keys of a request, `iam:PermissionsBoundary` and `iam:PolicyARN`, the role that a stack is
  given, `cloudformation:RoleArn`, nor who is subscribed to a topic, `sns:Protocol` and `sns:Endpoint`.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html

Private names of ministack 1.5.33 used here: of the policy evaluator `_first_match`, `_resolve_condition_key`,
`_CONDITION_OPS`, `_fnmatch_compile`, `fnmatch_iam_cs` and `_role_name_from_assumed_arn`;
`iam_actions.request_tag_context` and `_query_param`; `iam._roles` and `_users`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

VARIABLE = re.compile(r"\$\{([^}]*)\}")
DEFAULT = re.compile(r"\s*([^,]+?)\s*,\s*'([^']*)'\s*")
LITERALS = {"*": "\ue000", "?": "\ue001"}
"""Characters that stand for a star and a question mark which match nothing but themselves."""
PARTS_OF_AN_ARN = 6

WITH_BOUNDARY_OF_REQUEST = {f"iam:{verb}PermissionsBoundary" for verb in ("PutRole", "PutUser")} | {
    "iam:CreateRole",
    "iam:CreateUser",
}
WITH_BOUNDARY_OF_ENTITY = {
    f"iam:{verb}{kind}Policy" for verb in ("Attach", "Detach", "Put", "Delete") for kind in ("Role", "User")
} | {f"iam:Delete{kind}PermissionsBoundary" for kind in ("Role", "User")}
OF_REQUEST: dict[str, dict[str, str]] = {
    "sns:Subscribe": {"sns:Protocol": "Protocol", "sns:Endpoint": "Endpoint"},
    **{
        f"cloudformation:{action}": {"cloudformation:RoleArn": "RoleARN"}
        for action in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ContinueUpdateRollback")
    },
}
"""Condition keys that hold what a member of the request says."""
WITH_POLICY = {f"iam:{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("Role", "User", "Group")}


def install() -> None:
    """Put it right. Call it once, before the base serves."""
    _replace_variables()
    _compare_arns_by_part()
    _say_who_calls()
    _tell_keys_of_requests()


# ---- variables


def _replace_variables() -> None:
    first_match, compile_pattern = iam_evaluator._first_match, iam_evaluator._fnmatch_compile

    def match_with_values(request: Any, statements: list[Any], effect: str) -> Any:  # noqa: ANN401 - ministack's
        return first_match(request, [_with_values(each, request) for each in statements], effect)

    def compile_with_literals(pattern: str, ignore_case: bool) -> re.Pattern[str]:
        compiled: re.Pattern[str] = compile_pattern(pattern, ignore_case)
        if not any(literal in pattern for literal in LITERALS.values()):
            return compiled
        source = compiled.pattern
        for character, literal in LITERALS.items():
            source = source.replace(re.escape(literal), re.escape(character))
        return re.compile(source, compiled.flags)

    iam_evaluator._first_match = match_with_values
    iam_evaluator._fnmatch_compile = compile_with_literals


def _with_values(statement: Any, request: Any) -> Any:  # noqa: ANN401 - ministack's
    if not any("${" in each for each in (*statement.resources, *statement.not_resources, str(statement.conditions))):
        return statement

    def pattern(text: str) -> str:
        return VARIABLE.sub(lambda found: _value(found, request, as_pattern=True), text)

    def plain(text: str) -> str:
        return VARIABLE.sub(lambda found: _value(found, request, as_pattern=False), text)

    conditions = {
        operator: {
            key: _each(pattern if "like" in operator.lower() or "arn" in operator.lower() else plain, wanted)
            for key, wanted in keys.items()
        }
        for operator, keys in statement.conditions.items()
        if isinstance(keys, dict)
    }
    return dataclasses.replace(
        statement,
        resources=[pattern(each) for each in statement.resources],
        not_resources=[pattern(each) for each in statement.not_resources],
        conditions=conditions,
    )


def _each(change: Any, wanted: Any) -> Any:  # noqa: ANN401 - a text or a list of them
    if isinstance(wanted, list):
        return [change(str(each)) for each in wanted]
    return change(str(wanted))


def _value(found: re.Match[str], request: Any, *, as_pattern: bool) -> str:  # noqa: ANN401 - ministack's
    """A variable's value; the variable itself, which is no name of anything, when the request has none."""
    name = found[1]
    if name in ("*", "?", "$"):
        value = name
    else:
        with_default = DEFAULT.fullmatch(name)
        known = iam_evaluator._resolve_condition_key(with_default[1] if with_default else name.strip(), request)
        if known is None or isinstance(known, list):  # a key with several values cannot be a variable
            if with_default is None:
                return found[0]
            known = with_default[2]
        value = str(known)
    return "".join(LITERALS.get(each, each) for each in value) if as_pattern else value


# ---- ARNs


def _compare_arns_by_part() -> None:
    def like(actual: str, expected: str) -> bool:
        if expected == "*":
            return True
        parts, wanted = (each.split(":", PARTS_OF_AN_ARN - 1) for each in (actual, expected))
        if len(parts) != PARTS_OF_AN_ARN or len(wanted) != PARTS_OF_AN_ARN:
            return actual == expected
        return all(iam_evaluator.fnmatch_iam_cs(part, each) for part, each in zip(parts, wanted, strict=True))

    for operator in ("arnlike", "arnequals"):
        iam_evaluator._CONDITION_OPS[operator] = like
    for operator in ("arnnotlike", "arnnotequals"):
        iam_evaluator._CONDITION_OPS[operator] = lambda actual, expected: not like(actual, expected)


# ---- keys


def _say_who_calls() -> None:
    resolve = iam_evaluator._resolve_condition_key

    def resolve_ours(key: str, request: Any) -> Any:  # noqa: ANN401 - ministack's
        name = key.lower()
        if name == "aws:principalarn" and request.principal_type == "AssumedRole":
            role = iam._roles.get_scoped(
                request.principal_account, None, iam_evaluator._role_name_from_assumed_arn(request.principal_arn)
            )
            return role["Arn"] if role else request.principal_arn
        if name == "aws:principalisawsservice":
            return str(request.principal_type == "Service").lower()
        if name == "aws:viaawsservice":
            forwarded = name in request.principal_keys or "kms:viaservice" in request.service_context
            return str(forwarded).lower()
        return resolve(key, request)

    iam_evaluator._resolve_condition_key = resolve_ours


def _tell_keys_of_requests() -> None:
    tags = iam_actions.request_tag_context

    def context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = tags(service, iam_action, body, params)
        for key, member in OF_REQUEST.get(iam_action, {}).items():
            value = iam_actions._query_param(params, member)
            if value:
                found[key] = value
        if service != "iam":
            return found
        boundary = ""
        if iam_action in WITH_BOUNDARY_OF_REQUEST:
            boundary = iam_actions._query_param(params, "PermissionsBoundary")
        elif iam_action in WITH_BOUNDARY_OF_ENTITY:
            role, user = (iam_actions._query_param(params, each) for each in ("RoleName", "UserName"))
            entity = iam._roles.get(role) if role else iam._users.get(user)
            boundary = (entity or {}).get("PermissionsBoundary") or ""
        if boundary:
            found["iam:PermissionsBoundary"] = boundary
        if iam_action in WITH_POLICY:
            found["iam:PolicyARN"] = iam_actions._query_param(params, "PolicyArn")
        return found

    iam_actions.request_tag_context = context
