"""What SageMaker would refuse in a compiled definition, found before anything is sent."""

import graphlib
import re
from collections.abc import Iterator
from typing import Any

STEP_REFERENCE = re.compile(r"^Steps\.([A-Za-z0-9_-]+)")


def problems(definition: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each: a parameter's default outside its own choices, steps that wait for each other."""
    for parameter in definition["Parameters"]:
        allowed, default = parameter.get("EnumValues"), parameter.get("DefaultValue")
        if allowed and default is not None and default not in allowed:
            choices = ", ".join(map(str, allowed))
            yield f"the default of parameter {parameter['Name']} is {default!r}, but its choices are {choices}"
    try:
        graphlib.TopologicalSorter(dict(_needs(definition["Steps"], ()))).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        yield f"these steps wait for each other in a circle, so none can start: {circle}"


def _needs(steps: list[dict[str, Any]], outer: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
    """Each step's name with the names of the steps that must end before it starts."""
    for step in steps:
        arguments = step.get("Arguments", {})
        branches = ("IfSteps", "ElseSteps") if step["Type"] == "Condition" else ()
        own = {key: value for key, value in arguments.items() if key not in branches}
        yield step["Name"], {*outer, *step.get("DependsOn", []), *_references(own)}
        for branch in branches:
            yield from _needs(arguments.get(branch, []), (step["Name"],))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Get"), str) and (found := STEP_REFERENCE.match(value["Get"])):
            yield found[1]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
