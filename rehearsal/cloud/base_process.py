"""The base emulator's own process: ministack, plus the things the cloud needs of its inside.

Runs in the base's environment (standard library and ministack only), started by `base.py`:

1. `/_base/...` answers who owns an access key, what a principal may do, and assumes roles as an AWS service does
   (ministack's own root key would bypass the trust policy).
2. Every resource of every stack is announced to the front door before it is touched (there it is authorised as the
   stack's role) and the types that the front door owns are created, updated and deleted there.
3. Types of ours join the tables of replacing properties and of stack tags.
4. The root user has one key and signs with its secret, as everybody does.
5. Event targets that ministack cannot reach are handed to the front door; those it can reach get the event only when
   their own policy lets EventBridge in.

Private names of ministack 1.5.33 used here, each with a test that fails when a new version lacks it:
`_RESOURCE_HANDLERS`, `_REPLACING_PROPERTIES`, `_STACK_TAG_PROPERTY`, `eventbridge._invoke_target`,
`eventbridge._put_events`, `eventbridge._apply_input_transformer`, `helpers._resolve_document`,
`stacks._runs_on_worker_thread`, `stacks._provision_resource`, `stacks._update_resource`, `stacks._delete_resource`,
`provisioners._provision_resource`, `provisioners._cr_stack_id`, and of the policy evaluator `resolve_principal`,
`_resource_policy`, `_gather_role_policies`, `_permissions_boundary`, `_is_root_key`, `enforce`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from ministack import app as ministack_app
from ministack.core import iam_evaluator
from ministack.core.responses import get_region, set_request_account_id, set_request_region
from ministack.services import eventbridge, iam, sts
from ministack.services.cloudformation import helpers, provisioners, stacks

FRONT_DOOR = os.environ["REHEARSAL_FRONT_DOOR"]  # host:port
TOKEN = os.environ["REHEARSAL_TOKEN"]
ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]
ROOT_KEY = os.environ["AWS_ACCESS_KEY_ID"]
OUR_TYPES = frozenset(json.loads(os.environ["REHEARSAL_TYPES"]))
REPLACING: dict[str, list[str]] = json.loads(os.environ["REHEARSAL_REPLACING"])
TAG_PROPERTIES: dict[str, str] = json.loads(os.environ["REHEARSAL_TAG_PROPERTIES"])

ALLOWED: Counter[tuple[str, str]] = Counter()
SESSION_SECONDS = 12 * 3600  # services renew theirs; nothing here outlives a day

log = logging.getLogger("base")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def ask_front_door(path: str, document: dict[str, Any]) -> dict[str, Any]:
    """One question to the front door. Raises ValueError with the reason it refuses, as stack events show it."""
    host, port = FRONT_DOOR.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=7200)
    try:
        connection.request(
            "POST",
            path,
            json.dumps(document, default=str),
            {"Content-Type": "application/json", "X-Rehearsal-Token": TOKEN},
        )
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def provide(verb: str, type_name: str, /, **what: Any) -> dict[str, Any]:  # noqa: ANN401
    stack_id = provisioners._cr_stack_id(what["stack_name"])
    return ask_front_door(f"/_cloud/resource/{verb}", {"type_name": type_name, "stack_id": stack_id, **what})


def _is_ours(type_name: str) -> bool:
    return type_name in OUR_TYPES or type_name.startswith("Custom::")


def install_resource_types() -> None:
    """Put our types into ministack's tables, and the announcement before every resource of any type."""
    for name in OUR_TYPES:
        provisioners._RESOURCE_HANDLERS[name] = {
            "create": _create(name),
            "update": _update(name),
            "update_with_logical_id": True,
            "delete": _delete,
        }
    for name, properties in REPLACING.items():
        provisioners._REPLACING_PROPERTIES[name] = tuple(properties)
    for name, tag_property in TAG_PROPERTIES.items():
        provisioners._STACK_TAG_PROPERTY.setdefault(name, (tag_property, "list"))
    # Announcing means an HTTP round trip that leads back here: never on the event loop.
    stacks._runs_on_worker_thread = lambda _type: True

    provision, update, delete = (
        provisioners._provision_resource,
        provisioners._update_resource,
        provisioners._delete_resource,
    )

    def announced_provision(resource_type: str, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:  # noqa: ANN401
        if not _is_ours(resource_type):
            provide("authorise", resource_type, operation="create", logical_id=logical_id, properties=props,
                    stack_name=stack_name)  # fmt: skip
        return provision(resource_type, logical_id, props, stack_name)

    def announced_update(resource_type: str, physical_id: str, old: dict[str, Any], new: dict[str, Any],
                         stack_name: str, logical_id: str | None = None, *rest: Any) -> Any:  # noqa: ANN401  # fmt: skip
        if not _is_ours(resource_type) and old != new:
            provide("authorise", resource_type, operation="update", logical_id=logical_id, properties=new,
                    previous_properties=old, physical_id=physical_id, stack_name=stack_name)  # fmt: skip
        return update(resource_type, physical_id, old, new, stack_name, logical_id, *rest)

    def announced_delete(resource_type: str, physical_id: str, props: dict[str, Any],
                         stack_name: str | None = None, logical_id: str | None = None) -> Any:  # noqa: ANN401  # fmt: skip
        if _is_ours(resource_type):
            provide("delete", resource_type, logical_id=logical_id, properties=props, physical_id=physical_id,
                    stack_name=stack_name)  # fmt: skip
            return None
        provide("authorise", resource_type, operation="delete", logical_id=logical_id, properties=props,
                physical_id=physical_id, stack_name=stack_name)  # fmt: skip
        return delete(resource_type, physical_id, props, stack_name, logical_id)

    stacks._provision_resource = announced_provision
    stacks._update_resource = announced_update
    stacks._delete_resource = announced_delete
    provisioners._provision_resource = announced_provision  # replacements create through this name
    provisioners._delete_resource = announced_delete


def _create(name: str) -> Callable[[str, dict[str, Any], str], tuple[str, dict[str, Any]]]:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        made = provide("create", name, logical_id=logical_id, properties=props, stack_name=stack_name)
        return made["physical_id"], made["attributes"]

    return create


def _update(name: str) -> Callable[..., tuple[str, dict[str, Any]]]:
    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str = ""
    ) -> tuple[str, dict[str, Any]]:
        made = provide("update", name, logical_id=logical_id, properties=new, previous_properties=old,
                       physical_id=physical_id, stack_name=stack_name)  # fmt: skip
        return made["physical_id"], made["attributes"]

    return update


def _delete(_physical_id: str, _props: dict[str, Any]) -> None:
    raise RuntimeError("deletions of our types go through announced_delete")


def install_role_boundaries() -> None:
    """ministack's stacks forget a role's PermissionsBoundary: without it every boundary would be decoration."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    create, update = handlers["create"], handlers["update"]

    def bounded_create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, props, stack_name)
        iam._roles[name]["PermissionsBoundary"] = props.get("PermissionsBoundary")
        return name, attributes

    def bounded_update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:  # noqa: ANN401
        result = update(physical_id, old, new, *rest)
        iam._roles[result[0]]["PermissionsBoundary"] = new.get("PermissionsBoundary")
        return result

    provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"] = {**handlers, "create": bounded_create, "update": bounded_update}


def install_template_urls() -> None:
    """Let TemplateURL be a virtual-hosted address too (`https://<bucket>.s3.<region>.amazonaws.com/<key>`)."""
    resolve = helpers._resolve_document

    def resolve_any(params: dict[str, Any], body_key: str, url_key: str, label: str) -> Any:  # noqa: ANN401
        given = params.get(url_key)
        url = given[0] if isinstance(given, list) else given
        parts = urlsplit(url or "")
        if ".s3" in parts.netloc:
            bucket = parts.netloc.split(".s3", 1)[0]
            params = {**params, url_key: [f"https://s3.amazonaws.com/{bucket}{parts.path}"]}
        return resolve(params, body_key, url_key, label)

    helpers._resolve_document = resolve_any


def install_root_key() -> None:
    """ministack takes `test`, account numbers, no key at all and its own root key with any secret for the root user.

    Here the root user has one key, and its signature is verified like everybody's.
    """

    def is_root_access_key(access_key_id: str) -> bool:
        return access_key_id == ROOT_KEY

    iam_evaluator.is_root_access_key = sts.is_root_access_key = is_root_access_key
    iam_evaluator._is_root_key = lambda _access_key_id: False  # decides only whose signature is not looked at


# ---- event targets


def install_event_targets() -> None:
    """Deliver to targets ministack lacks through the front door, and to its own only where their policy allows."""
    deliver = eventbridge._invoke_target

    def deliver_if_allowed(
        target: dict[str, Any],
        event: dict[str, Any],
        rule: dict[str, Any],
        view: Any = None,  # noqa: ANN401
    ) -> None:
        arn = target.get("Arn", "")
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        view = view or eventbridge._pattern_event_view(event)
        if service in ACTIONS_OF_EVENTS and not _target_lets_events_in(service, arn, rule.get("Arn", "")):
            _hand_over("refused", target, rule, view, None)
        elif service in ("sns", "sqs"):
            deliver(target, event, rule, view)
        else:
            transformer = target.get("InputTransformer")
            payload = eventbridge._apply_input_transformer(transformer, rule, view) if transformer else None
            _hand_over("deliver", target, rule, view, payload or target.get("Input"))

    eventbridge._invoke_target = deliver_if_allowed


ACTIONS_OF_EVENTS = {"sns": "sns:Publish", "sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}


def _target_lets_events_in(service: str, arn: str, rule_arn: str) -> bool:
    """Whether the target's own policy lets the rule in. Conditions of a topic's policy find no keys to hold: AWS says
    that Condition blocks in policies of SNS topics are not supported for EventBridge.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    context = {} if service == "sns" else {"aws:sourcearn": rule_arn, "aws:sourceaccount": ACCOUNT}
    policy = iam_evaluator._resource_policy(service, arn)
    request = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:iam::{ACCOUNT}:service/events.amazonaws.com",
        principal_type="Service",
        principal_account=ACCOUNT,
        action=ACTIONS_OF_EVENTS[service],
        resource_arn=arn,
        region=get_region(),
        secure_transport=True,
        service_context=context,
    )
    found = iam_evaluator.evaluate_resource_policy(policy[0] if policy else None, request, "events.amazonaws.com")
    return bool(found.decision == "Allow")


def _hand_over(verb: str, target: dict[str, Any], rule: dict[str, Any], view: Any, payload: str | None) -> None:  # noqa: ANN401
    document = {"verb": verb, "rule": rule, "target": target, "event": view.event_with_detail(), "payload": payload}

    def send() -> None:
        try:
            ask_front_door("/_cloud/event", document)
        except (OSError, ValueError) as problem:
            log.error("event for %s was not delivered: %s", target.get("Arn"), problem)

    # On a thread: this runs on the event loop, and the front door's answer may need this process.
    threading.Thread(target=send, daemon=True).start()


# ---- who, and may they


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
    """Allow or deny each call of one principal, identity policies, boundary and resource policies together."""
    principal = iam_evaluator.resolve_principal(question["access_key_id"], ACCOUNT)
    if isinstance(principal, iam_evaluator.AuthError):
        return {"error": principal.message, "code": principal.code}
    return {"decisions": [_decision(principal, call) for call in question["calls"]]}


def _decision(principal: iam_evaluator.PrincipalInfo, call: dict[str, Any]) -> str:
    if principal.policies is None:  # the account's root user
        return "Allow"
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
    return str(result.decision)


def install_record_of_allowed() -> None:
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


def allowed(_question: dict[str, Any]) -> dict[str, Any]:
    """Who was allowed what by ministack itself, and how often."""
    return {"allowed": [[*key, count] for key, count in ALLOWED.items()]}


def trusts(question: dict[str, Any]) -> dict[str, Any]:
    """Whether a role's trust policy lets an AWS service assume it, conditions included."""
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
    return {"exists": True, "trusted": result.decision == "Allow"}


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


def emit(question: dict[str, Any]) -> dict[str, Any]:
    """Put an event on the default bus as an AWS service does: only those may use a source that starts with `aws.`"""
    status, _headers, body = eventbridge._put_events({"Entries": [question]}, allow_aws_source=True)
    answer = json.loads(body)
    if status != 200 or answer["FailedEntryCount"]:
        return {"error": f"the bus refused the event: {answer}"}
    return {}


QUESTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/_base/allowed": allowed,
    "/_base/credential": credential,
    "/_base/decide": decide,
    "/_base/trusts": trusts,
    "/_base/session": session,
    "/_base/emit": emit,
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """ministack's ASGI application with the questions above in front of it."""
    question = QUESTIONS.get(scope.get("path", "")) if scope["type"] == "http" else None
    if question is None:
        # The loopback hop stands in for AWS's TLS: policies that demand aws:SecureTransport see it as such.
        secure = {**scope, "scheme": "https"} if scope["type"] == "http" else scope
        await ministack_app.app(secure, receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    sent = {name.lower(): value for name, value in scope["headers"]}
    if sent.get(b"x-rehearsal-token") != TOKEN.encode():
        status, answer = 403, {"error": "only the front door may ask"}
    else:
        set_request_account_id(ACCOUNT)
        set_request_region(os.environ["MINISTACK_REGION"])
        status, answer = 200, question(json.loads(body))
    payload = json.dumps(answer).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": payload})


def main() -> None:
    # Beside this script, which runs outside the package:
    import base_deletions  # type: ignore[import-not-found]
    import base_functions  # type: ignore[import-not-found]
    import base_leftovers  # type: ignore[import-not-found]
    import base_repairs  # type: ignore[import-not-found]
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    base_repairs.install()
    install_resource_types()
    base_deletions.install()
    base_leftovers.install()
    base_functions.install(provide)
    QUESTIONS["/_base/resource_policy"] = base_functions.resource_policy
    install_role_boundaries()
    install_template_urls()
    install_root_key()
    install_record_of_allowed()
    install_event_targets()
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 600
    config.loglevel = "WARNING"
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
