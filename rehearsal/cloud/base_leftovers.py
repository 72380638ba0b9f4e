"""What a stack keeps when one of its resources cannot be deleted: that resource, and whatever it depends on.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.

CloudFormation deletes a resource only once all that depend on it are gone, so one that fails holds back everything
below it. The rest is deleted; the stack ends as DELETE_FAILED (or ROLLBACK_FAILED), names only what failed, and the
next deletion goes on from there. ministack goes on to what the failed resource stands on, and forgets what a failed
rollback left, which would go on existing after the stack is gone.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails

A forced deletion keeps the same resources, but says of each that it was skipped: ministack sees to that itself. An
update's rollback is left as it is: what it cannot delete leaves the stack.

ministack walks through the resources in one go, so those that stay are not taken out of its walk: their deletion does
nothing, nobody hears of it, and they are put back with the stack's next event.

Private names of ministack 1.5.33 used here: of `stacks` `_add_event`, `_delete_resource` and `_with_dependencies`;
`_delete_stack_async` and `_roll_back_operation` of both `stacks` and `handlers`; `handlers._resolve_stack`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ministack.services.cloudformation import handlers, stacks

Resources = dict[str, Any]


@dataclass
class _Deletion:
    """Resources of one stack on their way out."""

    resources: Resources
    """The stack's own table, which ministack empties as it goes."""
    definitions: Resources
    before: Resources
    kept: set[str] = field(default_factory=set)
    """What something that could not be deleted depends on."""

    def failed(self, logical_id: str) -> None:
        self.kept |= stacks._with_dependencies([logical_id], self.definitions, set(self.before)) - {logical_id}

    def put_back(self) -> None:
        for logical_id in self.kept:
            self.resources.setdefault(logical_id, self.before[logical_id])


_deletions: dict[str, _Deletion] = {}
"""The deletions under way, by their stack's name."""


def install() -> None:
    """Keep what must stay. Call it once, after the resource types are in place and before the base serves."""
    _keep_what_is_stood_on()
    _watch_deletions()
    _watch_rollbacks()


def _keep_what_is_stood_on() -> None:
    delete, add_event = stacks._delete_resource, stacks._add_event

    def delete_unless_kept(
        resource_type: str, physical_id: str, props: Resources,
        stack_name: str | None = None, logical_id: str | None = None,
    ) -> Any:  # noqa: ANN401 - ministack's signature  # fmt: skip
        deletion = _deletions.get(stack_name or "")
        if deletion is not None and logical_id in deletion.kept:
            return None
        try:
            return delete(resource_type, physical_id, props, stack_name, logical_id)
        except Exception:
            if deletion is not None and logical_id is not None:
                deletion.failed(logical_id)
            raise

    def event_unless_kept(
        stack_id: str, stack_name: str, logical_id: str, resource_type: str, status: str,
        reason: str = "", physical_id: str = "", detailed_status: str = "",
    ) -> None:  # fmt: skip
        deletion = _deletions.get(stack_name)
        if deletion is not None:
            deletion.put_back()
            if logical_id in deletion.kept and physical_id != stack_id:  # a stack may be called like its resource
                return
        add_event(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)

    stacks._delete_resource, stacks._add_event = delete_unless_kept, event_unless_kept


@contextmanager
def _deletion(stack: dict[str, Any], template: dict[str, Any]) -> Iterator[None]:
    resources = stack.setdefault("_resources", {})
    _deletions[stack["StackName"]] = _Deletion(resources, template.get("Resources", {}), dict(resources))
    try:
        yield
    finally:
        del _deletions[stack["StackName"]]


def _watch_deletions() -> None:
    delete_all = stacks._delete_stack_async

    async def watched(stack_name: str, stack_id: str, retain_resources: Any = (), force: bool = False) -> None:  # noqa: ANN401 - ministack's signature
        stack = handlers._resolve_stack(stack_id)
        if stack is None or force:
            await delete_all(stack_name, stack_id, retain_resources, force)
            return
        with _deletion(stack, stack.get("_template") or {}):
            await delete_all(stack_name, stack_id, retain_resources, force)

    stacks._delete_stack_async = handlers._delete_stack_async = watched


def _watch_rollbacks() -> None:
    roll_back = stacks._roll_back_operation

    async def watched(
        stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason_override: str = ""
    ) -> None:
        if operation.get("is_update"):
            await roll_back(stack_name, stack_id, stack, operation, reason_override)
            return
        before = dict(stack.get("_resources", {}))
        with _deletion(stack, operation.get("template") or {}):
            await roll_back(stack_name, stack_id, stack, operation, reason_override)
        if stack["StackStatus"] == "ROLLBACK_FAILED":
            for logical_id in stack["_rollback_failed"]:
                stack["_resources"][logical_id] = {**before[logical_id], "ResourceStatus": "DELETE_FAILED"}

    stacks._roll_back_operation = handlers._roll_back_operation = watched
