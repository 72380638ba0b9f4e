"""How the base's process asks the front door: about a resource of a stack, and to take an event.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.

Private name of ministack 1.5.33 used here: `provisioners._cr_stack_id`.
"""

from __future__ import annotations

import http.client
import json
import os
from typing import Any

from ministack.services.cloudformation import provisioners

FRONT_DOOR = os.environ["REHEARSAL_FRONT_DOOR"]  # host:port
TOKEN = os.environ["REHEARSAL_TOKEN"]


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
    """What the front door makes of one resource: `authorise`, `create`, `update` or `delete`. Raises ValueError with
    the reason it refuses."""
    stack_id = provisioners._cr_stack_id(what["stack_name"])
    return ask_front_door(f"/_cloud/resource/{verb}", {"type_name": type_name, "stack_id": stack_id, **what})
