"""A stack is brought up to date by change set; what fails is told by resource and reason."""

from typing import Any

import boto3
import pytest

from service_catalog.errors import PublishError
from service_catalog.stacks import Stacks

URL = "https://templates.s3.eu-west-1.amazonaws.com/{}"
ONE = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}\nOutputs: {TopicName: {Value: x}}\n"
TWO = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}, Queue: {Type: 'AWS::SQS::Queue'}}\n"
PARAMETERS = "Parameters: {Ours: {Type: String}, Theirs: {Type: String, Default: x}}\nResources: {}\n"


@pytest.fixture
def stacks(aws: None, cloudformation: Any, said: list[str]) -> Stacks:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    bodies = {"one": ONE, "two": TWO, "parameters": PARAMETERS, "broken": "Broken", "unknown": "Unknown: 1"}
    for key, body in bodies.items():
        s3.put_object(Bucket="templates", Key=key, Body=body.encode())
    return Stacks(cloudformation, said.append, poll_seconds=0)


def test_a_new_stack_is_created_and_each_resource_is_told(stacks: Stacks, said: list[str]) -> None:
    done = stacks.deploy("mine", URL.format("one"))

    assert done.changed
    assert done.outputs == {"TopicName": "the-TopicName"}
    assert said == ["create done: Topic (AWS::SNS::Topic)"]


def test_the_same_template_again_changes_nothing_and_leaves_no_change_set(stacks: Stacks, cloudformation: Any) -> None:
    stacks.deploy("mine", URL.format("one"), {"A": "1"})

    done = stacks.deploy("mine", URL.format("one"), {"A": "1"})

    assert not done.changed
    assert done.outputs == {"TopicName": "the-TopicName"}
    assert cloudformation.executed == ["mine"]
    assert cloudformation.change_sets == {}


def test_parameters_that_somebody_else_chose_stay_as_they_chose_them(stacks: Stacks, cloudformation: Any) -> None:
    stacks.deploy("mine", URL.format("one"), {"Ours": "1"})
    cloudformation.stacks["mine"].parameters |= {"Theirs": "chosen", "Gone": "x"}

    stacks.deploy("mine", URL.format("parameters"), {"Ours": "2"})

    assert cloudformation.stacks["mine"].parameters == {"Ours": "2", "Theirs": "chosen"}


def test_an_update_tells_only_what_happened_now(stacks: Stacks, said: list[str]) -> None:
    stacks.deploy("mine", URL.format("one"))
    said.clear()

    stacks.deploy("mine", URL.format("two"))

    assert said == ["update done: Topic (AWS::SNS::Topic)", "update done: Queue (AWS::SQS::Queue)"]


def test_a_failure_names_the_resource_and_the_reason_but_not_what_was_only_cancelled(
    stacks: Stacks, cloudformation: Any, said: list[str]
) -> None:
    cloudformation.failures["mine"] = ("Queue", "Queue name is taken")

    with pytest.raises(PublishError) as failed:
        stacks.deploy("mine", URL.format("two"))

    assert str(failed.value) == (
        "The stack mine ended in ROLLBACK_COMPLETE:\n  - Queue (AWS::SQS::Queue): Queue name is taken"
    )
    assert "FAILED Queue (AWS::SQS::Queue): Queue name is taken" in said


def test_what_a_failed_creation_left_behind_is_removed_and_the_stack_made_anew(
    stacks: Stacks, cloudformation: Any, said: list[str]
) -> None:
    cloudformation.failures["mine"] = ("Topic", "not today")
    with pytest.raises(PublishError):
        stacks.deploy("mine", URL.format("one"))
    said.clear()

    assert stacks.exists("mine") is False
    assert stacks.deploy("mine", URL.format("one")).changed

    assert "removing what is left of it" in said[0]
    assert stacks.exists("mine") is True


def test_a_failed_update_says_that_the_stack_was_rolled_back_and_can_be_repeated(
    stacks: Stacks, cloudformation: Any
) -> None:
    stacks.deploy("mine", URL.format("one"))
    cloudformation.failures["mine"] = ("Queue", "no")
    with pytest.raises(PublishError, match=r"UPDATE_ROLLBACK_COMPLETE:\n  - Queue"):
        stacks.deploy("mine", URL.format("two"))

    assert stacks.deploy("mine", URL.format("two")).changed


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_IN_PROGRESS", "is busy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mine"),
        ("DELETE_FAILED", "delete-stack --stack-name mine"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_comes_with_advice(
    stacks: Stacks, cloudformation: Any, status: str, advice: str
) -> None:
    stacks.deploy("mine", URL.format("one"))
    cloudformation.stacks["mine"].status = status

    with pytest.raises(PublishError, match=advice):
        stacks.deploy("mine", URL.format("two"))


def test_a_template_that_is_refused_names_the_stack(stacks: Stacks) -> None:
    with pytest.raises(PublishError, match="template of the stack mine: Template format error: Broken"):
        stacks.deploy("mine", URL.format("broken"))
    with pytest.raises(PublishError, match="refused to change the stack mine: Template error: Unknown"):
        stacks.deploy("mine", URL.format("unknown"))


def test_waiting_ends_some_day_and_says_where_to_look(aws: None, stacks: Stacks, cloudformation: Any) -> None:
    impatient = Stacks(cloudformation, print, poll_seconds=0, timeout_seconds=-1)

    with pytest.raises(PublishError, match="Gave up waiting for the change set of mine"):
        impatient.deploy("mine", URL.format("one"))


def test_a_stack_of_somebody_else_is_not_read_as_a_catalog(stacks: Stacks) -> None:
    stacks.deploy("mine", URL.format("one"))

    assert stacks.template("absent") == {}
    with pytest.raises(PublishError, match="was not made by this program"):
        stacks.template("mine")
