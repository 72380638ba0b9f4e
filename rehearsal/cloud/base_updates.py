"""What a stack tells while it changes: events, statuses, and whether there is anything to change at all.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. AWS

- is silent about a resource that an update leaves as it is, and tells of a new one that it is created;
- cleans up once everything is updated: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, with an event for every deletion;
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
- names what failed to be created as the reason of a rollback;
- refuses an update of nothing but sections that "can't be updated by themselves": Description, Metadata, Conditions
  and Parameters.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/metadata-section-structure.html

ministack does none of it. Its own events pass through here: the first of a resource that the template still has is held
back until something happens to that resource.

Private names of ministack 1.5.33 used here: of `stacks` `_add_event`, `_update_resource`, `_delete_resource` and
`_deploy_stack_async`, the last also where `handlers` and `changesets` import it; of `handlers` `_resolve_stack` and
`_stack_has_no_updates`; `engine._evaluate_conditions`; `cloudformation._stack_events`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, stacks

Resources = dict[str, Any]

STACK = "AWS::CloudFormation::Stack"
CLEANING = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
NOT_BY_THEMSELVES = ("AWSTemplateFormatVersion", "Description", "Metadata", "Conditions", "Parameters")


@dataclass
class _Update:
    """One stack while it is updated."""

    before: Resources
    """The records of the resources that it had."""
    held: tuple[Any, ...] | None = None
    """The event that says of a resource that its update begins, while nobody knows whether it does."""
    touched: set[str] = field(default_factory=set)
    cleaning: bool = False
    rolling_back: bool = False


_updates: dict[str, _Update] = {}
"""The updates under way, by their stack's name."""


def install() -> None:
    """Tell what AWS tells. Call it once, after `base_stacks` and before the base serves."""
    _compare_what_counts()
    _watch_updates()
    _watch_resources()
    _tell_events()


def _compare_what_counts() -> None:
    no_updates = handlers._stack_has_no_updates

    def nothing_that_counts(
        stack: Resources, template: Resources, param_values: Resources, *rest: object, **named: object
    ) -> bool:
        before: Resources = stack.get("_resolved_params") or {}
        conditions = engine._evaluate_conditions(template, param_values)
        held: dict[str, bool] = stack.get("_conditions") or {}
        if _counting(template) == _counting(stack.get("_template") or {}) and all(
            conditions[name] == held[name] for name in conditions.keys() & held.keys()
        ):
            # A parameter or condition that came or went is used by nothing: all that could use it is as it was.
            both = before.keys() & param_values.keys()
            stack = {**stack, "_template": template, "_resolved_params": {name: before[name] for name in both}}
            param_values = {name: param_values[name] for name in both}
        return bool(no_updates(stack, template, param_values, *rest, **named))

    handlers._stack_has_no_updates = nothing_that_counts


def _counting(template: Resources) -> Resources:
    return {name: each for name, each in template.items() if name not in NOT_BY_THEMSELVES}


def _watch_updates() -> None:
    deploy = stacks._deploy_stack_async

    async def watched(stack_name: str, stack_id: str, *rest: object, **named: Any) -> None:  # noqa: ANN401
        previous = named.get("previous_stack")
        if not named.get("is_update") or not previous or named.get("imports"):
            await deploy(stack_name, stack_id, *rest, **named)
            return
        update = _updates[stack_name] = _Update(dict(previous.get("_resources") or {}))
        try:
            await deploy(stack_name, stack_id, *rest, **named)
        finally:
            del _updates[stack_name]
        stack = handlers._resolve_stack(stack_id)
        if stack is not None and stack["StackStatus"] == "UPDATE_COMPLETE":
            _set_statuses(stack["_resources"], update)

    stacks._deploy_stack_async = handlers._deploy_stack_async = changesets._deploy_stack_async = watched


def _set_statuses(resources: Resources, update: _Update) -> None:
    for logical_id, record in resources.items():
        before = update.before.get(logical_id)
        if before is None:
            record["ResourceStatus"] = "CREATE_COMPLETE"
        elif logical_id not in update.touched and record["ResourceStatus"] == "UPDATE_COMPLETE":
            record["ResourceStatus"] = before["ResourceStatus"]


def _watch_resources() -> None:
    change, delete = stacks._update_resource, stacks._delete_resource

    def told_update(
        resource_type: str, physical_id: str, old: Resources, new: Resources, stack_name: str,
        logical_id: str | None = None, *rest: object,
    ) -> Any:  # noqa: ANN401 - ministack's signature  # fmt: skip
        update = _updates.get(stack_name)
        if update is not None and old != new:
            update.touched.add(logical_id or "")
            _release(update)
        return change(resource_type, physical_id, old, new, stack_name, logical_id, *rest)

    def told_delete(
        resource_type: str, physical_id: str, props: Resources,
        stack_name: str | None = None, logical_id: str | None = None,
    ) -> Any:  # noqa: ANN401 - ministack's signature  # fmt: skip
        update = _updates.get(stack_name or "")
        stack = handlers._resolve_stack(stack_name) if update is not None else None
        if update is None or stack is None or update.rolling_back:
            return delete(resource_type, physical_id, props, stack_name, logical_id)
        _clean_up(update, stack)
        told = (stack["StackId"], stack_name, logical_id, resource_type)
        stacks._add_event(*told, "DELETE_IN_PROGRESS", physical_id=physical_id)
        answer = delete(resource_type, physical_id, props, stack_name, logical_id)
        stacks._add_event(*told, "DELETE_COMPLETE", physical_id=physical_id)
        return answer

    stacks._update_resource, stacks._delete_resource = told_update, told_delete


def _release(update: _Update) -> None:
    if update.held is not None:
        held, update.held = update.held, None
        _add(*held)


def _clean_up(update: _Update, stack: Resources) -> None:
    if not update.cleaning:
        update.cleaning = True
        stack["StackStatus"] = CLEANING
        _add(stack["StackId"], stack["StackName"], stack["StackName"], STACK, CLEANING, "", stack["StackId"])


def _tell_events() -> None:
    def told(
        stack_id: str, stack_name: str, logical_id: str, resource_type: str, status: str,
        reason: str = "", physical_id: str = "", detailed_status: str = "",
    ) -> None:  # fmt: skip
        event = (stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)
        update = _updates.get(stack_name)
        if physical_id == stack_id:
            _tell_of_stack(update, *event)
        elif update is None or update.rolling_back or not status.startswith("UPDATE_"):
            _add(*event)
        else:
            _tell_of_resource(update, *event)

    stacks._add_event = told
    # `handlers` and `changesets` tell of stacks only, and only that something begins: theirs need no second look.


def _tell_of_stack(
    update: _Update | None, stack_id: str, stack_name: str, logical_id: str, resource_type: str, status: str,
    reason: str, *rest: str,
) -> None:  # fmt: skip
    stack = handlers._resolve_stack(stack_id)
    if update is not None and stack is not None:
        _release(update)
        update.rolling_back = update.rolling_back or status == "UPDATE_ROLLBACK_IN_PROGRESS"
        if status == "UPDATE_COMPLETE":
            _clean_up(update, stack)
            stack["StackStatus"] = status
    failed = _failed_to_be_created(stack_id)
    if failed and reason == "Rollback requested":
        reason = f"The following resource(s) failed to create: [{failed}]. Rollback requested by user."
    elif failed and status == "CREATE_FAILED" and stack is not None:
        reason = stack["StackStatusReason"] = f"The following resource(s) failed to create: [{failed}]. "
    _add(stack_id, stack_name, logical_id, resource_type, status, reason, *rest)


def _failed_to_be_created(stack_id: str) -> str:
    events = cloudformation._stack_events.get(stack_id) or []
    return ", ".join(
        each["LogicalResourceId"]
        for each in events
        if each["ResourceStatus"] == "CREATE_FAILED" and each["ResourceType"] != STACK
    )


def _tell_of_resource(
    update: _Update, stack_id: str, stack_name: str, logical_id: str, resource_type: str, status: str,
    reason: str, *rest: str,
) -> None:  # fmt: skip
    event = (stack_id, stack_name, logical_id, resource_type, status, reason, *rest)
    if logical_id not in update.before:
        _add(*event[:4], status.replace("UPDATE_", "CREATE_", 1), *event[5:])
    elif status == "UPDATE_IN_PROGRESS" and not reason:
        update.held = event
    elif status == "UPDATE_IN_PROGRESS":
        update.held = None  # a replacement is told with its reason instead
        _add(*event)
    elif status == "UPDATE_COMPLETE" and logical_id not in update.touched:
        update.held = None
    else:
        _release(update)
        _add(*event)


_add = stacks._add_event
"""ministack's own."""
