"""Arguments of steps, held against the request of the call that the step makes, when a pipeline is created.

CreatePipeline and UpdatePipeline look at types ("Unable to parse pipeline definition. Model validation failed - ...",
https://github.com/getindata/kedro-sagemaker/issues/14), at texts that are too long
(https://github.com/aws/sagemaker-python-sdk/issues/5099) and at members that the call does not know
(https://github.com/aws/sagemaker-python-sdk/pull/3472), and leave the rest to the call when the step starts: members
that are missing, which the SDK leaves out, and lists too long (https://github.com/aws/sagemaker-python-sdk/issues/2554).
https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html

What an expression stands for is not known yet. A parameter, an execution variable and a function stand for one value; a
step's property may be anything: https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-properties.html
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from rehearsal.cloud.clients import unconfigured_session
from rehearsal.cloud.sagemaker.expressions import is_expression, parse_reference
from rehearsal.cloud.validation import misread_value

CALLS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
}
"""What a step of each type calls with its arguments."""
WITHOUT = {"RegisterModel": {"ModelPackageName"}}
"""Members that a call has and a step has not: https://github.com/aws/sagemaker-python-sdk/pull/3472"""


def misfits(kind: str, arguments: dict[str, Any]) -> Iterator[str]:
    """What cannot be an argument of a step of this type; nothing for types that make no call of SageMaker's."""
    if kind in CALLS:
        yield from (_unknown(name) for name in arguments if name in WITHOUT.get(kind, ()))
        shape = _model().operation_model(CALLS[kind]).input_shape
        yield from _misfits(shape, arguments, "") if shape else ()
    elif kind == "Fail":
        message = arguments.get("ErrorMessage", "")
        if not isinstance(message, str) and not is_expression(message):
            yield "ErrorMessage must be a text"
    elif kind == "Condition" and not arguments.get("Conditions"):
        yield "Conditions must have at least one condition"


@functools.cache
def _model() -> ServiceModel:
    return unconfigured_session().get_service_model("sagemaker")


def _misfits(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if value is None:
        return
    several = isinstance(shape, StructureShape | MapShape | ListShape)
    if is_expression(value):
        if several and not _may_be_several(value):
            yield f"{path} must be {'a list' if isinstance(shape, ListShape) else 'an object'}, not one value"
    elif isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in value.items():
            if name not in shape.members:
                yield _unknown(_join(path, name))
            else:
                yield from _misfits(shape.members[name], member, _join(path, name))
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, member in value.items():
            yield from _misfits(shape.value, member, _join(path, name))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, member in enumerate(value):
            yield from _misfits(shape.member, member, f"{path}[{number}]")
    else:
        yield from misread_value(shape, value, path)
        most = shape.metadata.get("max")
        if isinstance(shape, StringShape) and isinstance(value, str) and most is not None and len(value) > most:
            yield (
                f"string '{value}' with length={len(value)} cannot be greater than max={float(most)} "
                f"defined for {shape.name} ({path})"
            )


def _unknown(path: str) -> str:
    return f"Unknown Argument member '{path}'"


def _may_be_several(expression: dict[str, Any]) -> bool:
    return isinstance(expression.get("Get"), str) and parse_reference(expression["Get"]).kind == "Steps"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
