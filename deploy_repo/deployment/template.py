"""What endpoint-config-template.yml lets a configuration file set: its Parameters section is the only such list."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# libyaml's parser where the package brings it: ten times as fast.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CloudFormationLoader(_SafeLoader):  # type: ignore[misc]  # yaml has no types of its own
    """Reads the short forms (`!Ref`, `!If`, ...) as what they stand for: {"Ref": ...}, {"Fn::If": ...}."""


def _short_form(loader: _CloudFormationLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_CloudFormationLoader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    """The template as plain dictionaries: to read, as whoever loads the same text gets the same ones."""
    return _parsed(path.read_text(encoding="utf-8"))


@functools.cache
def _parsed(text: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(text, Loader=_CloudFormationLoader)  # a SafeLoader
    return template


@dataclass(frozen=True)
class Parameter:
    """One parameter of the template and what it accepts."""

    name: str
    is_number: bool
    default: str | int | float | None
    allowed_values: tuple[str, ...]
    pattern: str | None
    minimum: float | None
    maximum: float | None
    min_length: int
    max_length: int | None

    def expectation(self) -> str:
        """What a value must be, as the end of a sentence that starts with 'must be'."""
        if self.allowed_values:
            return "one of " + ", ".join(self.allowed_values)
        if not self.is_number:
            length = f" of at most {self.max_length} characters" if self.max_length else ""
            return f"text{length}" + (f" that matches {self.pattern}" if self.pattern else "")
        whole = "a number" if isinstance(self.default, float) else "a whole number"
        if self.minimum is not None and self.maximum is not None:
            return f"{whole} from {self.minimum} to {self.maximum}"
        return whole

    def as_text(self, value: object) -> str | None:
        """The value as CloudFormation takes it, or None if the parameter does not accept it."""
        if self.is_number:
            return self._number_as_text(value)
        if isinstance(value, bool):
            value = "true" if value else "false"  # JSON's own truth values, where the template lists these words
            return value if value in self.allowed_values else None
        if not isinstance(value, str) or (self.allowed_values and value not in self.allowed_values):
            return None
        if len(value) < self.min_length or (self.max_length is not None and len(value) > self.max_length):
            return None
        return value if self.pattern is None or re.fullmatch(self.pattern, value) else None

    def _number_as_text(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if isinstance(value, float) and not isinstance(self.default, float):
            return None
        if self.allowed_values:
            return str(value) if str(value) in self.allowed_values else None
        too_small = self.minimum is not None and value < self.minimum
        too_large = self.maximum is not None and value > self.maximum
        return None if too_small or too_large else str(value)


def parameters(document: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters of a template that was loaded, by name, in the template's order."""
    return {name: _parameter(name, declared) for name, declared in document["Parameters"].items()}


def _parameter(name: str, declared: dict[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        is_number=declared["Type"] == "Number",
        default=declared.get("Default"),
        allowed_values=tuple(str(value) for value in declared.get("AllowedValues", ())),
        pattern=declared.get("AllowedPattern"),
        minimum=declared.get("MinValue"),
        maximum=declared.get("MaxValue"),
        min_length=declared.get("MinLength", 0),
        max_length=declared.get("MaxLength"),
    )
