"""A quick look at requests and answers: type and constraints of every value in one pass, without words.

Nearly every document is sound, and a list's answer has thousands of values. What this look does not call plain is not
wrong for that: `validation` then finds out, and says what.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from rehearsal.cloud.java_patterns import java_pattern

Look = Callable[[Any], bool]
WHOLE, DECIMAL = frozenset({int}), frozenset({int, float})
TYPES = {
    "integer": WHOLE,
    "long": WHOLE,
    "float": DECIMAL,
    "double": DECIMAL,
    "timestamp": frozenset({datetime, int, float}),
    "boolean": frozenset({bool}),
    "blob": frozenset({str, bytes, bytearray}),
}
"""The types that a simple value has, and no type derived from them: True is no whole number."""
NUMBERS = ("integer", "long", "float", "double")


@functools.cache
def plain(shape: Shape) -> Look:
    """What tells whether a value is plainly of a shape."""
    if getattr(shape, "is_document_type", False):
        return lambda _value: False
    if isinstance(shape, StructureShape):
        return _structure(shape)
    if isinstance(shape, ListShape):
        return _list(shape)
    if isinstance(shape, MapShape):
        return _map(shape)
    return _string(shape) if isinstance(shape, StringShape) else _simple(shape)


def _structure(shape: StructureShape) -> Look:
    required, one = frozenset(shape.required_members), bool(getattr(shape, "is_tagged_union", False))
    looks: dict[str, Look] = {}  # filled at the first look: shapes may contain themselves

    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if type(value) is not dict or (one and len(value) != 1):
            return False
        if not looks:
            looks.update({name: plain(member) for name, member in shape.members.items()})
        for name, member in value.items():
            found = looks.get(name)
            if found is None or not found(member):
                return False
        return required <= value.keys()

    return look


def _list(shape: ListShape) -> Look:
    least, most = _bounds(shape)

    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        return type(value) is list and least <= len(value) <= most and all(map(plain(shape.member), value))

    return look


def _map(shape: MapShape) -> Look:
    least, most = _bounds(shape)

    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if type(value) is not dict or not least <= len(value) <= most:
            return False
        return all(map(plain(shape.key), value)) and all(map(plain(shape.value), value.values()))

    return look


def _string(shape: StringShape) -> Look:
    least, most = _bounds(shape)
    choices, pattern = frozenset(shape.enum), shape.metadata.get("pattern")
    compiled = java_pattern(pattern) if pattern else None
    matches = compiled.fullmatch if compiled else None

    def look(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if type(value) is not str or not least <= len(value) <= most:
            return False
        return (not choices or value in choices) and (matches is None or matches(value) is not None)

    return look


def _simple(shape: Shape) -> Look:
    types, (least, most) = TYPES.get(shape.type_name, frozenset()), _bounds(shape)
    if shape.type_name in NUMBERS:
        return lambda value: type(value) in types and least <= value <= most
    if shape.type_name == "blob":
        return lambda value: type(value) in types and least <= len(value) <= most
    return lambda value: type(value) in types


def _bounds(shape: Shape) -> tuple[float, float]:
    return shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
