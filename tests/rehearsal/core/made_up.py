"""Requests made up out of a service model: one that is right, and from it all that are wrong in one place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from rehearsal.cloud.java_patterns import java_pattern

ACCOUNT = "us-east-1:123456789012"
SAGEMAKER = f"arn:aws:sagemaker:{ACCOUNT}"
SAMPLES = (
    "name",
    "d-domain",
    "x" * 32,
    "1",
    "s3://bucket/key",
    "https://bucket/key",
    "arn:aws:iam::123456789012:role/name",
    "arn:aws:iam::aws:policy/name",
    "arn:aws:lambda:us-east-1:123456789012:function:name",
    "arn:aws:sns:us-east-1:123456789012:name",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:name",
    *(
        f"{SAGEMAKER}:{kind}"
        for kind in (
            *("pipeline/name", "pipeline/name/execution/name", "model-package/name/1", "model-package/name"),
            *("project/name", "model-package-group/name", "training-job/name", "processing-job/name"),
            *("experiment/name", "feature-group/name", "context/name", "algorithm/name", "flow-definition/name"),
            *("inference-recommendations-job/name", "hub-content/name/Model/name/1.0.0", "mlflow-app/app-ABCDEFGHIJKL"),
            *(
                "mlflow-tracking-server/name",
                "model-card/name",
                "training-plan/name",
                "hub/name",
                "cluster/abcdefghijkl",
            ),
        )
    ),
    f"arn:aws:application-autoscaling:{ACCOUNT}:scalable-target/0123456789abcdef0123",
    "0f0e0d0c-0b0a-4908-8706-050403020100",
    "prod-abc",
    "sha256:" + "a" * 64,
    "1.0.0",
    "/opt/ml/name",
    "subnet-1",
)
"""Strings of which one fits nearly every pattern."""
DEEP = 4
Steps = tuple[Any, ...]


def sample(shape: Shape, depth: int = 0) -> Any:
    """A value that a shape takes: every member down to some depth, and what it requires below. None: none is known."""
    if isinstance(shape, StructureShape):
        return _structure(shape, depth)
    if isinstance(shape, ListShape):
        item = sample(shape.member, depth + 1)
        least = max(1, int(shape.metadata.get("min", 1)))
        return None if item is None else [copy.deepcopy(item) for _ in range(least)]
    if isinstance(shape, MapShape):
        key, value = sample(shape.key, depth + 1), sample(shape.value, depth + 1)
        return None if key is None or value is None else {key: value}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else _text(shape)
    if shape.type_name in ("integer", "long"):
        return max(1, int(shape.metadata.get("min", 1)))
    plain: dict[str, Any] = {"boolean": True, "timestamp": 1.7e9, "blob": b"x", "double": 1.0, "float": 1.0}
    return plain[shape.type_name]


def _structure(shape: StructureShape, depth: int) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        required = name in shape.required_members
        if not required and (depth >= DEEP or (getattr(shape, "is_tagged_union", False) and found)):
            continue
        value = sample(member, depth + 1)
        if value is not None:
            found[name] = value
        elif required:
            return None
    return found


def _text(shape: StringShape) -> str | None:
    pattern = shape.metadata.get("pattern")
    compiled = java_pattern(pattern) if pattern else None
    least, most = int(shape.metadata.get("min", 0)), shape.metadata.get("max")
    for text in SAMPLES:
        fits = len(text) >= least and (most is None or len(text) <= most)
        if fits and (compiled is None or compiled.fullmatch(text)):
            return text
    return None


def wrong(shape: Shape, right: Any) -> Iterator[tuple[str, Any, str]]:
    """Every request that breaks a constraint in one place: that path as AWS writes it, the request, what is said."""
    for steps, inner, value in _places(shape, right, ()):
        for broken, said in _breaking(inner, value):
            yield written(steps), _replaced(right, steps, broken), said
        if isinstance(inner, StructureShape) and value is not None:
            for name in inner.required_members:
                yield written((*steps, name)), _removed(right, (*steps, name)), "Member must not be null"


def misread(shape: Shape, right: Any) -> Iterator[tuple[str, Any]]:
    """Every request with one value of another type."""
    for steps, inner, _ in _places(shape, right, ()):
        if steps:
            yield written(steps), _replaced(right, steps, "x" if inner.type_name in ("structure", "map") else {"x": 1})


def written(steps: Steps) -> str:
    """`tags.1.member.key`."""
    return ".".join(f"{step + 1}.member" if isinstance(step, int) else step[:1].lower() + step[1:] for step in steps)


def _places(shape: Shape, value: Any, steps: Steps) -> Iterator[tuple[Steps, Shape, Any]]:
    yield steps, shape, value
    if isinstance(shape, StructureShape):
        for name in value:
            yield from _places(shape.members[name], value[name], (*steps, name))
    elif isinstance(shape, ListShape):
        yield from _places(shape.member, value[0], (*steps, 0))


def _breaking(shape: Shape, value: Any) -> Iterator[tuple[Any, str]]:
    least, most, pattern = (shape.metadata.get(key) for key in ("min", "max", "pattern"))
    if isinstance(shape, StringShape):
        if shape.enum:
            yield "NO-SUCH-VALUE", "Member must satisfy enum value set: ["
        elif most is not None and most < 100_000:
            yield "x" * (most + 1), f"Member must have length less than or equal to {most}"
        compiled = java_pattern(pattern) if pattern else None
        if compiled and not compiled.fullmatch("\n\a"):
            yield "\n\a", "Member must satisfy regular expression pattern: "
        if least:
            yield "", f"Member must have length greater than or equal to {least}"
    elif isinstance(shape, ListShape | MapShape):
        if least and least > 0:
            yield (type(value)()), f"Member must have length greater than or equal to {least}"
        if most is not None and isinstance(shape, ListShape):
            yield value[:1] * (most + 1), f"Member must have length less than or equal to {most}"
    elif shape.type_name in ("integer", "long"):
        if least is not None:
            yield least - 1, f"Member must have value greater than or equal to {least}"
        if most is not None:
            yield most + 1, f"Member must have value less than or equal to {most}"


def _replaced(document: Any, steps: Steps, value: Any) -> Any:
    if not steps:
        return value
    changed = copy.deepcopy(document)
    target = changed
    for step in steps[:-1]:
        target = target[step]
    target[steps[-1]] = value
    return changed


def _removed(document: Any, steps: Steps) -> Any:
    changed = copy.deepcopy(document)
    target = changed
    for step in steps[:-1]:
        target = target[step]
    del target[steps[-1]]
    return changed
