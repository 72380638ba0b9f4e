"""An endpoint is updated with a new configuration or not at all, so whatever updates it makes a new one."""

from typing import Any

import pytest

from deployment import rendering, template
from deployment.errors import RefusedError

from .rendered import MODES, PATH, Rendering

DOCUMENT = template.load(PATH)
PARAMETERS = template.parameters(DOCUMENT)


def digest(**parameters: object) -> str:
    return rendering.update_digest(DOCUMENT, {name: str(value) for name, value in parameters.items()})


def others(parameter: template.Parameter) -> list[str]:
    """Values of a parameter, at least one of which is another than the one it has."""
    if parameter.allowed_values:
        return list(parameter.allowed_values)
    return ["2", "5"] if parameter.is_number else ["another"]


def updated(parameters: dict[str, object]) -> dict[str, Any]:
    """The endpoint's properties, all but its tags."""
    endpoint = rendering.Rendering(DOCUMENT, parameters).resources().get("Endpoint", {})
    return {name: value for name, value in endpoint.items() if name != "Tags"}


@pytest.mark.parametrize("mode", MODES)
def test_every_parameter_that_updates_the_endpoint_makes_a_new_configuration(mode: str) -> None:
    defaults = {name: str(each.default) for name, each in PARAMETERS.items() if each.default is not None}
    before: dict[str, object] = {**defaults, **{name: str(value) for name, value in MODES[mode].items()}}
    changing = set()
    for name, parameter in PARAMETERS.items():
        for value in others(parameter):
            after = {**before, name: value}
            if updated(after) != updated(before):
                changing.add(name)
                assert digest(**after) != digest(**before), f"{name}: {value}"
    if mode == "realtime":
        assert {"TrafficRouting", "CanaryPercent", "VariantsChange", "EndpointMaxInstanceCount"} <= changing
        assert {"ServerErrorsAlarmCount", "InvocationsPerInstanceTarget", "StageName"}.isdisjoint(changing)


@pytest.mark.parametrize("change", [{"EndpointMaxInstanceCount": 6}, {"ServerErrorsAlarmCount": 9}, {"StageName": "x"}])
def test_what_leaves_the_endpoint_as_it_is_makes_no_new_configuration(change: dict[str, object]) -> None:
    assert digest(**MODES["realtime"] | change) == digest(**MODES["realtime"])


def test_the_configuration_carries_the_digest_in_a_weight_that_stays_what_it_is() -> None:
    first, second = (
        Rendering(EndpointUpdateDigest=each).resources()["EndpointConfig"]["ProductionVariants"][0]
        for each in ("000000", "999999")
    )
    assert first["InitialVariantWeight"] != second["InitialVariantWeight"]
    assert float(second["InitialVariantWeight"]) == pytest.approx(float(first["InitialVariantWeight"]), rel=1e-4)


def test_a_digest_is_what_the_template_takes() -> None:
    for routing in PARAMETERS["TrafficRouting"].allowed_values:
        assert PARAMETERS[rendering.UPDATE_DIGEST].as_text(digest(TrafficRouting=routing)) is not None


def test_another_template_for_the_endpoint_is_another_digest() -> None:
    endpoint = DOCUMENT["Resources"]["Endpoint"]
    more = {**endpoint, "Properties": {**endpoint["Properties"], "RetainDeploymentConfig": True}}
    changed = {**DOCUMENT, "Resources": {**DOCUMENT["Resources"], "Endpoint": more}}
    assert rendering.update_digest(changed, {}) != rendering.update_digest(DOCUMENT, {})


def test_a_function_that_only_cloudformation_can_answer_stays_with_what_it_is_given() -> None:
    endpoint = DOCUMENT["Resources"]["Endpoint"]
    named = {"Fn::ImportValue": {"Fn::Sub": "${StageName}-alarm"}}
    more = {**endpoint, "Properties": {**endpoint["Properties"], "DeploymentConfig": named}}
    changed = {**DOCUMENT, "Resources": {**DOCUMENT["Resources"], "Endpoint": more}}
    first, second = (rendering.update_digest(changed, {"StageName": stage}) for stage in ("staging", "prod"))
    assert first != second


LOOKED_UP = {"Fn::FindInMap": ["Sizes", {"Ref": "StageName"}, "keeps"]}


def changed(mappings: dict[str, Any] | None = None, **conditions: object) -> dict[str, Any]:
    """The template with an endpoint that one more condition decides about, and with these mappings."""
    endpoint = DOCUMENT["Resources"]["Endpoint"]
    depends = {"Fn::If": ["Mine", True, False]} if conditions else LOOKED_UP
    more = {**endpoint, "Properties": {**endpoint["Properties"], "RetainDeploymentConfig": depends}}
    return {
        **DOCUMENT,
        "Mappings": mappings or {},
        "Conditions": {**DOCUMENT["Conditions"], **conditions},
        "Resources": {**DOCUMENT["Resources"], "Endpoint": more},
    }


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (LOOKED_UP, "Fn::FindInMap"),
        ({"Fn::Join": ["", ["y", "es"]]}, "Fn::Join"),
        ({"Ref": "AWS::Region"}, "Ref AWS::Region"),
        ({"Fn::Sub": "${StageName}-${AWS::Region}"}, "Fn::Sub ${AWS::Region}"),
        ({"Fn::Sub": ["${a}", {"a": {"Fn::ImportValue": "b"}}]}, "Fn::ImportValue"),
    ],
)
@pytest.mark.parametrize("around", ["Fn::Not", "Fn::And", "Fn::Or"])
def test_a_condition_that_only_cloudformation_can_answer_is_refused(
    asked: dict[str, Any], named: str, around: str
) -> None:
    document = changed(Mine={around: [{"Condition": "Theirs"}]}, Theirs={"Fn::Equals": [asked, "yes"]})
    with pytest.raises(RefusedError) as refusal:
        rendering.update_digest(document, {"StageName": "prod"})
    said = str(refusal.value)
    assert said.startswith(f"endpoint-config-template.yml: Conditions.Theirs: depends on {named}, which ")
    assert said.endswith("Nothing was deployed.")


def test_a_deployment_that_must_go_on_is_told_with_all_that_could_decide() -> None:
    document = changed(Mine={"Fn::Equals": [LOOKED_UP, "yes"]})
    stages = ("staging", "prod", "prod")
    first, second, third = (rendering.update_digest(document, {"StageName": each}, goes_on=True) for each in stages)
    assert first != second == third


def test_a_condition_on_a_parameter_that_cloudformation_looks_up_is_refused() -> None:
    document = changed(Mine={"Fn::Equals": [{"Ref": "Kept"}, "yes"]})
    document["Parameters"] = {**DOCUMENT["Parameters"], "Kept": {"Type": "AWS::SSM::Parameter::Value<String>"}}
    with pytest.raises(RefusedError, match=r"Conditions\.Mine: depends on Ref Kept, which"):
        rendering.update_digest(document, {"Kept": "/a/name"})


def test_a_condition_that_the_endpoint_does_not_depend_on_may_ask_whatever_it_likes() -> None:
    document = changed(Mine={"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]})
    other = {**document, "Resources": {**DOCUMENT["Resources"], "Topic": {"Type": "x", "Condition": "Mine"}}}
    assert rendering.update_digest(other, {}) == rendering.update_digest(DOCUMENT, {})


def test_a_condition_may_compare_what_is_put_together_of_parameters() -> None:
    document = changed(Mine={"Fn::Equals": [{"Fn::Sub": ["${a}-${StageName}", {"a": "my"}]}, "my-prod"]})
    first, second = (rendering.update_digest(document, {"StageName": stage}) for stage in ("staging", "prod"))
    assert first != second


def test_another_value_of_a_mapping_is_another_digest() -> None:
    sizes = [{"Sizes": {"prod": {"keeps": keeps}, 123456789012: {"keeps": True}}} for keeps in (True, False)]
    first, second = (rendering.update_digest(changed(each), {"StageName": "prod"}) for each in sizes)
    assert first != second
