"""Functions, pseudo parameters and conditions have the values AWS documents.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import Stacks, resource

PARAMETER = "AWS::SSM::Parameter"
ACCOUNT, REGION = "123456789012", "us-east-1"

VALUES: dict[str, tuple[Any, str]] = {
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ref.html
    "RefOfAParameter": ({"Ref": "Word"}, "hello"),
    "RefOfAResource": ({"Ref": "Setting"}, "/functions/setting"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getatt.html
    "GetAtt": ({"Fn::GetAtt": ["Setting", "Value"]}, "hello"),
    "GetAttWithADot": ({"Fn::GetAtt": "Setting.Type"}, "String"),
    "GetAttOfAnArn": ({"Fn::GetAtt": ["Queue", "Arn"]}, f"arn:aws:sqs:{REGION}:{ACCOUNT}:functions"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html
    "Sub": (
        {"Fn::Sub": "${Word}-${Setting}-${Queue.QueueName}-${AWS::Region}"},
        f"hello-/functions/setting-functions-{REGION}",
    ),
    "SubWithAMapping": ({"Fn::Sub": ["${Own}/${Word}", {"Own": {"Fn::Join": ["", ["a", "b"]]}}]}, "ab/hello"),
    "SubOwnNameFirst": ({"Fn::Sub": ["${Word}", {"Word": "mine"}]}, "mine"),
    "SubLiteral": ({"Fn::Sub": "${!Word} ${Word}"}, "${Word} hello"),
    "SubLeavesADollar": ({"Fn::Sub": "$Word $(Word) {{Word}}"}, "$Word $(Word) {{Word}}"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-join.html
    "Join": ({"Fn::Join": [":", ["a", {"Ref": "Word"}, "c"]]}, "a:hello:c"),
    "JoinOfAListParameter": ({"Fn::Join": ["|", {"Ref": "Words"}]}, "red|green|blue"),
    "JoinWithNothing": ({"Fn::Join": ["", ["a", "b"]]}, "ab"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-select.html
    "Select": ({"Fn::Select": [1, ["a", "b", "c"]]}, "b"),
    "SelectOfAListParameter": ({"Fn::Select": ["2", {"Ref": "Words"}]}, "blue"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-split.html
    "SplitAndSelect": ({"Fn::Select": [2, {"Fn::Split": ["|", "a||c"]}]}, "c"),
    "SplitKeepsEmptyEnds": ({"Fn::Join": [",", {"Fn::Split": ["|", "|a|"]}]}, ",a,"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-findinmap.html
    "FindInMap": ({"Fn::FindInMap": ["Sizes", {"Ref": "Word"}, "memory"]}, "512"),
    "FindInMapByRegion": ({"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "name"]}, "Virginia"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
    "IfTrue": ({"Fn::If": ["Yes", "then", "else"]}, "then"),
    "IfFalse": ({"Fn::If": ["No", "then", {"Ref": "Word"}]}, "hello"),
    "NoValueInAList": ({"Fn::Join": ["-", ["a", {"Fn::If": ["No", "b", {"Ref": "AWS::NoValue"}]}, "c"]]}, "a-c"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-base64.html
    "Base64": ({"Fn::Base64": {"Fn::Sub": "echo ${Word}"}}, base64.b64encode(b"echo hello").decode()),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html
    "Cidr": ({"Fn::Select": [1, {"Fn::Cidr": ["192.168.0.0/24", 6, 5]}]}, "192.168.0.32/27"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html
    "GetAZs": ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, f"{REGION}a"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    "StackName": ({"Ref": "AWS::StackName"}, "functions"),
    "AccountId": ({"Ref": "AWS::AccountId"}, ACCOUNT),
    "Region": ({"Ref": "AWS::Region"}, REGION),
    "Partition": ({"Fn::Sub": "arn:${AWS::Partition}:s3:::b"}, "arn:aws:s3:::b"),
    "URLSuffix": ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    "BooleanDefaultIsText": ({"Ref": "Flag"}, "true"),
    "BooleanIsTextInAJoin": ({"Fn::Join": ["", ["is ", False]]}, "is false"),
    "NumberIsText": ({"Fn::Join": ["", ["n=", {"Ref": "Count"}]]}, "n=3"),
    "NumberKeepsItsDigits": ({"Ref": "Rate"}, "0.10"),
    "FromSsm": ({"Ref": "FromSsm"}, "stored"),
    "FromSsmAsAList": ({"Fn::Join": ["+", {"Ref": "ListFromSsm"}]}, "x+y"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html
    "FromSsmInAProperty": ({"Fn::GetAtt": ["Dynamic", "Value"]}, "v-stored"),
}

CONDITIONS: dict[str, tuple[Any, bool]] = {
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
    "Yes": ({"Fn::Equals": [{"Ref": "Word"}, "hello"]}, True),
    "No": ({"Fn::Not": [{"Fn::Equals": [{"Ref": "Switch"}, "off"]}]}, False),
    "EqualsMindsCase": ({"Fn::Equals": [{"Ref": "Switch"}, "OFF"]}, False),
    "And": ({"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}, False),
    "Or": ({"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": [{"Ref": "Rate"}, "0.10"]}]}, True),
    "Nested": ({"Fn::And": [{"Fn::Not": [{"Condition": "No"}]}, {"Fn::Or": [{"Condition": "No"}, {"Condition": "Or"}]},
                            {"Condition": "Or"}]}, True),
    "EqualsOfABoolean": ({"Fn::Equals": [{"Ref": "Flag"}, True]}, True),
    "EqualsOfABooleansText": ({"Fn::Equals": [{"Ref": "Flag"}, "true"]}, True),
    "EqualsOfANumber": ({"Fn::Equals": [{"Ref": "Count"}, 3]}, True),
    "EqualsOfAPseudoParameter": ({"Fn::Equals": [{"Ref": "AWS::Region"}, REGION]}, True),
    "EqualsOfAnAccount": ({"Fn::Equals": [{"Ref": "AWS::AccountId"}, "999999999999"]}, False),
    "EqualsOfAMapping": ({"Fn::Equals": [{"Fn::FindInMap": ["Sizes", {"Ref": "Word"}, "memory"]}, "512"]}, True),
    "EqualsOfAJoin": ({"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Words"}]}, "redgreenblue"]}, True),
    "EqualsOfASub": ({"Fn::Equals": [{"Fn::Sub": "${AWS::Region}-${Word}"}, f"{REGION}-hello"]}, True),
    "EqualsOfASelect": ({"Fn::Equals": [{"Fn::Select": [0, {"Fn::Split": ["l", {"Ref": "Word"}]}]}, "he"]}, True),
    "UsedBeforeItIsWritten": ({"Fn::Not": [{"Condition": "WrittenLater"}]}, False),
    "WrittenLater": ({"Fn::Equals": [{"Ref": "Empty"}, ""]}, True),
}  # fmt: skip

TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Word": {"Type": "String", "Default": "other"},
        "Words": {"Type": "CommaDelimitedList", "Default": "red, green,blue"},
        "Count": {"Type": "Number", "Default": 3},
        "Rate": {"Type": "Number"},
        "Switch": {"Type": "String", "Default": "off"},
        "Flag": {"Type": "String", "Default": True, "AllowedValues": [True, False]},
        "Empty": {"Type": "String", "Default": ""},
        "FromSsm": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/given/one"},
        "ListFromSsm": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/given/many"},
    },
    "Mappings": {
        "Sizes": {"hello": {"memory": "512"}, "other": {"memory": "1024"}},
        "Regions": {REGION: {"name": "Virginia"}},
    },
    "Conditions": {name: condition for name, (condition, _) in CONDITIONS.items()},
    "Resources": {
        "Setting": resource(PARAMETER, Name="/functions/setting", Type="String", Value={"Ref": "Word"}),
        "Dynamic": resource(PARAMETER, Type="String", Value="v-{{resolve:ssm:/given/one}}"),
        "Queue": resource("AWS::SQS::Queue", QueueName="functions",
                          DelaySeconds={"Fn::If": ["No", 5, {"Ref": "AWS::NoValue"}]}),
        "OnlyIfNot": {**resource(PARAMETER, Type="String", Value="x"), "Condition": "No"},
    },
    "Outputs": {
        **{name: {"Value": value} for name, (value, _) in VALUES.items()},
        **{f"Is{name}": {"Value": {"Fn::If": [name, "true", "false"]}} for name in CONDITIONS},
        "OnlyIf": {"Condition": "Yes", "Value": "here"},
        "OnlyIfNot": {"Condition": "No", "Value": {"Ref": "OnlyIfNot"}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def outputs(cloud: Cloud, stacks: Stacks, ask: Any) -> dict[str, str]:
    ssm = ask("ssm")
    ssm.put_parameter(Name="/given/one", Type="String", Value="stored")
    ssm.put_parameter(Name="/given/many", Type="StringList", Value="x,y")
    given = [{"ParameterKey": "Word", "ParameterValue": "hello"}, {"ParameterKey": "Rate", "ParameterValue": "0.10"}]
    assert stacks.create("functions", TEMPLATE, Parameters=given) == "CREATE_COMPLETE", stacks.reason("functions")
    return stacks.outputs("functions")


@pytest.mark.parametrize("name", VALUES)
def test_a_function_has_its_documented_value(outputs: dict[str, str], name: str) -> None:
    assert outputs[name] == VALUES[name][1]


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_evaluated(outputs: dict[str, str], name: str) -> None:
    assert outputs[f"Is{name}"] == ("true" if CONDITIONS[name][1] else "false")


def test_a_resource_and_an_output_exist_only_under_their_condition(stacks: Stacks, outputs: dict[str, str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html"""
    assert outputs["OnlyIf"] == "here"
    assert "OnlyIfNot" not in outputs
    assert set(stacks.physical_ids("functions")) == {"Setting", "Dynamic", "Queue"}


def test_a_property_without_a_value_is_left_out(outputs: dict[str, str], ask: Any) -> None:
    sqs = ask("sqs")
    url = sqs.get_queue_url(QueueName="functions")["QueueUrl"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["DelaySeconds"] == "0"


SETTING = resource(PARAMETER, Type="String", Value="x")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value={"Ref": "Nobody"})}}, "Nobody"),
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value={"Fn::Sub": "${Nobody}"})}}, "Nobody"),
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value={"Fn::GetAtt": ["B", "Colour"]}), "B": SETTING}},
         "Colour"),
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value={"Fn::GetAtt": ["Nobody", "Arn"]})}}, "Nobody"),
        ({"Resources": {"A": {**SETTING, "DependsOn": "Nobody"}}}, "Nobody"),
        ({"Resources": {"A": {**SETTING, "DependsOn": "B"}, "B": {**SETTING, "DependsOn": "A"}}}, "Circular"),
        ({"Resources": {"A": {**SETTING, "Condition": "Never"}}}, "Never"),
        ({"Resources": {"A": resource("AWS::SSM::Parametre", Value="x")}}, "AWS::SSM::Parametre"),
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value="x", Colour="red")}}, "Colour"),
        ({"Resources": {"A": resource(PARAMETER, Type="String")}}, "Value"),
        ({"Resources": {"A": resource(PARAMETER, Type="String", Value={"Fn::Upper": "x"})}}, "Fn::Upper"),
        ({"Resources": {"A": SETTING}, "Outputs": {"O": {"Value": {"Fn::FindInMap": ["M", "k", "v"]}}}}, "M"),
        ({"Resources": {"A": SETTING}, "Outputs": {"O": {"Value": {"Fn::Select": [3, ["a"]]}}}}, "3"),
        ({"Resources": {}}, "Resources"),
        ({"Parameters": {"P": {"Type": "Strung"}}, "Resources": {"A": SETTING}}, "Strung"),
        ({"Resources": {"A": {**SETTING, "DeletionPolicy": "Keep"}}}, "Keep"),
    ],
)  # fmt: skip
def test_a_template_that_aws_refuses_is_refused_before_anything_is_made(
    stacks: Stacks, template: dict[str, Any], complaint: str
) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-validation-error"""
    with pytest.raises(ClientError) as refused:
        stacks.create("refused", template)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert complaint in str(refused.value)
    with pytest.raises(ClientError, match="does not exist"):
        stacks.described("refused")


@pytest.mark.parametrize(
    "value",
    [{"Ref": "Absent"}, {"Fn::GetAtt": ["Absent", "Value"]}, {"Fn::Sub": "${Absent}"}, {"Fn::Sub": "${Absent.Value}"}],
)  # fmt: skip
@pytest.mark.parametrize("place", ["Resources", "Outputs"])
def test_what_a_condition_leaves_out_cannot_be_referred_to(stacks: Stacks, value: Any, place: str) -> None:
    """AWS says "Unresolved resource dependencies [Absent] in the Resources block of the template".

    https://repost.aws/knowledge-center/cloudformation-template-validation
    """
    user = resource(PARAMETER, Type="String", Value=value if place == "Resources" else "x")
    template = {
        "Parameters": {"With": {"Type": "String", "Default": "no"}},
        "Conditions": {"With": {"Fn::Equals": [{"Ref": "With"}, "yes"]}},
        "Resources": {"Absent": {**SETTING, "Condition": "With"}, "User": user},
        "Outputs": {"O": {"Value": value if place == "Outputs" else "x"}},
    }
    with pytest.raises(ClientError, match=rf"Unresolved resource dependencies \[Absent\] in the {place} block"):
        stacks.create("refers-to-the-absent", template)
