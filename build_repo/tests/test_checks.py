"""What is wrong with a compiled definition is found before anything is sent."""

from itertools import pairwise
from typing import Any

from pipelines.checks import problems


def step(name: str, *, needs: str = "", after: tuple[str, ...] = (), kind: str = "Processing", **arguments: Any) -> Any:
    reference = {"Environment": {"X": {"Get": f"Steps.{needs}.Arn"}}} if needs else {}
    return {"Name": name, "Type": kind, "DependsOn": list(after), "Arguments": reference | arguments}


def definition(*steps: Any, parameters: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"Parameters": list(parameters), "Steps": list(steps)}


def test_steps_that_wait_for_each_other_are_named_in_a_circle() -> None:
    wrong = definition(step("A", after=("C",)), step("B", needs="A"), step("C", needs="B"))

    [found] = problems(wrong)

    assert found.startswith("these steps wait for each other in a circle")
    circle = found.rpartition(": ")[2].split(" -> ")
    assert set(pairwise(circle)) == {("A", "C"), ("C", "B"), ("B", "A")}


def test_a_step_of_a_branch_that_its_condition_waits_for_is_a_circle() -> None:
    inner = step("Register")
    gate = step("Gate", needs="Register", kind="Condition", IfSteps=[inner], ElseSteps=[])

    [found] = problems(definition(gate))

    assert "Gate" in found
    assert "Register" in found


def test_a_default_outside_the_choices_is_named_with_them() -> None:
    parameter = {"Name": "Status", "Type": "String", "DefaultValue": "Maybe", "EnumValues": ["Yes", "No"]}

    assert list(problems(definition(step("A"), parameters=(parameter,)))) == [
        "the default of parameter Status is 'Maybe', but its choices are Yes, No"
    ]


def test_a_sound_definition_has_no_problem(compiled: Any) -> None:
    assert list(problems(compiled.document)) == []
