"""What is quickly seen to be sound is what AWS's models allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape, StringShape

from rehearsal.cloud.validation import NUMBERS, ServiceShapes, _broken, _soundness


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


@pytest.mark.parametrize("service", ["sagemaker", "lambda", "codepipeline", "codebuild", "codecommit"])
def test_the_quick_look_at_a_value_sees_what_the_long_one_says(service: str) -> None:
    model = ServiceShapes("us-east-1").model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    simple = [each for each in shapes if each.type_name not in ("structure", "list", "map")]
    looks = [(each, value, not list(_broken(each, value, "it"))) for each in simple for value in edges(each)]
    assert {sound for _, _, sound in looks} == {True, False}
    assert [(each.name, value) for each, value, sound in looks if _soundness(each)(value) is not sound] == []
