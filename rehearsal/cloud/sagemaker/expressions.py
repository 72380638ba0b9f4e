"""Expressions of pipeline definitions: `Get`, `Std:Join` and `Std:JsonGet`, anywhere in a step's arguments.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-properties.html
https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-propertyfile.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EXECUTION_VARIABLES = (
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "StartDateTime",
    "CurrentDateTime",
    "ProcessingJobName",
    "TrainingJobName",
)
"""https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-variables.html"""

PART = re.compile(r"\[\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<index>\d+))\s*\]|(?P<plain>[^.\[\]]+)")
KEY_MEMBERS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name", "Key")
"""How `Outputs['train']` finds its element in a list: by the member that names elements of such a list."""


class ExpressionProblem(Exception):
    """An expression that has no value; the message is the step's failure reason."""


@dataclass(frozen=True)
class Reference:
    """What one `Get` points at: `Parameters.X`, `Execution.X` or `Steps.X.path`."""

    text: str
    kind: str
    name: str
    path: str

    @property
    def property_file(self) -> str | None:
        """The property file's name for `Steps.X.PropertyFiles.Y`."""
        return self.path.removeprefix("PropertyFiles.") if self.path.startswith("PropertyFiles.") else None


def parse_reference(text: str) -> Reference:
    """Take a `Get` apart."""
    kind, _, rest = text.partition(".")
    name = re.split(r"[.\[]", rest, maxsplit=1)[0] if kind == "Steps" else rest
    return Reference(text, kind, name, rest[len(name) :].removeprefix("."))


def references(value: Any) -> Iterator[Reference]:  # noqa: ANN401 - any JSON value
    """Every reference inside `value`."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield parse_reference(value["Get"])
        else:
            for item in value.values():
                yield from references(item)


def is_expression(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether `value` stands for another."""
    return (
        isinstance(value, dict) and len(value) == 1 and any(name == "Get" or name.startswith("Std:") for name in value)
    )


def malformed(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """What is wrong with the functions inside `value`."""
    if isinstance(value, list):
        for item in value:
            yield from malformed(item)
    elif isinstance(value, dict):
        for name, argument in value.items():
            if name == "Get" and len(value) == 1 and not isinstance(argument, str):
                yield "Get must name what it refers to."
            elif name.startswith("Std:"):
                yield from _malformed_function(name, argument)
            yield from malformed(argument)


def _malformed_function(name: str, argument: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    given = argument if isinstance(argument, dict) else {}
    if name == "Std:Join":
        if not isinstance(given.get("Values"), list) or not isinstance(given.get("On", ""), str):
            yield "Std:Join needs Values, an array, and On, a text."
    elif name == "Std:JsonGet":
        file = given.get("PropertyFile")
        named = isinstance(file, dict) and isinstance(file.get("Get"), str)
        if "Path" not in given or (file is None) == ("S3Uri" not in given) or (file is not None and not named):
            yield "Std:JsonGet needs Path, and either PropertyFile or S3Uri."
    else:
        yield f"'{name}' is not a function."


def walk(value: Any, path: str, where: str) -> Any:  # noqa: ANN401 - any JSON value
    """Follow `a.b['c'][0]` into `value`. Raises ExpressionProblem naming the part that leads nowhere."""
    for part in PART.finditer(path):
        name = part["single"] or part["double"] or part["plain"]
        try:
            if part["index"] is not None:
                value = value[int(part["index"])]
            elif isinstance(value, list):
                value = next(item for item in value if name in (item.get(member) for member in KEY_MEMBERS))
            else:
                value = value[name]
        except (KeyError, IndexError, TypeError, AttributeError, StopIteration):
            raise ExpressionProblem(f"ClientError: {where} has no '{part[0].strip('[]')}' (path '{path}').") from None
    return value


@dataclass(frozen=True)
class Scope:
    """What expressions can see. `property_file(step, name)` and `s3_json(uri)` read JSON as the pipeline's role."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, str]
    properties: Mapping[str, Mapping[str, Any]]
    property_file: Callable[[str, str], Any]
    s3_json: Callable[[str], Any]

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every expression replaced by what it stands for. Raises ExpressionProblem."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Get":
                return self._get(parse_reference(argument))
            if function == "Std:Join":
                return str(argument.get("On", "")).join(text(self.resolve(item)) for item in argument["Values"])
            if function == "Std:JsonGet":
                return self._json_get(argument)
        return {key: self.resolve(item) for key, item in value.items()}

    def _get(self, reference: Reference) -> Any:  # noqa: ANN401 - any JSON value
        if reference.kind == "Parameters":
            return self.parameters[reference.name]
        if reference.kind == "Execution":
            if reference.name not in self.execution:
                raise ExpressionProblem(f"ClientError: '{reference.text}' has no value in this step.")
            return self.execution[reference.name]
        return walk(self.properties.get(reference.name, {}), reference.path, f"Step {reference.name}")

    def _json_get(self, argument: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        path = text(self.resolve(argument["Path"]))
        if "PropertyFile" in argument:
            reference = parse_reference(argument["PropertyFile"]["Get"])
            document = self.property_file(reference.name, reference.property_file or "")
            return walk(document, path, f"Property file {reference.property_file} of step {reference.name}")
        uri = text(self.resolve(argument["S3Uri"]))
        return walk(self.s3_json(uri), path, uri)


def text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value as a part of a joined string: numbers as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
