"""Requests and answers held against botocore's service models: the shapes AWS publishes for its own APIs.

What is wrong is said as AWS says it: a value of another type cannot be read (SerializationException), and whatever
breaks a constraint is listed in one ValidationException, in the camel case of AWS's own paths, list items from 1:
`2 validation errors detected: Value 'a_b' at 'modelName' failed to satisfy constraint: Member must ...; Value ...`.
https://github.com/aws-samples/sagemaker-ml-workflow-with-apache-airflow/issues/3
https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html

AWS leaves out of account what it does not know; here an unknown member is refused: it is a slip that does nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.utils import parse_timestamp

from rehearsal.cloud.clients import unconfigured_session
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.java_patterns import java_pattern
from rehearsal.cloud.json_kinds import json_kind
from rehearsal.cloud.plain_values import plain

LONGEST_VALUE = 512
"""Characters of a value that a complaint repeats."""


def _broken(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every constraint that a value of the right type breaks. Null is of every type, and no item of a list or map."""
    if value is None:
        yield _null(path)
    elif isinstance(shape, StructureShape):
        yield from _broken_members(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _bounds(shape, value, path, len(value), "have length")
        for index, item in enumerate(value, 1):
            if not plain(shape.member)(item):
                yield from _broken(shape.member, item, f"{path}.{index}.member")
    elif isinstance(shape, MapShape):
        yield from _bounds(shape, value, path, len(value), "have length")
        for key, item in value.items():
            yield from _broken(shape.key, key, f"{path}.{key}.key")
            yield from _broken(shape.value, item, f"{path}.{key}.member")
    elif isinstance(shape, StringShape):
        yield from _bounds(shape, value, path, len(value), "have length")
        if shape.enum and value not in shape.enum:
            yield _complaint(shape, value, path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        pattern = shape.metadata.get("pattern")
        compiled = java_pattern(pattern) if pattern else None
        if compiled and not compiled.fullmatch(value):
            yield _complaint(shape, value, path, f"satisfy regular expression pattern: {pattern}")
    elif shape.type_name == "blob":
        yield from _bounds(shape, value, path, len(value), "have length")
    elif shape.type_name in NUMBERS:
        yield from _bounds(shape, value, path, value, "have value")


def _broken_members(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _null(_join(path, name))
    given = [name for name, member in value.items() if member is not None]
    if getattr(shape, "is_tagged_union", False) and len(given) != 1:
        yield f"Value at '{path}' failed to satisfy constraint: Exactly one of its members must be set"
    for name, member in value.items():
        if name not in shape.members:
            yield f"Unknown member '{name}'" + (f" at '{path}'" if path else "")
        elif member is not None and not plain(shape.members[name])(member):
            yield from _broken(shape.members[name], member, _join(path, name))


def _null(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _bounds(shape: Shape, value: Any, path: str, size: float, verb: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _complaint(shape, value, path, f"{verb} greater than or equal to {least}")
    if most is not None and size > most:
        yield _complaint(shape, value, path, f"{verb} less than or equal to {most}")


def _complaint(shape: Shape, value: Any, path: str, rule: str) -> str:  # noqa: ANN401 - any JSON value
    """Secrets are not repeated, and neither are bytes."""
    shown = ""
    if not shape.metadata.get("sensitive") and not isinstance(value, bytes | bytearray):
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        shown = f"'{text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '...'}' "
    return f"Value {shown}at '{path}' failed to satisfy constraint: Member must {rule}"


def _join(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


# ---- types

NUMBERS = {"integer": "an Integer", "long": "a Long", "float": "a Float", "double": "a Double"}
SIMPLE = {**NUMBERS, "string": "a String", "character": "a String", "boolean": "a Boolean", "blob": "bytes"}


def misread_value(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every value that is not of its shape's type, in the words of AWS's reader."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False) or (value is None and path):
        return
    if isinstance(shape, StructureShape | MapShape):
        if not isinstance(value, dict):
            yield f"Start of structure or map expected at '{path}', found {json_kind(value)}"
            return
        for name, member in value.items():
            if isinstance(shape, MapShape):
                yield from misread_value(shape.value, member, f"{path}.{name}")
            elif name in shape.members and not plain(shape.members[name])(member):
                yield from misread_value(shape.members[name], member, _join(path, name))
    elif isinstance(shape, ListShape):
        if not isinstance(value, list | tuple):
            yield f"Start of list expected at '{path}', found {json_kind(value)}"
            return
        for index, item in enumerate(value, 1):
            if not plain(shape.member)(item):
                yield from misread_value(shape.member, item, f"{path}.{index}")
    elif kind == "timestamp":
        if not _is_time(value):
            yield f"{json_kind(value)} can not be converted to a Timestamp (at '{path}')"
    elif not _fits(kind, value):
        yield f"{json_kind(value)} can not be converted to {SIMPLE[kind]} (at '{path}')"


def _fits(kind: str, value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if kind in ("integer", "long"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in ("float", "double"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    return isinstance(value, str | bytes | bytearray) if kind == "blob" else isinstance(value, str)


def _is_time(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, datetime) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return True
    if not isinstance(value, str):
        return False
    try:
        parse_timestamp(value)
    except (ValueError, RuntimeError):
        return False
    return True


CONTAINERS = (dict, list, tuple)


class ServiceShapes:
    """The published models of the services that stand in this cloud."""

    def __init__(self, region: str) -> None:
        self._session = unconfigured_session()
        self._region = region
        self._models: dict[str, ServiceModel] = {}

    def model(self, service: str) -> ServiceModel:
        """The service model as botocore ships it."""
        if service not in self._models:
            self._models[service] = self._session.get_service_model(service)
        return self._models[service]

    def target_prefix(self, service: str) -> str | None:
        """What stands before the dot in `X-Amz-Target` of a JSON-protocol service; None for other protocols."""
        prefix = self.model(service).metadata.get("targetPrefix")
        return str(prefix) if prefix else None

    def request_problem(self, service: str, operation: str, request: dict[str, Any]) -> str | None:
        """One sentence about every constraint that a request breaks, or None. Raises AwsError for a value of another
        type: AWS reads a request before it validates it, and answers SerializationException."""
        shape = self.model(service).operation_model(operation).input_shape
        if shape and plain(shape)(request):
            return None
        wrong = next(misread_value(shape, request, ""), None) if shape else None
        if wrong:
            raise AwsError("SerializationException", wrong)
        return self._problem(shape, request)

    def member_problem(self, service: str, operation: str, members: dict[str, Any]) -> str | None:
        """One sentence about every constraint that these members of a request break, or None; those that the operation
        does not have are passed over. Raises AwsError for a value of another type."""
        model = self.model(service)
        shape = model.operation_model(operation).input_shape if operation in model.operation_names else None
        known = {name: shape.members[name] for name in members if name in shape.members} if shape else {}
        problems: list[str] = []
        for name, member in known.items():
            path = _join("", name)
            for wrong in misread_value(member, members[name], path):
                raise AwsError("SerializationException", wrong)
            problems += _broken(member, members[name], path)
        return _counted(problems)

    def response_problem(self, service: str, operation: str, answer: dict[str, Any]) -> str | None:
        """One sentence about everything that is wrong with an answer of ours, or None."""
        shape = self.model(service).operation_model(operation).output_shape
        if shape and plain(shape)(answer):
            return None
        wrong = list(misread_value(shape, answer, "")) if shape else []
        return "; ".join(wrong) or self._problem(shape, answer)

    @staticmethod
    def _problem(shape: Shape | None, document: dict[str, Any]) -> str | None:
        if shape is None:
            return None if not document else f"Unknown members: {', '.join(sorted(document))}"
        return _counted(list(_broken(shape, document, "")))


def _counted(problems: list[str]) -> str | None:
    if not problems:
        return None
    return f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: {'; '.join(problems)}"


def without_absent(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """An answer without the members that are None: handlers write None for what does not apply."""
    if isinstance(value, dict):
        return {
            key: without_absent(member) if isinstance(member, CONTAINERS) else member
            for key, member in value.items()
            if member is not None
        }
    if isinstance(value, list | tuple):
        return [without_absent(member) if isinstance(member, CONTAINERS) else member for member in value]
    return value


def wire_text(answer: Any) -> str:  # noqa: ANN401 - any JSON value
    """An answer as the JSON protocol carries it: epoch seconds for times, base64 for bytes."""
    return json.dumps(answer, default=_on_the_wire)


def _on_the_wire(value: Any) -> float | str:  # noqa: ANN401 - whatever JSON has no form for
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in an answer")
