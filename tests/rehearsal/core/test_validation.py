"""What is quickly seen to be sound is what AWS's models allow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from rehearsal.cloud.plain_values import NUMBERS, plain
from rehearsal.cloud.validation import ServiceShapes, _broken, misread_value

ENDPOINT = {"EndpointName": "a", "EndpointConfigName": "b"}
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def edges(shape: Shape) -> Iterator[Any]:
    """Values of the shape's type on both sides of everything that the shape may ask for."""
    least, most = (shape.metadata.get(name) for name in ("min", "max"))
    sizes = {0, 1, *(each + step for each in (least, most) if each is not None and each < 3000 for step in (-1, 0, 1))}
    if isinstance(shape, StringShape):
        yield from ("Ab-1", "a b", "né", *shape.enum[:2], *(letter * size for size in sizes for letter in "aA1"))
    elif shape.type_name == "blob":
        yield from (b"x" * size for size in sizes)
    elif shape.type_name in NUMBERS:
        yield from sizes
    else:
        yield from (True, False)


CANDIDATES = (
    "a",
    "Ab1",
    "arn:aws:iam::123456789012:role/deploy",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1",
    "s3://bucket/key",
    "python3.12",
    "index.handler",
    "1",
    "2026-01-01",
    "sha256:" + "a" * 64,
    "a" * 40,
)
"""One of them fits most patterns."""


def example(shape: Shape, depth: int = 0) -> Any:
    """A sound value with every member that one can be thought of for, some levels deep; None where none can."""
    if isinstance(shape, StructureShape):
        wanted = shape.members if depth < 4 else {name: shape.members[name] for name in shape.required_members}
        found = {name: example(member, depth + 1) for name, member in wanted.items()} if depth < 9 else {}
        kept = {name: value for name, value in found.items() if value is not None}
        if getattr(shape, "is_tagged_union", False):
            kept = dict(list(kept.items())[:1])
        return kept if plain(shape)(kept) else None
    if isinstance(shape, ListShape):
        item = example(shape.member, depth + 1) if depth < 9 else None
        value: Any = [item] * max(1, shape.metadata.get("min", 1)) if item is not None else []
    elif isinstance(shape, MapShape):
        key, item = example(shape.key, depth + 1), example(shape.value, depth + 1)
        value = {key: item} if None not in (key, item) else {}
    elif isinstance(shape, StringShape):
        least = "a" * shape.metadata.get("min", 1)
        return next((each for each in (*shape.enum[:1], *CANDIDATES, least) if plain(shape)(each)), None)
    else:
        value = {"boolean": True, "blob": b"x", "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}.get(
            shape.type_name, max(1, shape.metadata.get("min", 1))
        )
    return value if plain(shape)(value) else None


def spoilt(value: Any, also: bool = True) -> Iterator[Any]:
    """The value with one thing changed, anywhere in it, in many ways."""
    yield from (None, True, 1.5, "", "a b" * 400, [], {}, [None], {"Unknown": 1}) if also else ()
    if isinstance(value, dict):
        yield {**value, "Unknown": "x"}
        for name, member in value.items():
            yield {each: value[each] for each in value if each != name}
            yield from ({**value, name: each} for each in spoilt(member))
    elif isinstance(value, list):
        yield value * 300
        yield from ([each] for item in value for each in spoilt(item))


def is_sound(shape: Shape, value: Any) -> bool:
    return not list(misread_value(shape, value, "")) and not list(_broken(shape, value, "it"))


@pytest.mark.parametrize("service", ["sagemaker", "lambda", "codepipeline", "codebuild", "codecommit"])
def test_the_quick_look_at_a_value_sees_what_the_long_one_says(service: str) -> None:
    model = ServiceShapes("us-east-1").model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    simple = [each for each in shapes if each.type_name not in ("structure", "list", "map")]
    looks = [(each, value, is_sound(each, value)) for each in simple for value in edges(each)]
    assert {sound for _, _, sound in looks} == {True, False}
    assert [(each.name, value) for each, value, sound in looks if plain(each)(value) is not sound] == []


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sagemaker", "CreateEndpointConfig"),
        ("sagemaker", "CreateModelPackage"),
        ("lambda", "CreateFunction"),
        ("codepipeline", "CreatePipeline"),
        ("codebuild", "CreateProject"),
    ],
)
def test_nothing_passes_the_quick_look_that_the_long_one_would_refuse(service: str, operation: str) -> None:
    shape = ServiceShapes("us-east-1").model(service).operation_model(operation).input_shape
    assert shape is not None
    whole = example(shape)
    assert is_sound(shape, whole)
    looked = [(value, plain(shape)(value)) for value in spoilt(whole, also=False)]
    assert {passed for _, passed in looked} == {True, False}
    assert [value for value, passed in looked if passed and not is_sound(shape, value)] == []


def test_a_sound_request_passes_the_quick_look() -> None:
    shapes = ServiceShapes("us-east-1").model("sagemaker")
    shape = shapes.operation_model("CreateEndpoint").input_shape
    assert shape is not None
    request: dict[str, Any] = {"EndpointName": "a", "EndpointConfigName": "b", "Tags": [{"Key": "k", "Value": ""}]}
    assert plain(shape)(request)
    request["Tags"][0]["Value"] = 7
    assert not plain(shape)(request)


@pytest.mark.parametrize(
    ("service", "operation", "request_", "path"),
    [
        ("sagemaker", "CreateEndpoint", {**ENDPOINT, "Tags": [None]}, "tags.1.member"),
        (
            "sagemaker",
            "UpdateEndpoint",
            {**ENDPOINT, "ExcludeRetainedVariantProperties": [None]},
            "excludeRetainedVariantProperties.1.member",
        ),
        ("lambda", "TagResource", {"Resource": FUNCTION, "Tags": {"k": None}}, "tags.k.member"),
    ],
)
def test_null_is_no_item_of_a_list_or_a_map(service: str, operation: str, request_: dict[str, Any], path: str) -> None:
    problem = ServiceShapes("us-east-1").request_problem(service, operation, request_)
    assert problem == (
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    )
