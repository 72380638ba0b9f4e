"""Every resource of every stack passes the front door before ministack touches it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. Each resource is
announced there, where it is authorised as the stack's role, and then looked at by `base_template_checks.py`; the types
that the front door owns are created, updated and deleted there. Types of ours join the tables of replacing properties
and of stack tags.

Private names of ministack 1.5.33 used here: of `stacks` `_runs_on_worker_thread`, `_provision_resource`,
`_update_resource` and `_delete_resource`; of `provisioners` `_RESOURCE_HANDLERS`, `_REPLACING_PROPERTIES`,
`_STACK_TAG_PROPERTY`, `_provision_resource`, `_update_resource` and `_delete_resource`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners, stacks

from rehearsal.cloud import base_template_checks
from rehearsal.cloud.base_front_door import provide

OUR_TYPES = frozenset(json.loads(os.environ["REHEARSAL_TYPES"]))
REPLACING: dict[str, list[str]] = json.loads(os.environ["REHEARSAL_REPLACING"])
TAG_PROPERTIES: dict[str, str] = json.loads(os.environ["REHEARSAL_TAG_PROPERTIES"])


def install() -> None:
    """Put our types into ministack's tables, and the announcement before every resource of any type. Call it once,
    before the base serves."""
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
            base_template_checks.check(resource_type, props)
        return provision(resource_type, logical_id, props, stack_name)

    def announced_update(resource_type: str, physical_id: str, old: dict[str, Any], new: dict[str, Any],
                         stack_name: str, logical_id: str | None = None, *rest: Any) -> Any:  # noqa: ANN401  # fmt: skip
        if not _is_ours(resource_type) and old != new:
            provide("authorise", resource_type, operation="update", logical_id=logical_id, properties=new,
                    previous_properties=old, physical_id=physical_id, stack_name=stack_name)  # fmt: skip
            base_template_checks.check(resource_type, new, old)
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


def _is_ours(type_name: str) -> bool:
    return type_name in OUR_TYPES or type_name.startswith("Custom::")


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
