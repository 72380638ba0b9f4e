"""A pipeline's parameters: as its definition declares them, and as an execution is given them.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-parameters.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker import pipeline_quotas as quotas
from rehearsal.cloud.sagemaker.pipeline_members import InvalidDefinition, listed, members

PARAMETER_MEMBERS = {"Name", "Type", "Description", "DefaultValue", "EnumValues"}
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


READERS: dict[str, Callable[[str], Any]] = {"String": str, "Integer": int, "Float": float, "Boolean": _boolean}


@dataclass(frozen=True)
class Parameter:
    """One declared parameter."""

    name: str
    type: str
    default: Any = None
    allowed: tuple[Any, ...] = ()

    def value(self, given: str) -> Any:  # noqa: ANN401 - one of four types
        """The typed value of what StartPipelineExecution was given. Raises AwsError when it does not fit."""
        try:
            typed = READERS[self.type](given)
        except ValueError:
            raise AwsError(
                "ValidationException", f"Value '{given}' of parameter [{self.name}] is not of type {self.type}."
            ) from None
        if self.allowed and typed not in self.allowed:
            raise AwsError(
                "ValidationException",
                f"Value '{given}' of parameter [{self.name}] is not one of its enum values "
                f"[{', '.join(str(item) for item in self.allowed)}].",
            )
        return typed


def declared(items: list[Any]) -> dict[str, Parameter]:
    """The parameters that a definition declares. Raises InvalidDefinition."""
    found: dict[str, Parameter] = {}
    quotas.at_most(quotas.PARAMETERS, items, "parameters", "a pipeline")
    for item in items:
        named = item.get("Name") if isinstance(item, dict) else None
        members(f"parameter [{named or len(found) + 1}]", item, PARAMETER_MEMBERS)
        name, kind = item.get("Name"), item.get("Type")
        if not isinstance(name, str) or not name:
            raise InvalidDefinition("A parameter has no Name.")
        if not quotas.PARAMETER_NAME.fullmatch(name):
            raise InvalidDefinition(f"Parameter name '{name}' must match {quotas.PARAMETER_NAME.pattern}.")
        if name in found:
            raise InvalidDefinition(f"Parameter names must be unique: [{name}] is used more than once.")
        if kind not in PYTHON_TYPES:
            raise InvalidDefinition(f"Type '{kind}' of parameter [{name}] is not one of {', '.join(PYTHON_TYPES)}.")
        allowed, default = listed(f"EnumValues of parameter [{name}]", item.get("EnumValues")), item.get("DefaultValue")
        for value in [*allowed, *([] if default is None else [default])]:
            right_type = isinstance(value, PYTHON_TYPES[kind]) and (kind == "Boolean") == isinstance(value, bool)
            if not right_type:
                raise InvalidDefinition(f"Value '{value}' of parameter [{name}] is not of type {kind}.")
        if allowed and default is not None and default not in allowed:
            raise InvalidDefinition(f"DefaultValue of parameter [{name}] is not one of its EnumValues.")
        quotas.at_most(quotas.ENUM_VALUES, set(allowed), "EnumValues", f"parameter [{name}]")
        for value in allowed:
            quotas.no_longer(quotas.ENUM_VALUE_LENGTH, value, f"One of the EnumValues of parameter [{name}]")
        quotas.no_longer(quotas.DEFAULT_LENGTH, default, f"DefaultValue of parameter [{name}]")
        quotas.no_longer(quotas.DESCRIPTION_LENGTH, item.get("Description"), f"Description of parameter [{name}]")
        found[name] = Parameter(name, kind, default, tuple(allowed))
    return found


def values_of(parameters: Mapping[str, Parameter], given: list[dict[str, str]]) -> dict[str, Any]:
    """Parameter values of one execution. Raises AwsError for unknown, missing and unfitting ones."""
    values = {name: parameter.default for name, parameter in parameters.items()}
    seen: set[str] = set()
    for item in given:
        name = item["Name"]
        if name not in parameters:
            raise AwsError("ValidationException", f"Parameter [{name}] is not defined in the pipeline definition.")
        if name in seen:
            raise AwsError("ValidationException", f"Parameter [{name}] is given twice.")
        seen.add(name)
        values[name] = parameters[name].value(item["Value"])
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise AwsError("ValidationException", f"Parameters without a value: [{', '.join(missing)}].")
    return values
