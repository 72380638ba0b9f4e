"""What a template means before anything is made of it: its booleans, its conditions, and what it refers to.

Runs in the base's environment (standard library, ministack and its PyYAML only), as part of `base_process.py`.
ministack

- writes a boolean as `True` where CloudFormation, which reads a template as JSON, has the text `true`: a parameter's
  `Default: true` never equals "true" then;
- knows of a condition's values only parameters and Fn::Select: a pseudo parameter stands for its own name, any other
  function breaks the request;
- takes a reference to a resource that its condition leaves out for the resource's logical id, or for nothing;
- takes a template without resources;
- reads YAML in Python, ten times as slowly as libyaml does: a fifth of a second for a large template, several times in
  a launch.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html

Private names of ministack 1.5.33 used here: of `engine` `_parse_template`, `_evaluate_conditions`,
`validate_template_support`, `_resolve_refs` and `_intrinsic_references`, the first three also where `handlers`,
`changesets` and `stacks` import them; `engine.CfnLoader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml
from ministack.services.cloudformation import changesets, engine, handlers, stacks

Template = dict[str, Any]

TEXTS_OF = {"Fn::Join", "Fn::Sub", "Fn::Equals"}
"""Functions that make text of what they are given."""
UNKNOWN_YET = {"AWS::StackName", "AWS::StackId", "AWS::NotificationARNs"}
"""Pseudo parameters that ministack does not know when it evaluates conditions."""


def install() -> None:
    """Read templates as CloudFormation does. Call it once, before the base serves."""
    _read_quickly()
    parse, supported = engine._parse_template, engine.validate_template_support

    def parse_with_texts(template_body: str) -> Template:
        found: Template = parse(template_body)
        parameters = {name: _texts(each) for name, each in (found.get("Parameters") or {}).items()}
        return {**_with_texts(found), **({"Parameters": parameters} if parameters else {})}

    def supported_and_resolved(template: Template, conditions: Template, params: Template | None = None) -> None:
        supported(template, conditions, params)
        if not template.get("Resources"):
            raise ValueError("Template format error: At least one Resources member must be defined.")
        if params is not None:
            _check_references(template, conditions, set(params))

    _replace("_parse_template", parse_with_texts)
    _replace("_evaluate_conditions", evaluated)
    _replace("validate_template_support", supported_and_resolved)


def _read_quickly() -> None:
    """Let libyaml read YAML, where PyYAML comes with it."""
    if yaml.__with_libyaml__:
        members = ("yaml_constructors", "yaml_multi_constructors", "yaml_implicit_resolvers")
        same = {name: dict(getattr(engine.CfnLoader, name)) for name in members}
        engine.CfnLoader = type("CfnLoader", (yaml.CSafeLoader,), same)


def _replace(name: str, function: Callable[..., Any]) -> None:
    for module in (engine, handlers, changesets, stacks):
        if hasattr(module, name):
            setattr(module, name, function)


def _with_texts(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, list):
        return [_with_texts(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _texts(value) if key in TEXTS_OF else _with_texts(value) for key, value in node.items()}


def _texts(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, list):
        return [_texts(each) for each in node]
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items()}
    return str(node).lower() if isinstance(node, bool) else node


# ---- conditions


class _Conditions(dict[str, bool]):
    """A template's conditions, each evaluated when it is first asked for."""

    def __init__(self, template: Template, params: Template) -> None:
        super().__init__()
        self._definitions: Template = template.get("Conditions") or {}
        self._mappings: Template = template.get("Mappings") or {}
        self._params = params

    def get(self, name: str, default: Any = None) -> bool:  # noqa: ANN401 - as dict has it
        if name not in self:
            if name not in self._definitions:
                raise ValueError(f"Template format error: Unresolved condition {name}")
            self[name] = self._holds(self._definitions[name])
        return self[name]

    def _holds(self, expression: Any) -> bool:  # noqa: ANN401 - any JSON value
        (function, operands), *_ = expression.items()
        if function == "Condition":
            return self.get(operands)
        if function == "Fn::Equals":
            left, right = (self._value(each) for each in operands)
            return bool(left == right)
        if function == "Fn::Not":
            return not self._holds(operands[0])
        if function in ("Fn::And", "Fn::Or"):
            held = [self._holds(each) for each in operands]
            return all(held) if function == "Fn::And" else any(held)
        raise ValueError(f"Template validation error: the rehearsal cannot use {function} as a condition")

    def _value(self, node: Any) -> str:  # noqa: ANN401 - any JSON value
        unknown = UNKNOWN_YET & {name for name, _ in engine._intrinsic_references(node)}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise ValueError(f"Template validation error: the rehearsal cannot use {names} in a condition")
        return str(_texts(engine._resolve_refs(node, {}, self._params, self, self._mappings, "", "")))


def evaluated(template: Template, params: Template) -> dict[str, bool]:
    """Whether each condition of a template holds. Raises ValueError for one that cannot be evaluated."""
    conditions = _Conditions(template, params)
    return {name: conditions.get(name) for name in template.get("Conditions") or {}}


# ---- references


def _check_references(template: Template, conditions: dict[str, bool], parameters: set[str]) -> None:
    """Raise ValueError for a reference to nothing, in CloudFormation's words.

    https://repost.aws/knowledge-center/cloudformation-template-validation
    """
    resources = template.get("Resources") or {}
    made = {name for name, each in resources.items() if _there(each, conditions)}
    blocks = {
        "Resources": [each.get("Properties") for name, each in resources.items() if name in made],
        "Outputs": [each for each in (template.get("Outputs") or {}).values() if _there(each, conditions)],
    }
    for block, values in blocks.items():
        references = engine._intrinsic_references(list(_chosen(values, conditions)))
        names = {name for name, _ in references if not name.startswith("AWS::")}
        missing = ", ".join(sorted(names - made - parameters))
        if missing:
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{missing}] in the {block} block of the "
                "template"
            )


def _there(definition: Template, conditions: dict[str, bool]) -> bool:
    return conditions.get(definition.get("Condition") or "", True)


def _chosen(values: list[Any], conditions: dict[str, bool]) -> Iterator[Any]:
    """The values with nothing but the chosen branch of each Fn::If."""
    for value in values:
        if isinstance(value, list):
            yield list(_chosen(value, conditions))
        elif isinstance(value, dict) and isinstance(value.get("Fn::If"), list):
            name, then, otherwise = value["Fn::If"]
            yield from _chosen([then if conditions.get(str(name), False) else otherwise], conditions)
        elif isinstance(value, dict):
            yield dict(zip(value, _chosen(list(value.values()), conditions), strict=True))
        else:
            yield value
