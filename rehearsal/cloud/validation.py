"""Requests and answers held against botocore's service models: the shapes AWS publishes for its own APIs.

botocore's own validator checks types, required members and lower bounds only; AWS also refuses unknown members, wrong
patterns, upper bounds and values outside an enum, and so do we.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str] | None:
    """AWS's patterns are Java's; the few that Python cannot read are left unchecked rather than misread."""
    try:
        return re.compile(pattern.replace("\\p{L}", "\\w").replace("\\p{Alnum}", "[0-9A-Za-z]"))
    except re.error:
        return None


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """What botocore's validator does not look at."""
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            return
        for name, member in value.items():
            if name not in shape.members:
                yield f"Unknown member '{name}' at '{path or '/'}'"
            else:
                yield from _problems(shape.members[name], member, f"{path}/{name}")
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value if isinstance(value, list) else []):
            yield from _problems(shape.member, member, f"{path}/{index}")
        yield from _too_long(shape, value, path)
    elif isinstance(shape, MapShape):
        for key, member in (value if isinstance(value, dict) else {}).items():
            yield from _problems(shape.key, key, f"{path}/{key}")
            yield from _problems(shape.value, member, f"{path}/{key}")
        yield from _too_long(shape, value, path)
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield from _too_long(shape, value, path)
        if shape.enum and value not in shape.enum:
            yield (
                f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: "
                f"[{', '.join(shape.enum)}]"
            )
        pattern = shape.metadata.get("pattern")
        compiled = _pattern(pattern) if pattern else None
        if compiled and not compiled.fullmatch(value):
            yield (
                f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy regular expression "
                f"pattern: {pattern}"
            )
    elif "max" in shape.metadata and isinstance(value, int | float) and value > shape.metadata["max"]:
        most = shape.metadata["max"]
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must be at most {most}"


def _too_long(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    longest = shape.metadata.get("max")
    if longest is not None and hasattr(value, "__len__") and len(value) > longest:
        yield f"Value at '{path}' failed to satisfy constraint: Member must have length less than or equal to {longest}"


class ServiceShapes:
    """The published models of the services that stand in this cloud."""

    def __init__(self, region: str) -> None:
        self._session = botocore.session.Session()
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
        """One sentence about everything that is wrong with a request, or None."""
        return self._problem(self.model(service).operation_model(operation).input_shape, request)

    def response_problem(self, service: str, operation: str, answer: dict[str, Any]) -> str | None:
        """One sentence about everything that is wrong with an answer of ours, or None."""
        return self._problem(self.model(service).operation_model(operation).output_shape, answer)

    @staticmethod
    def _problem(shape: Shape | None, document: dict[str, Any]) -> str | None:
        if shape is None:
            return None if not document else f"Unknown members: {', '.join(sorted(document))}"
        report = ParamValidator().validate(document, shape)
        problems = [line.strip() for line in report.generate_report().splitlines()] if report.has_errors() else []
        problems += list(_problems(shape, document, ""))
        if not problems:
            return None
        return f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: {'; '.join(problems)}"


def without_absent(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """An answer without the members that are None: handlers write None for what does not apply."""
    if isinstance(value, dict):
        return {key: without_absent(member) for key, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [without_absent(member) for member in value]
    return value


def to_wire(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """An answer as the JSON protocol carries it: epoch seconds for times, base64 for bytes."""
    if isinstance(value, dict):
        return {key: to_wire(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(member) for member in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
