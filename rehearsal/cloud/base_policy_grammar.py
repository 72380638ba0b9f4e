"""Policies that mean nothing are refused when they are written, not passed over when they are read.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack keeps a
policy with a condition operator that nobody knows, and then no statement with it ever matches: a Deny is silent. It
keeps policies of resources whatever they say. Here they are looked at as AWS looks at them, whoever writes them: calls
of the API are changed by `install`, and `base_template_checks.py` asks for the policies in templates, which ministack's
stacks write past the API.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html

Private names of ministack 1.5.33 used here: `iam_evaluator.validate_policy_document` and `_CONDITION_OPS`;
`iam._trust_policy_not_principal_error`; `s3._put_bucket_policy` and `_error`; `sns._create_topic`,
`_set_topic_attributes`, `_p` and `_error`; `kms._create_key` and `_put_key_policy`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json
from ministack.services import iam, kms, s3, sns, sts

from rehearsal.cloud.base_principals import ACCOUNT, unknown

Statement = dict[str, Any]

OF_IDENTITY = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
OF_RESOURCE = OF_IDENTITY | {"Principal", "NotPrincipal"}
OF_TRUST = OF_RESOURCE - {"Resource", "NotResource"}
ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
RESOURCE = re.compile(r"\*|arn:.+|\$\{.+|\*:.+")
ASSUMING = re.compile(r"sts:(assumerole|tagsession|setsourceidentity|setcontext|.*[*?])", re.IGNORECASE)
ON_OBJECTS = frozenset(
    {
        "abortmultipartupload",
        "bypassgovernanceretention",
        "initiatereplication",
        "listmultipartuploadparts",
        "replicatedelete",
        "replicatetags",
    }
)
"""S3's actions on objects that do not say so in their names."""

_grammar, _trusting = iam_evaluator.validate_policy_document, iam._trust_policy_not_principal_error
"""ministack's own."""


def install() -> None:
    """Look at policies as they are written. Call it once, before the base serves."""
    iam_evaluator.validate_policy_document = sts.validate_policy_document = identity_problem
    iam._trust_policy_not_principal_error = trust_problem
    _look_at_bucket_policies()
    _look_at_topic_policies()
    _look_at_key_policies()


def identity_problem(document: Any) -> str | None:  # noqa: ANN401 - text or JSON
    """What AWS says against a policy of a role, user, group or session."""
    known: str | None = _grammar(document)
    return known or next(_problems(document, OF_IDENTITY), None)


def trust_problem(document: Any) -> str | None:  # noqa: ANN401 - text or JSON
    """What AWS says against a role's trust policy.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html
    """
    known: str | None = _trusting(document)
    return known or next(_problems(document, OF_TRUST), None) or next(_problems_of_trust(document), None)


def bucket_problem(bucket: str, document: Any) -> str | None:  # noqa: ANN401 - text or JSON
    """What AWS says against a bucket's policy.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    https://repost.aws/knowledge-center/s3-invalid-principal-in-policy-error
    """
    return next(_problems(document, OF_RESOURCE), None) or next(_problems_of_bucket(bucket, document), None)


def topic_problem(document: Any) -> str | None:  # noqa: ANN401 - text or JSON
    """What AWS says against a topic's policy.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
    """
    return next(_problems(document, OF_RESOURCE), None) or next(_problems_of_topic(document), None)


def key_problem(document: Any, *, may_lock_out: bool = False) -> str | None:  # noqa: ANN401 - text or JSON
    """What AWS says against a key's policy; `may_lock_out` is its BypassPolicyLockoutSafetyCheck.

    AWS demands that the caller may change the policy again; here, that anybody of the account may.
    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """
    found = next(_problems(document, OF_RESOURCE), None)
    if found is not None:
        return found
    if any(True for statement in _statements(document) for _ in unknown(statement)):
        return "Policy contains a statement with one or more invalid principals."
    if not may_lock_out and not any(_lets_change(statement) for statement in _statements(document)):
        return "The new key policy will not allow you to update the key policy in the future."
    return None


# ---- calls of the API


def _look_at_bucket_policies() -> None:
    put = s3._put_bucket_policy

    def put_bucket_policy(name: str, body: bytes) -> Any:  # noqa: ANN401 - ministack's answer
        problem = bucket_problem(name, body.decode(errors="replace"))
        return s3._error("MalformedPolicy", problem, 400) if problem else put(name, body)

    s3._put_bucket_policy = put_bucket_policy


def _look_at_topic_policies() -> None:
    create, change = sns._create_topic, sns._set_topic_attributes

    def create_topic(params: Any) -> Any:  # noqa: ANN401 - ministack's
        number = 1
        while name := sns._p(params, f"Attributes.entry.{number}.key"):
            problem = name == "Policy" and topic_problem(sns._p(params, f"Attributes.entry.{number}.value"))
            if problem:
                return sns._error("InvalidParameter", problem, 400)
            number += 1
        return create(params)

    def set_topic_attributes(params: Any) -> Any:  # noqa: ANN401 - ministack's
        problem = sns._p(params, "AttributeName") == "Policy" and topic_problem(sns._p(params, "AttributeValue"))
        return sns._error("InvalidParameter", problem, 400) if problem else change(params)

    sns._create_topic, sns._set_topic_attributes = create_topic, set_topic_attributes


def _look_at_key_policies() -> None:
    def looking(write: Any) -> Any:  # noqa: ANN401 - ministack's
        def written(data: dict[str, Any]) -> Any:  # noqa: ANN401 - ministack's answer
            given, bypassed = data.get("Policy"), bool(data.get("BypassPolicyLockoutSafetyCheck"))
            problem = given and key_problem(given, may_lock_out=bypassed)
            return error_response_json("MalformedPolicyDocumentException", problem, 400) if problem else write(data)

        return written

    kms._create_key, kms._put_key_policy = looking(kms._create_key), looking(kms._put_key_policy)


# ---- what is wrong


def _statements(document: Any) -> list[Statement]:  # noqa: ANN401 - text or JSON
    document = json.loads(document) if isinstance(document, str) else document
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _problems_of_trust(document: Any) -> Iterator[str]:  # noqa: ANN401 - text or JSON
    for statement in _statements(document):
        if "Principal" not in statement:
            yield "Missing required field Principal"
        for action in _actions(statement):
            if not ASSUMING.match(action):
                yield "AssumeRole policy may only specify STS AssumeRole actions."
        for kind, name in unknown(statement):
            yield f'Invalid principal in policy: "{kind.upper()}":"{name}"'


def _problems_of_bucket(bucket: str, document: Any) -> Iterator[str]:  # noqa: ANN401 - text or JSON
    own = f"arn:aws:s3:::{bucket}"
    for statement in _statements(document):
        if any(True for _ in unknown(statement)):
            yield "Invalid principal in policy"
        if any(action != "*" and not action.lower().startswith("s3:") for action in _actions(statement)):
            yield "Policy has invalid action"
        for resource in (*_listed(statement.get("Resource")), *_listed(statement.get("NotResource"))):
            name, slash, _ = resource.partition("/")
            if resource != "*" and name != own and not _is_pattern_of(resource if not slash else name, own):
                yield "Policy has invalid resource"
        if not all(_applies(action, statement) for action in _listed(statement.get("Action"))):
            yield "Action does not apply to any resource(s) in statement"


def _applies(action: str, statement: Statement) -> bool:
    """Whether an action on objects finds an object among the resources, and one on the bucket the bucket.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    """
    name, resources = action.partition(":")[2].lower(), _listed(statement.get("Resource"))
    if not resources or re.search(r"[*?]", action):
        return True
    if is_on_objects(name):
        return any("/" in each or re.search(r"[*?]|\$\{", each) for each in resources)
    return not is_on_buckets(name) or any("/" not in each for each in resources)


def is_on_objects(action: str) -> bool:
    """Whether an action of S3, in lower case and without its prefix, is on objects."""
    on_buckets = re.search(r"bucketobject|objectlambda", action)
    return action in ON_OBJECTS or ("object" in action and not on_buckets)


def is_on_buckets(action: str) -> bool:
    """Whether an action of S3, in lower case and without its prefix, is on a bucket."""
    configuring = action.endswith("configuration") and not re.search(r"accesspoint|storagelens", action)
    return (configuring or "bucket" in action) and not is_on_objects(action) and action != "listallmybuckets"


def _is_pattern_of(resource: str, own: str) -> bool:
    """Whether a resource with wildcards may be the bucket, or its objects."""
    if not re.search(r"[*?]|\$\{", resource):
        return False
    pattern = re.escape(resource).replace(r"\*", ".*").replace(r"\?", ".")
    return "${" in resource or re.match(pattern, own) is not None or resource.startswith(f"{own}*")


def _problems_of_topic(document: Any) -> Iterator[str]:  # noqa: ANN401 - text or JSON
    for statement in _statements(document):
        if any(action != "*" and not action.lower().startswith("sns:") for action in _actions(statement)):
            yield "Invalid parameter: Policy statement action out of service scope!"
        if any(True for _ in unknown(statement)):
            yield "Invalid parameter: Policy Error: PrincipalNotFound"


def _lets_change(statement: Statement) -> bool:
    if statement["Effect"] != "Allow":
        return False
    named = statement.get("Principal")
    names = [named] if isinstance(named, str) else _listed((named or {}).get("AWS"))
    ours = any(name == "*" or ACCOUNT in name.split(":") for name in names)
    if "NotAction" in statement:
        return ours and not any(_covers(action) for action in _listed(statement["NotAction"]))
    return ours and any(_covers(action) for action in _listed(statement.get("Action")))


def _covers(action: str) -> bool:
    pattern = re.escape(action).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, "kms:PutKeyPolicy", re.IGNORECASE) is not None


def _actions(statement: Statement) -> list[str]:
    return [*_listed(statement.get("Action")), *_listed(statement.get("NotAction"))]


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
    unknown_members = sorted(set(statement) - members)
    if unknown_members == ["Principal"]:
        yield "Policy document should not specify a principal."
    elif unknown_members:
        yield f"Syntax errors in policy: {', '.join(unknown_members)}"
    for action in _actions(statement):
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
