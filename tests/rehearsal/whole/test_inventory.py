"""The list of what costs money is complete: nothing that the templates make is left out of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.decode import decode

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.inventory import KIND_OF, KINDS, billable, running_builds
from tests.rehearsal.conftest import ENVIRONMENTS, StartCloud
from tests.waiting import WAITER

ROOT = Path(__file__).parents[3]
TEMPLATES = ("cloudformation/project.yaml", "deploy_repo/endpoint-config-template.yml")
FREE = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "goes with its scalable target",
    "AWS::CodeBuild::ReportGroup": "reports cost nothing where they are not exported",
    "AWS::CodeCommit::Repository": "kept: code; costs storage only",
    "AWS::IAM::Policy": "free",
    "AWS::IAM::Role": "free",
    "AWS::Lambda::Permission": "goes with its function",
    "AWS::Logs::LogGroup": "kept: storage, emptied by its retention",
    "AWS::S3::Bucket": "kept: data; costs storage only",
    "AWS::S3::BucketPolicy": "goes with its bucket",
    "AWS::SNS::Subscription": "goes with its topic",
    "AWS::SNS::Topic": "costs what is sent, and nothing is left that sends",
    "AWS::SNS::TopicPolicy": "goes with its topic",
    "AWS::SageMaker::CodeRepository": "a name and an address, free",
    "AWS::SageMaker::ModelPackageGroup": "kept: models; costs storage only",
}
"""Types that the list leaves out, and why it may."""


def types_in(template: str) -> set[str]:
    document, problems = decode(str(ROOT / template))
    assert not problems
    return {str(each["Type"]) for each in document["Resources"].values()}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_type_of_a_template_is_listed_or_free(template: str) -> None:
    made = {each for each in types_in(template) if not each.startswith("Custom::")}
    assert sorted(made - KIND_OF.keys() - FREE.keys()) == []


def test_nothing_is_listed_or_excused_that_no_template_makes() -> None:
    made = {each for template in TEMPLATES for each in types_in(template)}
    assert sorted((KIND_OF.keys() | FREE.keys()) - made) == []
    assert sorted(KIND_OF.keys() & FREE.keys()) == []


def test_every_kind_that_a_type_belongs_to_can_be_listed() -> None:
    assert sorted(set(KIND_OF.values()) - KINDS) == []


# ---- what is listed in another way than by its name alone


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    from rehearsal.cloud.rooms import new_cloud

    with new_cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS)) as running:
        yield running


def test_nothing_costs_money_in_an_empty_account(cloud: Cloud) -> None:
    assert billable(lambda service: cloud.client(service, cloud.identity.root)) == {}


def test_alarms_are_listed_of_both_types(start_cloud: StartCloud) -> None:
    cloud = start_cloud([])
    cloudwatch = cloud.client("cloudwatch", cloud.identity.root)
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="Ours",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    cloudwatch.put_composite_alarm(AlarmName="everything", AlarmRule="ALARM(errors)")
    found = billable(lambda service: cloud.client(service, cloud.identity.root), ["alarms"])
    assert found == {"alarms": ["errors", "everything"]}


def test_stacks_of_projects_are_listed_and_no_others(start_cloud: StartCloud) -> None:
    cloud = start_cloud([])
    stacks = cloud.client("cloudformation", cloud.identity.root)
    body = "Resources: {Topic: {Type: AWS::SNS::Topic}}"
    tags = [{"Key": "sagemaker:project-name", "Value": "claims"}]
    stacks.create_stack(StackName="of-a-project", TemplateBody=body, Tags=tags)
    stacks.create_stack(StackName="SC-123456789012-pp-abcdef", TemplateBody=body)
    stacks.create_stack(StackName="of-the-account", TemplateBody=body)
    found = billable(lambda service: cloud.client(service, cloud.identity.root), ["stacks"])
    assert found == {"stacks": ["SC-123456789012-pp-abcdef", "of-a-project"]}
    for name in found["stacks"]:
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=WAITER)
        stacks.delete_stack(StackName=name)
        stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAITER)
    assert billable(lambda service: cloud.client(service, cloud.identity.root), ["stacks"]) == {}


class Builds:
    """A CodeBuild with many builds, of which every fiftieth runs."""

    def __init__(self, count: int) -> None:
        self._ids = [f"build:{number}" for number in range(count)]

    def get_paginator(self, operation: str) -> Builds:
        assert operation == "list_builds"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        for first in range(0, max(len(self._ids), 1), 100):
            yield {"ids": self._ids[first : first + 100]}

    def batch_get_builds(self, ids: list[str]) -> dict[str, Any]:
        assert 1 <= len(ids) <= 100, "AWS takes 1 to 100"
        running = [each for each in ids if int(each.partition(":")[2]) % 50 == 0]
        return {
            "builds": [{"id": each, "buildStatus": "IN_PROGRESS" if each in running else "SUCCEEDED"} for each in ids]
        }


@pytest.mark.parametrize(("count", "running"), [(0, []), (1, ["build:0"]), (120, ["build:0", "build:50", "build:100"])])
def test_builds_are_listed_while_they_run(count: int, running: list[str]) -> None:
    assert running_builds(Builds(count)) == running
