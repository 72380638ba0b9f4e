"""What is quickly seen to be sound is what AWS's models allow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from rehearsal.cloud.plain_values import NUMBERS, plain
from rehearsal.cloud.validation import ServiceShapes, _broken, misread_value


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


def example(shape: Shape, depth: int = 0) -> Any:
    """A value with every member, three levels deep; its texts break patterns that are hard to guess."""
    if isinstance(shape, StructureShape):
        deeper = shape.members if depth < 3 else {name: shape.members[name] for name in shape.required_members}
        return {name: example(member, depth + 1) for name, member in deeper.items()} if depth < 9 else {}
    if isinstance(shape, ListShape):
        return [example(shape.member, depth + 1)] if depth < 9 else []
    if isinstance(shape, MapShape):
        return {"key": example(shape.value, depth + 1)} if depth < 9 else {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "a" * max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "blob": b"x", "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}.get(
        shape.type_name, max(1, shape.metadata.get("min", 1))
    )


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
    looked = [(value, plain(shape)(value)) for value in spoilt(example(shape), also=False)]
    assert [value for value, passed in looked if passed and not is_sound(shape, value)] == []
    assert {passed for _, passed in looked} >= {False}


def test_a_sound_request_passes_the_quick_look() -> None:
    shapes = ServiceShapes("us-east-1").model("sagemaker")
    shape = shapes.operation_model("CreateEndpoint").input_shape
    assert shape is not None
    request: dict[str, Any] = {"EndpointName": "a", "EndpointConfigName": "b", "Tags": [{"Key": "k", "Value": ""}]}
    assert plain(shape)(request)
    request["Tags"][0]["Value"] = 7
    assert not plain(shape)(request)
