"""Parameters and rules are checked before a stack is made.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.base.conftest import Stacks, Template, resource

SETTING = resource("AWS::SSM::Parameter", Type="String", Value="x")


def refusal(stacks: Stacks, template: Template, **given: str) -> str:
    """What CreateStack says against these parameters; nothing is made."""
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    with pytest.raises(ClientError) as refused:
        stacks.create("not-made", template, Parameters=parameters)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="does not exist"):
        stacks.described("not-made")
    return str(refused.value.response["Error"]["Message"])


def asking(**definition: Any) -> Template:
    return {"Parameters": {"P": {"Type": "String", **definition}}, "Resources": {"A": SETTING}}


@pytest.mark.parametrize(
    ("definition", "value", "complaint"),
    [
        ({"AllowedValues": ["a", "b"]}, "c", "AllowedValues|allowed values|must be one of"),
        ({"AllowedPattern": "[a-z]+"}, "a1", r"must match pattern \[a-z\]\+"),
        ({"AllowedPattern": "[a-z]+"}, "1a", "must match pattern"),
        ({"MinLength": 3}, "ab", "at least 3"),
        ({"MaxLength": 3}, "abcd", "at most 3"),
        ({"Type": "Number", "MinValue": 1}, "0", "not less than 1"),
        ({"Type": "Number", "MaxValue": 9}, "10", "not greater than 9"),
        ({"Type": "Number"}, "many", "[Nn]umber"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "AllowedValues|must be one of"),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "/nobody/wrote/it", "/nobody/wrote/it"),
        ({"AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters only"}, "A",
         "failed to satisfy constraint: small letters only"),
    ],
)  # fmt: skip
def test_a_value_outside_its_constraint_is_refused(
    stacks: Stacks, definition: dict[str, Any], value: str, complaint: str
) -> None:
    import re

    assert re.search(complaint, refusal(stacks, asking(**definition), P=value))


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ({"AllowedValues": ["a", ""]}, ""),
        ({"AllowedPattern": "a|b"}, "b"),
        ({"Type": "Number", "MinValue": 1, "MaxValue": 3}, "3"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "b,a"),
        ({"Type": "List<Number>"}, "1,2"),
    ],
)
def test_a_value_within_its_constraint_is_taken(stacks: Stacks, definition: dict[str, Any], value: str) -> None:
    stack = f"taken-{abs(hash((str(definition), value)))}"
    given = [{"ParameterKey": "P", "ParameterValue": value}]
    assert stacks.create(stack, asking(**definition), Parameters=given) == "CREATE_COMPLETE"
    assert stacks.described(stack)["Parameters"] == given


def test_a_parameter_without_a_value_is_asked_for(stacks: Stacks) -> None:
    assert refusal(stacks, asking()) == "Parameters: [P] must have values"


def test_a_parameter_that_the_template_does_not_have_is_refused(stacks: Stacks) -> None:
    assert refusal(stacks, asking(Default="x"), Q="y") == "Parameters: [Q] do not exist in the template"


def test_a_secret_parameter_is_not_told(stacks: Stacks) -> None:
    given = [{"ParameterKey": "P", "ParameterValue": "secret"}]
    assert stacks.create("keeps-secret", asking(NoEcho=True), Parameters=given) == "CREATE_COMPLETE"
    assert stacks.described("keeps-secret")["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]


RULED: Template = {
    "Parameters": {"Size": {"Type": "String"}, "Stage": {"Type": "String", "Default": "test"}},
    "Rules": {
        "SmallInTest": {
            "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "test"]},
            "Assertions": [
                {
                    "Assert": {"Fn::Contains": [["small", "tiny"], {"Ref": "Size"}]},
                    "AssertDescription": "tests are small",
                }
            ],
        }
    },
    "Resources": {"A": SETTING},
}


def test_a_rule_that_does_not_hold_refuses_the_stack(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html"""
    assert "tests are small" in refusal(stacks, RULED, Size="huge")


def test_a_rule_counts_only_under_its_condition(stacks: Stacks) -> None:
    given = {"Size": "huge", "Stage": "production"}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    assert stacks.create("ruled", RULED, Parameters=parameters) == "CREATE_COMPLETE"


def test_an_update_keeps_a_previous_value_and_takes_the_default_of_one_left_out(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Parameter.html"""
    template = {
        "Parameters": {name: {"Type": "String", "Default": "default"} for name in ("Kept", "Left")},
        "Resources": {"A": resource("AWS::SSM::Parameter", Type="String", Value={"Fn::Sub": "${Kept}-${Left}"})},
        "Outputs": {"Value": {"Value": {"Fn::GetAtt": "A.Value"}}},
    }
    given = [{"ParameterKey": name, "ParameterValue": "given"} for name in ("Kept", "Left")]
    assert stacks.create("previous", template, Parameters=given) == "CREATE_COMPLETE"
    again = [{"ParameterKey": "Kept", "UsePreviousValue": True}]
    assert stacks.update("previous", template, Parameters=again) == "UPDATE_COMPLETE"
    assert stacks.outputs("previous")["Value"] == "given-default"


def test_a_value_from_ssm_is_read_again_with_every_update(stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html"""
    ssm = ask("ssm")
    ssm.put_parameter(Name="/read/again", Type="String", Value="one")
    template = {
        "Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/read/again"}},
        "Resources": {"A": resource("AWS::SSM::Parameter", Type="String", Value={"Ref": "P"})},
        "Outputs": {"Value": {"Value": {"Fn::GetAtt": "A.Value"}}},
    }
    assert stacks.create("from-ssm", template) == "CREATE_COMPLETE"
    (told,) = stacks.described("from-ssm")["Parameters"]
    assert (told["ParameterValue"], told["ResolvedValue"]) == ("/read/again", "one")
    ssm.put_parameter(Name="/read/again", Type="String", Value="two", Overwrite=True)
    assert stacks.update("from-ssm", template) == "UPDATE_COMPLETE"
    assert stacks.outputs("from-ssm")["Value"] == "two"
