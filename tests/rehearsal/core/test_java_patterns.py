"""Patterns of the service models, read as Java reads them."""

from __future__ import annotations

import botocore.session
import pytest

from rehearsal.cloud.java_patterns import java_pattern

TAG = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
UNREADABLE = {"CustomerMetadataKey", "CustomerMetadataValue"}
"""`...*)${1,128}`: a mistake of the model's own."""


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (TAG, "sagemaker:project-name", True),
        (TAG, "Größe 3 ٣", True),
        (TAG, "why?", False),
        (TAG, "a&b", False),
        (TAG, "rocket 🚀", False),
        (TAG, "two\nlines", False),
        (r"[\w\.-]+", "ends.git", True),
        (r"[\w\.-]+", "größe", False),
        (r"\p{Print}+", "a b", True),
        (r"\p{Alnum}+", "a-b", False),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "rocket 🚀", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "bell \a", False),
    ],
)
def test_a_pattern_means_what_it_means_to_aws(pattern: str, value: str, fits: bool) -> None:
    compiled = java_pattern(pattern)
    assert compiled is not None
    assert bool(compiled.fullmatch(value)) is fits


def test_no_pattern_of_our_services_goes_unchecked() -> None:
    from rehearsal.cloud.rooms import SERVICES

    session = botocore.session.Session()
    unread = set()
    for name in {room.name for room in SERVICES}:
        model = session.get_service_model(name)
        shapes = (model.shape_for(each) for each in model.shape_names)
        unread |= {
            shape.name
            for shape in shapes
            if "pattern" in shape.metadata and not java_pattern(shape.metadata["pattern"])
        }
    assert unread == UNREADABLE
