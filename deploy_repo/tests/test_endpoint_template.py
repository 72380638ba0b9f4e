"""What the endpoint template promises to the code around it, and to those who rely on a rollback."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deployment import batch, challenger, contradictions, stage, template

from .conftest import ROOT, load

PATH = ROOT / "endpoint-config-template.yml"
TEMPLATE = template.load(PATH)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
PARAMETERS = template.parameters(TEMPLATE)
PSEUDO = ("AccountId", "NoValue", "Partition", "Region", "StackName")
TAGS = {
    "sagemaker:project-name": {"Ref": "SageMakerProjectName"},
    "sagemaker:project-id": {"Ref": "SageMakerProjectId"},
    "sagemaker:deployment-stage": {"Ref": "StageName"},
}


def guardrails() -> dict[str, Any]:
    """The DeploymentConfig of an endpoint on instances."""
    [endpoint] = of_type("AWS::SageMaker::Endpoint").values()
    condition, without, found = endpoint["DeploymentConfig"]["Fn::If"]
    assert (condition, without) == ("Unguarded", {"Ref": "AWS::NoValue"})
    assert {"Condition": "Serverless"} in TEMPLATE["Conditions"]["Unguarded"]["Fn::Or"]
    return dict(found)


def of_type(resource_type: str) -> dict[str, Any]:
    return {name: res["Properties"] for name, res in RESOURCES.items() if res["Type"] == resource_type}


@pytest.mark.parametrize("stage_name", ["staging", "prod"])
def test_every_parameter_an_export_sets_is_in_the_template_and_none_is_left_without_a_value(stage_name: str) -> None:
    exported = stage.RESOLVED_PARAMETERS | load(ROOT / f"{stage_name}-config.json")["Parameters"].keys()
    assert exported <= PARAMETERS.keys()
    assert {name for name, parameter in PARAMETERS.items() if parameter.default is None} <= exported


def named(node: Any) -> Iterator[tuple[str, str]]:
    """Every name that a part of the template uses: ("Condition" or "Ref", the name)."""
    if isinstance(node, list):
        for item in node:
            yield from named(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Fn::If":
                yield "Condition", value[0]
            elif key == "Fn::GetAtt":
                yield "Ref", value[0]
            elif key == "Fn::Sub":
                text, given = value if isinstance(value, list) else (value, {})
                names = [name.partition(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)]
                yield from (("Ref", name) for name in names if name not in given)
            elif key in {"Condition", "Ref"}:
                yield key, value
            yield from named(value)


def test_every_name_the_template_uses_is_one_it_has() -> None:
    """The mistake an edit makes most easily. All others cfn-lint finds (`make lint-template`), and CloudFormation."""
    has = {
        "Condition": TEMPLATE["Conditions"].keys(),
        "Ref": PARAMETERS.keys() | RESOURCES.keys() | {f"AWS::{name}" for name in PSEUDO},
    }
    used = set(named({section: TEMPLATE[section] for section in ("Conditions", "Resources", "Outputs")}))
    assert {kind for kind, _ in used} == has.keys()
    assert [(kind, name) for kind, name in sorted(used) if name not in has[kind]] == []
    never_used = PARAMETERS.keys() - {name for kind, name in used if kind == "Ref"}
    assert never_used == set()


def test_what_build_py_sets_has_no_default_that_could_stand_in_for_it() -> None:
    without = {name for name, parameter in PARAMETERS.items() if parameter.default is None}
    assert without == stage.RESOLVED_PARAMETERS - batch.PARAMETERS
    assert PARAMETERS.keys() > challenger.RESOLVED_PARAMETERS


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_says_what_it_means_and_what_it_accepts(name: str) -> None:
    declared = TEMPLATE["Parameters"][name]
    assert declared["Description"].endswith(".")
    if declared["Type"] == "Number":
        assert "Default" in declared
        assert "AllowedValues" in declared or {"MinValue", "MaxValue"} <= declared.keys()
    else:
        assert {"AllowedValues", "AllowedPattern"} & declared.keys()


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if parameter.default is not None])
def test_every_default_is_a_value_the_parameter_accepts(name: str) -> None:
    assert PARAMETERS[name].as_text(PARAMETERS[name].default) is not None


def test_an_export_for_nothing_sets_a_parameter_the_template_does_not_have() -> None:
    assert not stage.export_of_nothing("why")["Parameters"].keys() & PARAMETERS.keys()


@pytest.mark.parametrize("resource_type", ["AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"])
def test_what_every_deployment_replaces_has_no_name(resource_type: str) -> None:
    for properties in of_type(resource_type).values():
        assert not {"ModelName", "EndpointConfigName"} & properties.keys()


def rolling_back() -> dict[str, Any]:
    """The alarms that roll a deployment back: all but the one that wakes an asynchronous endpoint."""
    return {name: alarm for name, alarm in of_type("AWS::CloudWatch::Alarm").items() if "AlarmActions" not in alarm}


def test_a_deployment_is_rolled_back_by_exactly_the_alarms_of_this_template() -> None:
    alarms = rolling_back()
    watched = guardrails()["AutoRollbackConfiguration"]["Alarms"]
    own = [alarm for alarm in watched if alarm.get("AlarmName") or alarm["Fn::If"][0] != "HasExistingAlarm"]
    listed = [alarm.get("AlarmName") or alarm["Fn::If"][1]["AlarmName"] for alarm in own]
    assert listed == [{"Ref": name} for name in alarms]
    assert len(alarms) == 5


CONFIG_NAME = {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]}


@pytest.mark.parametrize("name", of_type("AWS::CloudWatch::Alarm"))
def test_every_alarm_states_what_no_data_means(name: str) -> None:
    assert RESOURCES[name]["Properties"]["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("ServerErrorsAlarm", "AllTraffic"),
        ("ModelLatencyAlarm", "AllTraffic"),
        ("ChallengerErrorsAlarm", "Challenger"),
        ("ChallengerLatencyAlarm", "Challenger"),
    ],
)
def test_the_alarms_on_sagemakers_metrics_count_the_new_fleet_only_so_that_a_failing_old_one_cannot_undo_the_way_back(
    name: str, variant: str
) -> None:
    assert RESOURCES[name]["Properties"]["Dimensions"] == [
        {"Name": "EndpointName", "Value": {"Ref": "EndpointName"}},
        {"Name": "VariantName", "Value": variant},
        {"Name": "EndpointConfigName", "Value": CONFIG_NAME},
    ]
    [endpoint] = of_type("AWS::SageMaker::Endpoint").values()
    assert endpoint["EndpointConfigName"] == CONFIG_NAME


def test_every_deployment_gets_alarms_of_its_own_under_the_name_of_the_stack() -> None:
    """The role the model runs as may look at alarms of this stack's name only."""
    names = [alarm["AlarmName"]["Fn::Sub"] for alarm in rolling_back().values()]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"\$\{AWS::StackName\}-[a-z-]+-\$\{EndpointConfig\.EndpointConfigName\}", name)


def test_the_names_of_alarms_fit_the_longest_names_they_are_made_of() -> None:
    longest = {"AWS::StackName": 78, "EndpointConfig.EndpointConfigName": 63}
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        name = alarm["AlarmName"]["Fn::Sub"]
        length = len(re.sub(r"\$\{([^}]+)\}", lambda found: "x" * longest[found[1]], name))
        assert length <= 255  # API_PutMetricAlarm
        parts = [78, length - 78 - 63, 63] if "EndpointConfig." in name else [78, length - 78]
        assert f"{name}  # {'+'.join(map(str, parts))}={length}" in PATH.read_text(encoding="utf-8")


def test_a_step_waits_long_enough_for_every_alarm_to_go_off() -> None:
    for alarm in rolling_back().values():
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= contradictions.SHORTEST_WATCHED_WAIT_SECONDS


def test_the_build_knows_how_long_a_deployment_may_take() -> None:
    text = PATH.read_text(encoding="utf-8")
    limits = re.findall(r"MaximumExecutionTimeoutInSeconds: (\d+)", text)
    assert limits == [str(contradictions.LONGEST_DEPLOYMENT_SECONDS)] * 2


def test_a_deployment_keeps_what_autoscaling_has_reached_but_not_the_old_traffic_weight() -> None:
    [endpoint] = of_type("AWS::SageMaker::Endpoint").values()
    weight, count = endpoint["ExcludeRetainedVariantProperties"]
    assert endpoint["RetainAllVariantProperties"] is True
    assert weight == {"VariantPropertyType": "DesiredWeight"}
    condition, with_autoscaling, _ = count["Fn::If"]
    assert condition == RESOURCES["ScalingPolicy"]["Condition"]
    assert with_autoscaling == {"Ref": "AWS::NoValue"}


def test_without_autoscaling_a_deployment_takes_the_configured_instance_count() -> None:
    [endpoint] = of_type("AWS::SageMaker::Endpoint").values()
    *_, without_autoscaling = endpoint["ExcludeRetainedVariantProperties"][1]["Fn::If"]
    assert without_autoscaling == {"VariantPropertyType": "DesiredInstanceCount"}


POLICIES = of_type("AWS::ApplicationAutoScaling::ScalingPolicy")


@pytest.mark.parametrize("name", [name for name in RESOURCES if name not in POLICIES])  # they cannot be tagged
def test_every_resource_that_can_be_tagged_says_whose_it_is(name: str) -> None:
    assert {tag["Key"]: tag["Value"] for tag in RESOURCES[name]["Properties"]["Tags"]} == TAGS


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_every_output_says_what_it_is(name: str) -> None:
    assert TEMPLATE["Outputs"][name]["Description"].endswith(".")
