"""Parameters of stacks: which must have a value, which may be given, and which values are allowed.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack drops a
parameter that the template does not have, holds the whole of a list against the allowed values of its members, and has
words of its own; other people's programs look for AWS's.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

Private names of ministack 1.5.33 used here: `_resolve_parameters` of `engine`, `handlers` and `changesets`;
`engine._constraint_error` and `engine._rule_inner_type`.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers

Definitions = dict[str, Any]


def install() -> None:
    """Check parameters as CloudFormation does. Call it once, before the base serves."""
    _word_constraints()
    _check_names_and_lists()


def _word_constraints() -> None:
    """AWS puts other words before a ConstraintDescription, as in "Parameter InstanceType failed to satisfy constraint:
    must be a valid EC2 instance type.", which people quote from their stacks."""
    unworded = engine._constraint_error

    def worded(name: str, defn: Definitions, reason: str) -> ValueError:
        description = defn.get("ConstraintDescription")
        if not description:
            error: ValueError = unworded(name, defn, reason)
            return error
        return ValueError(f"Parameter {name} failed to satisfy constraint: {description}")

    engine._constraint_error = worded


def _check_names_and_lists() -> None:
    resolve = engine._resolve_parameters

    def checked(
        template: Definitions, provided_params: list[Definitions], previous_params: Definitions | None = None
    ) -> Definitions:
        definitions: Definitions = template.get("Parameters") or {}
        given = {each["Key"]: each for each in provided_params if "Key" in each}
        _check_names(definitions, given, previous_params or {})
        without_allowed = {
            name: {key: value for key, value in each.items() if key != "AllowedValues"}
            for name, each in definitions.items()
        }
        found: Definitions = resolve({**template, "Parameters": without_allowed}, provided_params, previous_params)
        for name, each in definitions.items():
            _check_allowed(name, each, found[name]["Value"])
        return found

    for module in (engine, handlers, changesets):
        module._resolve_parameters = checked


def _check_names(definitions: Definitions, given: Definitions, previous: Definitions) -> None:
    unknown = [name for name in given if name not in definitions]
    if unknown:
        raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [
        name
        for name, each in definitions.items()
        if "Default" not in each
        and (name not in given or (given[name].get("UsePreviousValue") and name not in previous))
    ]
    if missing:
        raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")


def _check_allowed(name: str, definition: Definitions, value: str) -> None:
    allowed = [str(each) for each in definition.get("AllowedValues") or []]
    _, is_list = engine._rule_inner_type(definition.get("Type", "String"))
    members = [each.strip() for each in value.split(",")] if is_list else [value]
    if allowed and not set(members) <= set(allowed):
        raise engine._constraint_error(name, definition, "must be one of AllowedValues")
