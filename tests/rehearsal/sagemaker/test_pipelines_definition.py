"""A definition is refused when it is created, with the step or parameter that is wrong, not when it runs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.conditions import holds
from rehearsal.cloud.sagemaker.expressions import ExpressionProblem, Scope, walk
from rehearsal.cloud.sagemaker.pipeline_definition import parse
from rehearsal.cloud.sagemaker.step_cache import cache_key, duration
from tests.rehearsal.sagemaker.jobs_lab import definition

ALWAYS = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}


def fail(name: str, message: Any = "no", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **more}


def process(name: str, *needs: str, **more: Any) -> dict[str, Any]:
    arguments = {"Environment": {str(index): {"Get": need} for index, need in enumerate(needs)}}
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def condition(name: str, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {"Conditions": [ALWAYS], "IfSteps": then, "ElseSteps": otherwise},
    }


def retried(**policy: Any) -> str:
    """A definition with one retry policy."""
    return definition([process("A", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], **policy}])])


def decided(condition: Any) -> str:
    """A definition with one condition."""
    return definition([{"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [condition]}}])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not json", "not valid JSON"),
        ("[]", "Expecting start of Json Object"),
        (json.dumps({"Version": "2019-01-01", "Steps": []}), "Version '2019-01-01' is not supported"),
        (json.dumps({"Version": "2020-12-01", "Steps": []}), "at least one step"),
        (definition([fail("A"), fail("A")]), r"\[A\] is used more than once"),
        (definition([condition("C", [fail("A")], [fail("A")])]), r"\[A\] is used more than once"),
        (definition([{"Name": "A", "Type": "Dance", "Arguments": {}}]), "Type 'Dance' of step"),
        (definition([fail("A", {"Get": "Parameters.X"})]), r"parameter \[X\] is not defined"),
        (definition([fail("A", {"Get": "Steps.B.Outcome"})]), r"step \[B\] is not defined"),
        (definition([fail("A", {"Get": "Execution.Weather"})]), "not an execution variable"),
        (definition([fail("A", {"Get": "Wishes.X"})]), "neither a parameter"),
        (definition([fail("A", DependsOn=["B"])]), r"depends on step \[B\], which is not defined"),
        (definition([process("A", "Steps.B.X"), process("B", "Steps.A.X")]), "in a cycle"),
        (definition([process("A"), fail("B", {"Get": "Steps.A.PropertyFiles.F"})]), r"no property file \[F\]"),
        (definition([fail("A", CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})]), "cannot have a CacheConfig"),
        (definition([process("A", CacheConfig={"Enabled": True})]), "needs ExpireAfter"),
        (definition([process("A", RetryPolicies=[{"ExceptionType": ["Any"]}])]), "unknown ExceptionType"),
        (definition([process("A", Colour="red")]), r"unknown properties: \[Colour\]"),
        (
            definition([process("A", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttemps": 3}])]),
            r"RetryPolicies of step \[A\] has unknown properties: \[MaxAttemps\]",
        ),
        (
            definition([process("A", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": "3"}])]),
            "'3' is not a value of MaxAttempts",
        ),
        (definition([process("A", RetryPolicies={"ExceptionType": "Step.THROTTLING"})]), "Json Array for RetryPolic"),
        (retried(ExceptionType="Step.THROTTLING"), "'Step.THROTTLING' is not a value of ExceptionType"),
        (retried(MaxAttempts=21), "MaxAttempts must be between 0 and 20, not 21"),
        (retried(ExpireAfterMin=14_401), "ExpireAfterMin must be between 0 and 14400"),
        (retried(IntervalSeconds=-1), "IntervalSeconds must be between 0 and 43200"),
        (retried(BackoffRate=-0.5), "BackoffRate must not be negative"),
        (retried(MaxAttempts=1, ExpireAfterMin=1), "only one of MaxAttempts and ExpireAfterMin"),
        (
            definition([process("A", CacheConfig={"Enabled": True, "ExpireAfter": "P1D", "Expires": 1})]),
            r"CacheConfig of step \[A\] has unknown properties: \[Expires\]",
        ),
        (definition([process("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})]), "'soon' is not an ISO 8601"),
        (
            definition([process("A", PropertyFiles=[{"PropertyFileName": "F", "OutputName": "o", "Path": "f.json"}])]),
            r"PropertyFiles of step \[A\] has unknown properties: \[Path\]",
        ),
        (
            definition([process("A", PropertyFiles=[{"PropertyFileName": "F", "OutputName": "o"}])]),
            "FilePath is missing",
        ),
        (definition([fail("A", DependsOn="B")]), "Json Array for DependsOn"),
        (definition([fail("A", DependsOn=[{"Step": "B"}])]), "must name steps"),
        (definition(["A"]), "Json Object for a step"),
        (decided({"Type": "Resembles", "LeftValue": 1, "RightValue": 1}), "Condition type 'Resembles' of step"),
        (decided("true"), "Condition type 'None' of step"),
        (decided({"Type": "Equals", "LeftValue": 1}), r"Condition Equals of step \[C\] has no RightValue"),
        (decided({"Type": "Equals", "LeftValue": 1, "RightValue": 1, "Near": 1}), r"unknown properties: \[Near\]"),
        (decided({"Type": "Not", "Expression": {"Type": "In", "QueryValue": 1}}), "Condition In of .* has no Values"),
        (decided({"Type": "Or", "Conditions": [{"Type": "Maybe"}]}), "Condition type 'Maybe'"),
        (decided({"Type": "In", "QueryValue": 1, "Values": 1}), "Json Array for Values of condition In"),
        (definition([fail("A", {"Std:Join": {"On": ","}})]), r"Step \[A\]: Std:Join needs Values"),
        (definition([fail("A", {"Std:Join": {"On": 1, "Values": []}})]), "Std:Join needs"),
        (definition([fail("A", {"Std:JsonGet": {"Path": "a"}})]), "Std:JsonGet needs Path, and either PropertyFile or"),
        (definition([fail("A", {"Std:JsonGet": {"Path": "a", "PropertyFile": "F"}})]), "Std:JsonGet needs Path"),
        (definition([fail("A", {"Std:Upper": "a"})]), "'Std:Upper' is not a function"),
        (definition([fail("A", {"Get": 1})]), "Get must name what it refers to"),
        (definition([{"Name": "A", "Type": "Fail", "Arguments": {"ErrorMesage": "x"}}]), r"\[ErrorMesage\]"),
        (definition([fail("A")], ["P"]), "Json Object for parameter"),
        (
            definition([fail("A")], [{"Name": "P", "Type": "String", "Default": "x"}]),
            r"unknown properties: \[Default\]",
        ),
        (definition([fail("A")], [{"Name": "P", "Type": "Date"}]), "Type 'Date' of parameter"),
        (definition([fail("A")], [{"Name": "P", "Type": "Integer", "DefaultValue": "1"}]), "is not of type Integer"),
        (definition([fail("A")], [{"Name": "P", "Type": "Integer", "DefaultValue": True}]), "is not of type Integer"),
        (
            definition([fail("A")], [{"Name": "P", "Type": "String", "DefaultValue": "x", "EnumValues": ["y"]}]),
            "not one of its EnumValues",
        ),
    ],
)
def test_a_wrong_definition_is_refused_with_its_problem(text: str, problem: str) -> None:
    with pytest.raises(AwsError, match=problem) as refused:
        parse(text)

    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("kind", "arguments", "problem"),
    [
        ("Processing", {"Nonsense": 1}, "Unknown Argument member 'Nonsense'"),
        ("Processing", {"ProcessingResources": [1]}, "Start of structure or map expected at 'ProcessingResources'"),
        ("Processing", {"AppSpecification": {"ImageUri": 1}}, "can not be converted to a String .at 'AppSpec.*Uri'"),
        (
            "Processing",
            {"ProcessingInputs": [{"Input": "x"}]},
            r"Unknown Argument member 'ProcessingInputs\[0\]\.Input'",
        ),
        ("Processing", {"ProcessingInputs": {"InputName": "x"}}, "Start of list expected at 'ProcessingInputs'"),
        ("Processing", {"ProcessingResources": {"Std:Join": {"Values": []}}}, "must be an object, not one value"),
        ("Processing", {"ProcessingInputs": {"Get": "Parameters.X"}}, "must be a list, not one value"),
        ("Training", {"ResourceConfig": {"InstanceCount": "2"}}, "can not be converted to an Integer"),
        ("Training", {"HyperParameters": {"depth": 3}}, "can not be converted to a String .at 'HyperParameters.depth'"),
        ("Transform", {"TransformInput": "s3://b/k"}, "Start of structure or map expected at 'TransformInput'"),
        ("Model", {"PrimaryContainer": {"Imaeg": "x"}}, "Unknown Argument member 'PrimaryContainer.Imaeg'"),
        ("RegisterModel", {"ModelPackageGroupName": True}, "can not be converted to a String"),
        ("RegisterModel", {"ModelPackageName": "m"}, "Unknown Argument member 'ModelPackageName'"),
        (
            "Processing",
            {"ProcessingJobName": "n" * 64},
            r"string 'n{64}' with length=64 cannot be greater than max=63\.0 defined for ProcessingJobName",
        ),
        (
            "Processing",
            {"AppSpecification": {"ContainerArguments": ["-q", "n" * 257]}},
            r"max=256\.0 defined for ContainerArgument .AppSpecification\.ContainerArguments\[1\]",
        ),
        ("Fail", {"ErrorMessage": 1}, "ErrorMessage must be a text"),
        ("Condition", {"IfSteps": []}, "Conditions must have at least one condition"),
        ("Condition", {"Conditions": [], "IfSteps": []}, "Conditions must have at least one condition"),
    ],
)
def test_arguments_that_no_call_could_be_made_with_are_refused(kind: str, arguments: Any, problem: str) -> None:
    text = definition([{"Name": "A", "Type": kind, "Arguments": arguments}], [{"Name": "X", "Type": "String"}])

    with pytest.raises(AwsError, match=rf"Unable to parse pipeline definition\. .*step \[A\]: .*{problem}"):
        parse(text)


def test_expressions_stand_for_single_values_and_properties_for_anything() -> None:
    arguments = {
        "RoleArn": {"Get": "Parameters.X"},
        "Environment": {"a": {"Std:Join": {"On": "-", "Values": ["x", {"Get": "Execution.PipelineName"}]}}},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": {"Get": "Parameters.X"}, "VolumeSizeInGB": 30}},
        "ProcessingInputs": [{"InputName": "in", "S3Input": {"Get": "Steps.A.ProcessingInputs[0].S3Input"}}],
        "NetworkConfig": None,
    }
    step = {"Name": "B", "Type": "Processing", "Arguments": arguments}

    assert "B" in parse(definition([process("A"), step], [{"Name": "X", "Type": "String"}])).steps


def fails(number: int, prefix: str = "F") -> list[dict[str, Any]]:
    return [fail(f"{prefix}{each}") for each in range(number)]


def parameters(number: int) -> list[dict[str, Any]]:
    return [{"Name": f"P{each}", "Type": "String", "DefaultValue": "x"} for each in range(number)]


def one_parameter(**more: Any) -> str:
    return definition([fail("A")], [{"Name": "P", "Type": "String", **more}])


def conditions(number: int) -> str:
    return definition([{"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [ALWAYS] * number}}])


def files(number: int) -> str:
    """Ten files of one step, the rest of the next."""
    named = [{"PropertyFileName": f"F{each}", "OutputName": "o", "FilePath": "f"} for each in range(number)]
    return definition([process("A", PropertyFiles=named[:10]), process("B", PropertyFiles=named[10:])])


def json_gets(number: int) -> str:
    """Half of them in arguments, half in conditions."""
    get = {"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "p"}}
    compared = {"Type": "Equals", "LeftValue": get, "RightValue": 1}
    joined = fail("A", {"Std:Join": {"On": "", "Values": [get] * (number // 2)}})
    decided = {"Conditions": [compared] * (number - number // 2)}
    return definition([joined, {"Name": "C", "Type": "Condition", "Arguments": decided}])


def with_metadata(metadata: Any) -> str:
    return json.dumps({**json.loads(definition([fail("A")])), "Metadata": metadata})


@pytest.mark.parametrize(
    ("most", "more", "problem"),
    [
        (
            definition([condition("C", fails(20), fails(20, "E")), *fails(9, "G")]),
            definition([condition("C", fails(20), fails(20, "E")), *fails(10, "G")]),
            "There are 51 steps, and a pipeline can have 50",
        ),
        (
            definition([fail("A")], parameters(200)),
            definition([fail("A")], parameters(201)),
            "There are 201 parameters, and a pipeline can have 200",
        ),
        (
            definition([condition("C", fails(20), [])]),
            definition([condition("C", fails(21), [])]),
            r"There are 21 steps in IfSteps, and step \[C\] can have 20",
        ),
        (
            definition([condition("C", [], fails(20))]),
            definition([condition("C", [], fails(21))]),
            r"There are 21 steps in ElseSteps, and step \[C\] can have 20",
        ),
        (conditions(200), conditions(201), r"There are 201 conditions, and step \[C\] can have 200"),
        (
            decided({"Type": "Not", "Expression": {"Type": "Or", "Conditions": [ALWAYS] * 200}}),
            decided({"Type": "Not", "Expression": {"Type": "Or", "Conditions": [ALWAYS] * 201}}),
            r"There are 201 conditions in an Or, and step \[C\] can have 200",
        ),
        (files(10), files(11), r"There are 11 property files up to step \[B\], and a pipeline can have 10"),
        (
            json_gets(200),
            json_gets(201),
            r"There are 201 Std:JsonGet functions up to step \[C\], and a pipeline can have 200",
        ),
        (
            one_parameter(EnumValues=[*"abcdefghijklmnop", "a"]),
            one_parameter(EnumValues=[*"abcdefghijklmnopq"]),
            r"There are 17 EnumValues, and parameter \[P\] can have 16",
        ),
        (
            one_parameter(EnumValues=["x" * 2048]),
            one_parameter(EnumValues=["y", "x" * 2049]),
            r"One of the EnumValues of parameter \[P\] has 2049 characters, and can have 2048",
        ),
        (
            one_parameter(DefaultValue="x" * 4096),
            one_parameter(DefaultValue="x" * 4097),
            r"DefaultValue of parameter \[P\] has 4097 characters, and can have 4096",
        ),
        (
            one_parameter(Description="x" * 4096),
            one_parameter(Description="x" * 4097),
            r"Description of parameter \[P\] has 4097 characters, and can have 4096",
        ),
        (one_parameter(Name="n" * 64), one_parameter(Name="n" * 65), "Parameter name 'n{65}' must match"),
        (one_parameter(Name="a-b_9"), one_parameter(Name="a.b"), r"Parameter name 'a\.b' must match"),
        (
            with_metadata({f"k{each}": "v" for each in range(20)}),
            with_metadata({f"k{each}": "v" for each in range(21)}),
            "There are 21 keys in Metadata, and a pipeline can have 20",
        ),
        (
            with_metadata({"k": "x" * 1024}),
            with_metadata({"k": "x" * 1025}),
            r"Value of key \[k\] of Metadata has 1025 characters, and can have 1024",
        ),
        (with_metadata({"k" * 128: ""}), with_metadata({"k" * 129: ""}), "Key 'k{129}' of Metadata must match"),
        (with_metadata({"k": "1"}), with_metadata({"k": 1}), r"Value of key \[k\] of Metadata must be a text"),
        (with_metadata(None), with_metadata(["k"]), "Json Object for Metadata"),
    ],
)
def test_a_pipeline_has_the_quotas_of_aws(most: str, more: str, problem: str) -> None:
    parse(most)

    with pytest.raises(AwsError, match=rf"Unable to parse pipeline definition\. .*{problem}") as refused:
        parse(more)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    "kind",
    [
        *("Tuning", "AutoML", "QualityCheck", "ClarifyCheck", "Callback", "EMR", "EMRServerless", "NotebookJob"),
        *("Endpoint", "EndpointConfig", "InferenceComponent", "MonitorBatchTransform"),
    ],
)
def test_step_types_that_are_not_played_are_refused_by_name(kind: str) -> None:
    with pytest.raises(NotImplementedHere, match=f"Step type {kind} \\(step A\\)"):
        parse(definition([{"Name": "A", "Type": kind, "Arguments": {}}]))


def test_dependencies_come_from_references_depends_on_and_branches() -> None:
    steps = parse(
        definition([process("A"), process("B", "Steps.A.X"), condition("C", [process("D", "Steps.B.X")], [])])
    ).steps

    assert {name: set(step.depends_on) for name, step in steps.items()} == {
        "A": set(),
        "B": {"A"},
        "C": set(),
        "D": {"B", "C"},
    }


PARAMETERS: list[dict[str, Any]] = [
    {"Name": "Depth", "Type": "Integer", "DefaultValue": 4},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 1},
    {"Name": "Status", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    {"Name": "Fast", "Type": "Boolean", "DefaultValue": False},
]


def test_given_values_take_the_parameters_type() -> None:
    given = [{"Name": "Depth", "Value": "6"}, {"Name": "Rate", "Value": "0.5"}, {"Name": "Fast", "Value": "true"}]

    assert parse(definition([fail("A")], PARAMETERS)).values(given) == {
        "Depth": 6,
        "Rate": 0.5,
        "Status": "a",
        "Fast": True,
    }


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("Depht", "6", r"\[Depht\] is not defined"),
        ("Depth", "deep", r"\[Depth\] is not of type Integer"),
        ("Status", "c", r"\[Status\] is not one of its enum values \[a, b\]"),
        ("Fast", "yes", r"\[Fast\] is not of type Boolean"),
    ],
)
def test_values_that_do_not_fit_are_refused(name: str, value: str, problem: str) -> None:
    with pytest.raises(AwsError, match=problem):
        parse(definition([fail("A")], PARAMETERS)).values([{"Name": name, "Value": value}])


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(AwsError, match=r"without a value: \[Data\]"):
        parse(definition([fail("A")], [{"Name": "Data", "Type": "String"}])).values([])


# ---- expressions

SCOPE = Scope(
    parameters={"Depth": 4, "Rate": 0.1},
    execution={"PipelineExecutionId": "abc"},
    properties={"Prepare": {"Outputs": [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/t"}}], "N": [1, 2]}},
    property_file=lambda step, name: {"metrics": {"auc": {"value": 0.9}}, "of": [step, name]},
    s3_json=lambda uri: {"from": uri},
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.Depth"}, 4),
        ({"Get": "Steps.Prepare.Outputs['train'].S3Output.S3Uri"}, "s3://b/t"),
        ({"Get": "Steps.Prepare.N[1]"}, 2),
        ({"Std:Join": {"On": "/", "Values": ["a", {"Get": "Execution.PipelineExecutionId"}, 0.5]}}, "a/abc/0.5"),
        ({"Std:Join": {"On": "", "Values": [{"Std:Join": {"On": "-", "Values": ["x", "y"]}}]}}, "x-y"),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "metrics.auc.value"}},
            0.9,
        ),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "of[1]"}}, "R"),
        ({"Std:JsonGet": {"S3Uri": {"Std:Join": {"Values": ["s3:", "//b"]}}, "Path": "from"}}, "s3://b"),
        ({"deep": [{"er": {"Get": "Parameters.Rate"}}]}, {"deep": [{"er": 0.1}]}),
    ],
)
def test_expressions_stand_for_values_anywhere(expression: Any, value: Any) -> None:
    assert SCOPE.resolve(expression) == value


def test_a_property_that_is_not_there_is_named() -> None:
    with pytest.raises(ExpressionProblem, match="Step Prepare has no 'Colour'"):
        SCOPE.resolve({"Get": "Steps.Prepare.Colour"})


def test_keys_with_dots_are_reached_with_brackets() -> None:
    assert walk({"a.b": {"c": 1}}, "['a.b'].c", "here") == 1


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"Type": "Equals", "LeftValue": {"Get": "Parameters.Depth"}, "RightValue": 4.0}, True),
        ({"Type": "GreaterThan", "LeftValue": 4, "RightValue": 4}, False),
        ({"Type": "GreaterThanOrEqualTo", "LeftValue": 4, "RightValue": 4}, True),
        ({"Type": "LessThan", "LeftValue": "a", "RightValue": "b"}, True),
        ({"Type": "LessThanOrEqualTo", "LeftValue": 5, "RightValue": 4}, False),
        ({"Type": "In", "QueryValue": "x", "Values": ["x", "y"]}, True),
        ({"Type": "Not", "Expression": {"Type": "In", "QueryValue": "z", "Values": ["x"]}}, True),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "Equals", "LeftValue": 1, "RightValue": 2},
                    {"Type": "Equals", "LeftValue": 2, "RightValue": 2},
                ],
            },
            True,
        ),
    ],
)
def test_conditions_compare(condition: dict[str, Any], outcome: bool) -> None:
    assert holds(condition, SCOPE) is outcome


def test_a_number_is_not_compared_with_a_text() -> None:
    with pytest.raises(ExpressionProblem, match="different types"):
        holds({"Type": "GreaterThan", "LeftValue": "0.9", "RightValue": 0.5}, SCOPE)


def test_unknown_conditions_are_refused_by_name() -> None:
    with pytest.raises(NotImplementedHere, match="Condition type Resembles"):
        holds({"Type": "Resembles"}, SCOPE)


# ---- caching


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P30D", timedelta(days=30)),
        ("30d", timedelta(days=30)),
        ("PT1H", timedelta(hours=1)),
        ("T16m", timedelta(minutes=16)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("5y", timedelta(days=1825)),
    ],
)
def test_expiry_is_an_iso_duration_as_the_guide_writes_them(text: str, value: timedelta) -> None:
    assert duration(text) == value


@pytest.mark.parametrize("text", ["", "P", "a month", "30"])
def test_other_expiries_are_refused(text: str) -> None:
    with pytest.raises(AwsError, match="not an ISO 8601 duration"):
        duration(text)


def test_only_what_aws_documents_makes_a_run_another_run() -> None:
    arguments: dict[str, Any] = {
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingInputs": [{"S3Input": {"S3Uri": "s3://b/code/1"}}],
        "ProcessingOutputConfig": {"Outputs": ["s3://b/execution-1"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large"}},
        "RoleArn": "r",
    }
    key = cache_key("Processing", "A", arguments)

    assert cache_key("Processing", "A", {**arguments, "ProcessingOutputConfig": {}, "RoleArn": "other"}) == key
    assert cache_key("Processing", "A", {**arguments, "ProcessingInputs": []}) != key
    assert cache_key("Processing", "A", {**arguments, "Environment": {"A": "1"}}) != key
    assert cache_key("Processing", "B", arguments) != key
