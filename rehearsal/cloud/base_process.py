"""The base emulator's own process: ministack, plus the things the cloud needs of its inside.

Runs in the base's environment (standard library and ministack only), started by `base.py` as a module of this package.
What is changed in ministack, and what is asked of it through `/_base/...`, each has a module of its own, which names
what it uses of ministack's inside; `tests/rehearsal/base/test_private_names.py` fails when a new version lacks one of
those names:

- `base_identity.py`: who owns a key, and may they
- `base_denials.py`: which policy denied, and how AWS says so
- `base_stacks.py`: the front door before every resource of a stack
- `base_deletions.py`, `base_leftovers.py`: when a stack is deleted, and what stays when that fails
- `base_functions.py`: functions and custom resources, which are the front door's
- `base_events.py`, `base_event_requests.py`: events to and from the default bus
- `base_schedules.py`: rules that run on a schedule, by the clock of the rehearsal
- `base_evaluation.py`, `base_policy_grammar.py`: how policies are read, and which may be written
- `base_quotas.py`: how long policies may be, and how many
- `base_principals.py`: whom a policy may name
- `base_request_checks.py`, `base_template_checks.py`: what services refuse, of calls and of stacks' resources
- `base_objects.py`, `base_object_rights.py`: what S3 says of objects, and asks for besides
- `base_keys.py`, `base_encryption.py`, `base_topic_keys.py`: what KMS keys are asked, for objects and topics
- `base_pages.py`, `base_listings.py`: lists in pages
- `base_logs.py`: which log stream or group a call is about
- `base_policies.py`: the policies that AWS manages
- `base_repairs.py`: what ministack's stacks forget
- `base_templates.py`, `base_parameters.py`: what a template means, and what it may be given
- `base_names.py`, `base_holdings.py`, `base_exports.py`: what is taken, full, or in use
- `base_stack_records.py`, `base_updates.py`: what a stack keeps, and tells while it changes
- `base_connections.py`: what the server of all this keeps open
- `base_recording.py`: authorisations kept with all that decided them
- `base_withholding.py`: one grant taken out of the account's policies
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack_app
from ministack.core.responses import set_request_account_id, set_request_region

from rehearsal.cloud import (
    base_connections,
    base_deletions,
    base_denials,
    base_encryption,
    base_evaluation,
    base_event_requests,
    base_events,
    base_functions,
    base_identity,
    base_keys,
    base_leftovers,
    base_listings,
    base_logs,
    base_object_rights,
    base_objects,
    base_pages,
    base_policies,
    base_policy_grammar,
    base_quotas,
    base_recording,
    base_repairs,
    base_request_checks,
    base_schedules,
    base_stack_records,
    base_stacks,
    base_topic_keys,
    base_updates,
    base_withholding,
)

TOKEN = os.environ["REHEARSAL_TOKEN"]
ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

QUESTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **base_identity.QUESTIONS,
    **base_events.QUESTIONS,
    **base_functions.QUESTIONS,
    **base_recording.QUESTIONS,
    **base_withholding.QUESTIONS,
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
    """Change ministack, then serve until the process is ended."""
    base_repairs.install()
    base_quotas.install()
    base_stacks.install()
    base_updates.install()
    base_stack_records.install()
    base_deletions.install()
    base_leftovers.install()
    base_functions.install()
    base_denials.install()
    base_identity.install()
    base_objects.install()
    base_object_rights.install()
    base_keys.install()
    base_encryption.install()
    base_topic_keys.install()
    base_logs.install()
    base_evaluation.install()
    base_policy_grammar.install()
    base_events.install()
    base_schedules.install()
    base_event_requests.install()
    base_request_checks.install()
    base_policies.install()
    base_pages.install()
    base_listings.install()
    base_connections.install()
    gc.freeze()  # what was imported stays: no need to look through it for garbage, while everybody waits
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 600
    config.loglevel = "WARNING"
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
