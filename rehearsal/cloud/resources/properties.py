"""Template properties as the API wants them: CloudFormation hands scalars over as strings, and the API has types.

`typed(properties, shape)` converts by the service model, for any provider whose properties carry the API's own names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

WHOLE = ("integer", "long")
REAL = ("float", "double")


def typed(value: Any, shape: Shape) -> Any:  # noqa: ANN401 - any JSON value
    """`value` with every scalar in the type that `shape` gives it.

    What cannot be converted stays as it is, and so do members the shape does not know: validation names them.
    """
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {
            name: typed(member, shape.members[name]) if name in shape.members else member
            for name, member in value.items()
            if member is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [typed(member, shape.member) for member in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {str(key): typed(member, shape.value) for key, member in value.items()}
    return _scalar(value, shape.type_name)


def _scalar(value: Any, kind: str) -> Any:  # noqa: ANN401 - any JSON value
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "string" and isinstance(value, bool):
        return str(value).lower()
    if kind == "string" and isinstance(value, int | float):
        return str(value)
    if kind in (*WHOLE, *REAL) and isinstance(value, str):
        try:
            return float(value) if kind in REAL else int(value)
        except ValueError:
            return value
    if kind in WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def without(properties: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """`properties` without some of them."""
    left_out = set(names)
    return {name: value for name, value in properties.items() if name not in left_out}


def tag_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[list[dict[str, str]], list[str]]:
    """Tags to add or change, and keys to remove, between two versions of a resource's `Tags` property."""
    old = {str(tag["Key"]): str(tag["Value"]) for tag in before.get("Tags") or []}
    new = {str(tag["Key"]): str(tag["Value"]) for tag in after.get("Tags") or []}
    changed = [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]
    return changed, sorted(old.keys() - new.keys())
