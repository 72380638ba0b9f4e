"""References to variables, resolved and not."""

from __future__ import annotations

import pytest

from rehearsal.cloud.codepipeline.conditions import OPERATORS
from rehearsal.cloud.codepipeline.variables import Unresolvable, references, resolve, resolve_all

NAMESPACES = {"Build": {"DEPLOY": "yes", "EMPTY": ""}, "codepipeline": {"PipelineExecutionId": "1-2"}}


def test_references_are_replaced_wherever_they_stand() -> None:
    assert resolve("x#{Build.DEPLOY}y#{codepipeline.PipelineExecutionId}", NAMESPACES) == "xyesy1-2"


def test_an_empty_value_is_a_value() -> None:
    assert resolve("[#{Build.EMPTY}]", NAMESPACES) == "[]"


def test_a_replaced_value_is_not_looked_at_again() -> None:
    assert resolve("#{A.x}", {"A": {"x": "#{A.y}"}}) == "#{A.y}"


def test_other_braces_are_left_alone() -> None:
    assert resolve("${A} {Build.DEPLOY} #Build.DEPLOY", NAMESPACES) == "${A} {Build.DEPLOY} #Build.DEPLOY"


def test_every_unresolvable_reference_is_named() -> None:
    with pytest.raises(Unresolvable) as problem:
        resolve_all({"a": "#{Build.NO}", "b": "#{Nobody.X} #{Build.DEPLOY}"}, NAMESPACES)
    assert problem.value.references == ["Build.NO", "Nobody.X"]


def test_a_malformed_reference_has_no_namespace() -> None:
    assert list(references("#{a} #{a.b}")) == [("a", "", ""), ("a.b", "a", "b")]


@pytest.mark.parametrize(
    ("operator", "variable", "value", "passes"),
    [
        ("EQ", "yes", "yes", True),
        ("EQ", "Yes", "yes", False),
        ("NE", "yes", "no", True),
        ("CONTAINS", "an update", "update", True),
        ("CONTAINS", "update", "an update", False),
        ("MATCHES", "v1.20", r"v\d+\.\d+", True),
        ("MATCHES", "xv1.20", r"v\d+\.\d+", False),
    ],
)
def test_operators_compare_as_documented(operator: str, variable: str, value: str, passes: bool) -> None:
    assert OPERATORS[operator](variable, value) is passes
