"""When a stack may be deleted.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack starts a
deletion whatever the stack is in the middle of, side by side with that. AWS:

- refuses it while the stack is updated, rolls an update back or cleans up after one: "cannot be deleted while in
  status ..."; CancelUpdateStack, then waiting, is the way out.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn--stack-update-cancel.html
- gives up a creation: no further resource is created, and those that were are deleted. AWS shows DELETE_IN_PROGRESS at
  once; here the creation is first seen to roll back.
- takes a second request while it deletes as the same wish.

Whether AWS refuses it while a failed creation rolls back is not documented: it is refused here.

Private names of ministack 1.5.33 used here: of `handlers` `_ACTION_HANDLERS`, `_resolve_stack`, `_error`, `_xml`, `_p`
and `_create_stack_task_in_region`; `stacks._provision_resource`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ministack.services.cloudformation import handlers, stacks

LOOK_EVERY_SECONDS = 0.02
GIVEN_UP = "Resource creation cancelled"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html"""

_given_up: set[str] = set()
"""Ids of the stacks whose creation is given up."""


def install() -> None:
    """Decide before ministack does. Call it once, after the resource types are in place and before the base serves."""
    delete = handlers._ACTION_HANDLERS["DeleteStack"]

    def delete_stack(params: dict[str, Any]) -> Any:  # noqa: ANN401 - ministack's answer
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        status = stack["StackStatus"] if stack else ""
        if stack is None or not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return delete(params)
        if status == "DELETE_IN_PROGRESS" or stack["StackId"] in _given_up:
            return handlers._xml(200, "DeleteStackResponse", "")
        if status != "CREATE_IN_PROGRESS":
            return handlers._error(
                "ValidationError", f"Stack [{stack['StackId']}] cannot be deleted while in status {status}"
            )
        if stack.get("EnableTerminationProtection"):
            return delete(params)  # which refuses it
        _given_up.add(stack["StackId"])
        handlers._create_stack_task_in_region(_when_given_up(stack, delete, params), stack, stack["StackId"])
        return handlers._xml(200, "DeleteStackResponse", "")

    provision = stacks._provision_resource

    def provision_unless_given_up(
        resource_type: str, logical_id: str, props: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        stack = handlers._resolve_stack(stack_name)
        if stack and stack["StackId"] in _given_up:
            raise RuntimeError(GIVEN_UP)
        made: tuple[str, dict[str, Any]] = provision(resource_type, logical_id, props, stack_name)
        return made

    handlers._ACTION_HANDLERS["DeleteStack"] = delete_stack
    stacks._provision_resource = provision_unless_given_up


async def _when_given_up(stack: dict[str, Any], delete: Any, params: dict[str, Any]) -> None:  # noqa: ANN401
    """Delete the stack once its creation has come to an end."""
    while stack["StackStatus"].endswith("_IN_PROGRESS"):
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    _given_up.discard(stack["StackId"])
    if handlers._resolve_stack(stack["StackId"]) is stack:
        delete({**params, "StackName": [stack["StackId"]]})
