"""What a project was launched with holds by its roles' rights, whatever a seed asks for.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from __future__ import annotations

from typing import Any

import pytest

from checks.statements import statements
from checks.template_file import WORST_CASE, Template

KEY, SUBNETS, GROUPS = (WORST_CASE[each] for each in ("KmsKeyArn", "VpcSubnetIds", "VpcSecurityGroupIds"))
VOLUME, OUTPUT = "sagemaker:VolumeKmsKey", "sagemaker:OutputKmsKey"
NETWORK = {"sagemaker:VpcSubnets": SUBNETS.split(","), "sagemaker:VpcSecurityGroupIds": GROUPS.split(",")}
KNOWN: dict[str, set[str]] = {
    "sagemaker:CreateAutoMLJob": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateAutoMLJobV2": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateEndpointConfig": {VOLUME},
    "sagemaker:CreateHyperParameterTuningJob": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateModel": set(NETWORK),
    "sagemaker:CreateMonitoringSchedule": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateProcessingJob": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateTrainingJob": {VOLUME, OUTPUT, *NETWORK},
    "sagemaker:CreateTransformJob": {VOLUME, OUTPUT},
}
"""Condition keys of a key or a network that AWS knows for an action, of all that a project might be given."""


def held_to(condition: dict[str, Any]) -> set[str]:
    """The condition keys that have to have the launch's values. Raises AssertionError where others would do."""
    keys: dict[str, str] = condition.get("ArnEquals", {})
    network: dict[str, list[str]] = condition.get("ForAllValues:StringEquals", {})
    assert set(keys.values()) <= {KEY}
    assert network == {key: NETWORK[key] for key in network}
    # ForAllValues is true of a request without the key.
    assert condition.get("Null", {}) == dict.fromkeys(network, "false")
    return {*keys, *network}


def creations(launched: Template) -> dict[str, dict[str, Any]]:
    """Each action of a role that a key or a network could be asked of, and its condition."""
    found = [(action, each) for each in statements(launched) if each.allows for action in each.actions]
    return {f"{each.place}: {action}": each.condition for action, each in found if action in KNOWN}


def test_with_a_key_and_a_network_nothing_is_created_without_them(project: Template) -> None:
    found = creations(project)
    assert {place.rpartition(": ")[2] for place in found} >= {
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:CreateProcessingJob",
        "sagemaker:CreateTrainingJob",
    }
    for place, condition in found.items():
        assert held_to(condition) == KNOWN[place.rpartition(": ")[2]], place


@pytest.mark.parametrize(
    ("left_empty", "kept"),
    [(("KmsKeyArn",), set(NETWORK)), (("VpcSubnetIds", "VpcSecurityGroupIds"), {VOLUME, OUTPUT})],
)
def test_what_the_launch_form_leaves_empty_nobody_is_held_to(
    project: Template, left_empty: tuple[str, ...], kept: set[str]
) -> None:
    launched = Template(project.path, project.parameters | dict.fromkeys(left_empty, ""), project.document)
    for place, condition in creations(launched).items():
        assert held_to(condition) == KNOWN[place.rpartition(": ")[2]] & kept, place
