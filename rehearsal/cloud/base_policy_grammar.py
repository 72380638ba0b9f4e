"""Policies that mean nothing are refused when they are written, not passed over when they are read.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack keeps a
policy with a condition operator that nobody knows, and then no statement with it ever matches: a Deny is silent.
Templates are held to the same by the linter.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html

Private names of ministack 1.5.33 used here: `iam_evaluator.validate_policy_document` and `_CONDITION_OPS`;
`iam._trust_policy_not_principal_error`; `s3._put_bucket_policy` and `_error`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, s3, sts

Statement = dict[str, Any]

OF_IDENTITY = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
OF_RESOURCE = OF_IDENTITY | {"Principal", "NotPrincipal"}
OF_TRUST = OF_RESOURCE - {"Resource", "NotResource"}
ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
RESOURCE = re.compile(r"\*|arn:.+|\$\{.+|\*:.+")


def install() -> None:
    """Look at policies as they are written. Call it once, before the base serves."""
    known, trusted, put = (
        iam_evaluator.validate_policy_document,
        iam._trust_policy_not_principal_error,
        s3._put_bucket_policy,
    )

    def identity_problem(document: Any) -> str | None:  # noqa: ANN401 - text or JSON
        return known(document) or next(_problems(document, OF_IDENTITY), None)

    def trust_problem(document: Any) -> str | None:  # noqa: ANN401 - text or JSON
        return trusted(document) or next(_problems(document, OF_TRUST), None)

    def put_bucket_policy(name: str, body: bytes) -> Any:  # noqa: ANN401 - ministack's answer
        problem = next(_problems(body.decode(errors="replace"), OF_RESOURCE), None)
        return s3._error("MalformedPolicy", problem, 400) if problem else put(name, body)

    iam_evaluator.validate_policy_document = sts.validate_policy_document = identity_problem
    iam._trust_policy_not_principal_error = trust_problem
    s3._put_bucket_policy = put_bucket_policy


def _problems(document: Any, members: set[str]) -> Iterator[str]:  # noqa: ANN401 - text or JSON
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            yield "This policy contains invalid Json"
            return
    statements = document.get("Statement") if isinstance(document, dict) else None
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            yield "Syntax errors in policy."
            return
        yield from _problems_of(statement, members)


def _problems_of(statement: Statement, members: set[str]) -> Iterator[str]:
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"Invalid effect: {statement.get('Effect')}"
    unknown = sorted(set(statement) - members)
    if unknown == ["Principal"]:
        yield "Policy document should not specify a principal."
    elif unknown:
        yield f"Syntax errors in policy: {', '.join(unknown)}"
    for action in (*_listed(statement.get("Action")), *_listed(statement.get("NotAction"))):
        if not ACTION.fullmatch(action):
            yield "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    for resource in (*_listed(statement.get("Resource")), *_listed(statement.get("NotResource"))):
        if not RESOURCE.fullmatch(resource):
            yield f'Resource {resource} must be in ARN format or "*".'
    for operator in statement.get("Condition") or {}:
        if not _is_operator(operator):
            yield f"Invalid Condition type : {operator}."


def _is_operator(name: str) -> bool:
    bare = re.sub(r"^(forallvalues|foranyvalue):", "", name.lower())
    return bare == "null" or bare.removesuffix("ifexists") in iam_evaluator._CONDITION_OPS


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - a text or a list of them
    return [value] if isinstance(value, str) else [str(each) for each in value or []]
