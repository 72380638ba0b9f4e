"""How AWS's reader calls a JSON value of another type than it wants: `NUMBER_VALUE can not be converted to a String`.

Standard library only: the base's own process says it, too.
"""

from __future__ import annotations

from typing import Any


def json_kind(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """The reader's word for the type of a value."""
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    if isinstance(value, int | float):
        return "NUMBER_VALUE"
    if isinstance(value, dict):
        return "START_OBJECT"
    if isinstance(value, list | tuple):
        return "START_ARRAY"
    return "NULL_VALUE" if value is None else "STRING_VALUE"
