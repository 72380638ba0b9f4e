"""Which policy denied a call, and how AWS says so.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack says of
almost every denial that no identity-based policy allows the action, and seldom names the resource. AWS names the kind
of policy that denied, in these words;
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html#access-denied-error-examples
after an explicit deny the policy's ARN too, where it has one: an inline policy, a session's own and a resource's have
none. https://aws.amazon.com/blogs/security/enhanced-access-denied-error-messages-with-policy-arns
Where several kinds deny, AWS names one of them; which is not documented. Here it is the first in the order in which it
evaluates them: identity-based policies, permissions boundary, session policies.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html

Of a role whose trust policy keeps the caller out STS says no reason, which is how AWS answers, whatever its examples.

Private names of ministack 1.5.33 used here: of the policy evaluator `evaluate`, `enforce`, `combine_resource_policy`,
`evaluate_resource_policy`, `parse_policy_document`, `_resolve_managed_policy_document`, `_permissions_boundary`,
`_session_policy_limits` and `_first_match`; of `iam_actions` `access_denied_response` and `identity_denial_message`.
"""

from __future__ import annotations

import contextvars
import json
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions, iam_evaluator

IDENTITY, RESOURCE = "identity-based policy", "resource-based policy"
BOUNDARY, SESSION = "permissions boundary", "session policy"


class Managed(str):
    """The document of a policy that has an ARN."""

    __slots__ = ("arn",)
    arn: str


class Statements(list[Any]):
    """The statements of one policy, which knows its ARN."""

    arn = ""


class Layer(list[Any]):
    """What limits the identity-based policies, which knows what kind of policy it is."""

    kind = IDENTITY


@dataclass(frozen=True)
class Denial:
    """What was denied, and why in AWS's words. The resource is `*` for what knows none."""

    action: str
    resource: str
    why: str

    def message(self, principal: str) -> str:
        """The whole of what AWS says of it."""
        on = "" if self.resource == "*" else f" on resource: {_named(self.action, self.resource)}"
        return f"User: {principal} is not authorized to perform: {_spelled(self.action)}{on} {self.why}"


_last: contextvars.ContextVar[Denial | None] = contextvars.ContextVar("denial", default=None)
"""The denial of the request under way."""


def install() -> None:
    """Say of every denial which kind of policy it was. Call it once, before whatever else changes decisions."""
    _keep_arns()
    _keep_kinds()
    _explain()
    _remember()
    _tell()


def why(result: Any) -> str:  # noqa: ANN401 - ministack's
    """Why a call was denied, in AWS's words: `because no ... allows the ... action`, `with an explicit deny in ...`."""
    return str(getattr(result, "why", f"with an explicit deny in a {RESOURCE}"))


# ---- what decided


def _keep_arns() -> None:
    resolve, parse = iam_evaluator._resolve_managed_policy_document, iam_evaluator.parse_policy_document

    def resolve_with_arn(policy_arn: str, account_id: str) -> Any:  # noqa: ANN401 - a document or None
        found = resolve(policy_arn, account_id)
        if not found:
            return found
        document = Managed(found if isinstance(found, str) else json.dumps(found))
        document.arn = policy_arn
        return document

    def parse_with_arn(document: Any) -> Any:  # noqa: ANN401 - ministack's
        statements = Statements(parse(document))
        statements.arn = getattr(document, "arn", "")
        return statements

    iam_evaluator._resolve_managed_policy_document = resolve_with_arn
    iam_evaluator.parse_policy_document = parse_with_arn


def _keep_kinds() -> None:
    boundary, session = iam_evaluator._permissions_boundary, iam_evaluator._session_policy_limits

    def of_kind(kind: str, limits: list[Any]) -> list[Any]:
        layers = [Layer(each) for each in limits]
        for layer in layers:
            layer.kind = kind
        return layers

    iam_evaluator._permissions_boundary = lambda *asked: of_kind(BOUNDARY, boundary(*asked))
    iam_evaluator._session_policy_limits = lambda *asked: of_kind(SESSION, session(*asked))


def _explain() -> None:
    evaluate, combine = iam_evaluator.evaluate, iam_evaluator.combine_resource_policy

    def explained(request: Any, policies: Any, *limits: Any) -> Any:  # noqa: ANN401 - ministack's
        result = evaluate(request, policies, *limits)
        if result.decision == "Deny":
            result.why = _explicit(request, (policies, *limits))
        elif result.decision != "Allow":
            result.why = _implicit(request, (policies, *limits))
        return result

    def combined(identity: Any, request: Any, policy: Any, owner: Any, required: bool = False, **more: Any) -> Any:  # noqa: ANN401 - ministack's
        result = combine(identity, request, policy, owner, required=required, **more)
        if result.decision == "Allow":
            return result
        if result is not identity:
            explicit = result.decision == "Deny"
            result.why = f"with an explicit deny in a {RESOURCE}" if explicit else _missing(RESOURCE, request.action)
        elif result.decision != "Deny" and owner in (None, request.principal_account):
            # A resource's policy that names the role would do, but for what limits the role.
            named = iam_evaluator.evaluate_resource_policy(policy, request, named_only=True)
            if named.decision == "Allow" and more.get("limits"):
                result.why = _implicit(request, more["limits"])
        return result

    iam_evaluator.evaluate = explained
    iam_evaluator.combine_resource_policy = combined


def _explicit(request: Any, layers: Any) -> str:  # noqa: ANN401 - ministack's
    for layer in layers:
        for statements in layer:
            if iam_evaluator._first_match(request, statements, "Deny"):
                kind, arn = getattr(layer, "kind", IDENTITY), getattr(statements, "arn", "")
                article = "an" if kind == IDENTITY else "a"
                return f"with an explicit deny in {article} {kind}{f': {arn}' if arn else ''}"
    raise AssertionError("a denial was found, and now no policy denies")


def _implicit(request: Any, layers: Any) -> str:  # noqa: ANN401 - ministack's
    silent = (
        getattr(layer, "kind", IDENTITY)
        for layer in layers
        if not any(iam_evaluator._first_match(request, statements, "Allow") for statements in layer)
    )
    return _missing(next(silent, IDENTITY), request.action)


def _missing(kind: str, action: str) -> str:
    return f"because no {kind} allows the {_spelled(action)} action"


# ---- what is said


def _remember() -> None:
    enforce = iam_evaluator.enforce

    def remembered(
        access_key_id: str, action: str, service: str, region: str, resource_arn: str = "*", **named: object
    ) -> Any:  # noqa: ANN401 - ministack's
        result = enforce(access_key_id, action, service, region, resource_arn=resource_arn, **named)
        if isinstance(result, iam_evaluator.EvalResult):
            _last.set(Denial(action, str(resource_arn), why(result)))
        return result

    iam_evaluator.enforce = remembered


def _tell() -> None:
    respond = iam_actions.access_denied_response

    def respond_in_full(service: str, action: str, principal: str, request_id: str, **named: Any) -> Any:  # noqa: ANN401
        denial = _last.get()
        if denial is not None and not named.get("message"):
            named["message"] = denial.message(principal)
        return respond(service, action, principal, request_id, **named)

    def message(_action: str, principal: str, _resource: str, _explicit: bool) -> str:
        denial = _last.get()
        if denial is None:
            raise AssertionError("nothing was denied that a message could speak of")
        return denial.message(principal)

    iam_actions.access_denied_response = respond_in_full
    iam_actions.identity_denial_message = message


def _spelled(action: str) -> str:
    """An action as its service spells it: `SNS:Publish`, `sqs:sendmessage`."""
    service, _, name = action.partition(":")
    return {"sns": f"SNS:{name}", "sqs": f"sqs:{name.lower()}"}.get(service, action)


def _named(action: str, resource: str) -> str:
    """A resource as its service names it: S3 in quotation marks."""
    return f'"{resource}"' if action.startswith("s3:") else resource
