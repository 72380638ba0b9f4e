"""What answers of AWS look like: for every operation that people called, each member they were given and its type.

`shapes.json` in a run's folder: `{"sagemaker:DescribeProject": {"ProjectStatus": ["string"], ...}}`. A member's path
goes from the answer down, with `[]` for each element of a list and `{}` for each value of a map; an answer that is an
error leaves its code, as `error ValidationException`. What `make smoke-aws` records on AWS is compared with it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

FILE = "shapes.json"
ERROR = "error "
"""Before the code of an answer that is an error."""

Recorded = dict[str, dict[str, list[str]]]
"""Operation -> path -> types."""


class Shapes:
    """Listens to clients; whatever they are answered is kept, however often."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, set[str]]] = {}
        self._lock = threading.Lock()

    def listen(self, client: Any) -> None:  # noqa: ANN401 - boto3 clients are untyped
        """Keep what this client will be answered.

        The event comes after each call, with the parsed answer:
        https://docs.aws.amazon.com/boto3/latest/guide/events.html
        """
        client.meta.events.register("after-call.*.*", self._hear)

    def recorded(self) -> Recorded:
        """Everything so far, sorted."""
        with self._lock:
            return {
                name: {path: sorted(types) for path, types in sorted(found.items())}
                for name, found in sorted(self._found.items())
            }

    def write(self, folder: Path) -> None:
        """Write shapes.json."""
        (folder / FILE).write_text(json.dumps(self.recorded(), indent=1) + "\n")

    def _hear(self, http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: object) -> None:  # noqa: ANN401 - botocore's
        name = f"{model.service_model.service_name}:{model.name}"
        if http_response.status_code >= 300:
            found = iter([(ERROR + str(parsed.get("Error", {}).get("Code", http_response.status_code)), "error")])
        else:
            answer = {member: value for member, value in parsed.items() if member != "ResponseMetadata"}
            found = members(answer, model.output_shape)
        with self._lock:
            kept = self._found.setdefault(name, {})
            for path, kind in found:
                kept.setdefault(path, set()).add(kind)


def read(folder: Path) -> Recorded:
    """What a run recorded. Raises FileNotFoundError for one that recorded nothing."""
    recorded: Recorded = json.loads((folder / FILE).read_text())
    return recorded


def members(value: object, shape: Shape | None, path: str = "") -> Iterator[tuple[str, str]]:
    """The path and type of every member of an answer, those within it included."""
    if path:
        yield path, _type(value)
    if isinstance(value, dict) and isinstance(shape, MapShape):
        for each in value.values():
            yield from members(each, shape.value, f"{path}{{}}")
    elif isinstance(value, dict) and isinstance(shape, StructureShape):
        for name, each in value.items():
            if each is not None:
                yield from members(each, shape.members.get(name), f"{path}.{name}" if path else name)
    elif isinstance(value, list) and isinstance(shape, ListShape):
        for each in value:
            yield from members(each, shape.member, f"{path}[]")


def _type(value: object) -> str:
    """JSON's name for it; botocore has made datetimes of timestamps, and streams of bodies."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        (str, "string"),
        ((int, float), "number"),
        (datetime, "timestamp"),
        (list, "list"),
        (dict, "structure"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "bytes")
