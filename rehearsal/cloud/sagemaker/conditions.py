"""Conditions of Condition steps.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-condition
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.sagemaker import pipeline_quotas as quotas
from rehearsal.cloud.sagemaker.expressions import ExpressionProblem, Scope
from rehearsal.cloud.sagemaker.pipeline_members import InvalidDefinition, listed, members

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


OPERANDS = {
    **dict.fromkeys(COMPARISONS, ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "Not": ("Expression",),
    "Or": ("Conditions",),
}


def check(step: str, condition: Any) -> None:  # noqa: ANN401 - JSON
    """What CreatePipeline looks at. Raises InvalidDefinition."""
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if kind not in OPERANDS:
        raise InvalidDefinition(f"Condition type '{kind}' of step [{step}] is not one of {', '.join(OPERANDS)}.")
    found = members(f"condition {kind} of step [{step}]", condition, ("Type", *OPERANDS[kind]))
    for operand in OPERANDS[kind]:
        if operand not in found:
            raise InvalidDefinition(f"Condition {kind} of step [{step}] has no {operand}.")
    if kind == "In":
        listed(f"Values of condition In of step [{step}]", condition["Values"])
    if kind == "Not":
        check(step, condition["Expression"])
    if kind == "Or":
        several = listed(f"Conditions of condition Or of step [{step}]", condition["Conditions"])
        quotas.at_most(quotas.CONDITIONS, several, "conditions in an Or", f"step [{step}]")
        for each in several:
            check(step, each)


def holds(condition: dict[str, Any], scope: Scope) -> bool:
    """Whether one condition is true. Raises ExpressionProblem when its sides cannot be compared."""
    kind = condition.get("Type", "")
    if kind in COMPARISONS:
        left, right = scope.resolve(condition["LeftValue"]), scope.resolve(condition["RightValue"])
        if _sort(left) != _sort(right):
            raise ExpressionProblem(
                f"ClientError: {kind} cannot compare {left!r} with {right!r}: they are of different types."
            )
        return COMPARISONS[kind](left, right)
    if kind == "In":
        return scope.resolve(condition["QueryValue"]) in scope.resolve(condition["Values"])
    if kind == "Not":
        return not holds(condition["Expression"], scope)
    if kind == "Or":
        return any(holds(item, scope) for item in condition["Conditions"])
    raise NotImplementedHere(f"Condition type {kind}")


def _sort(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__
