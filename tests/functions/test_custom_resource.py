"""CloudFormation always gets one answer it can read."""

from __future__ import annotations

import json

import pytest
from answers import CloudFormationEar
from scene import Clock

import custom_resource


def test_an_answer_is_put_to_the_url_as_it_was_signed(ear: CloudFormationEar) -> None:
    custom_resource.succeed(ear.request("Create"))
    answer = ear.only_answer()
    assert answer["Status"] == "SUCCESS"
    assert (answer["RequestId"], answer["LogicalResourceId"]) == ("request-1", "CleanUp")
    # The signature covers an empty content type: any other is refused.
    assert ear.headers[0].get("Content-Type", "") == ""


def test_a_failure_carries_its_reason(ear: CloudFormationEar) -> None:
    custom_resource.fail(ear.request("Delete"), "The stack x cannot be deleted.")
    assert ear.only_answer()["Status"] == "FAILED"
    assert ear.only_answer()["Reason"] == "The stack x cannot be deleted."


def test_the_id_of_the_resource_never_changes(ear: CloudFormationEar) -> None:
    created = custom_resource.physical_id(ear.request("Create"))
    updated = custom_resource.physical_id(ear.request("Update", PhysicalResourceId=created))
    assert created == updated
    assert created == custom_resource.physical_id(ear.request("Create", RequestId="another"))


@pytest.mark.parametrize("character", ["x", "é", "🙂", '"', "…"])
def test_a_long_reason_is_cut_to_what_cloudformation_reads(ear: CloudFormationEar, character: str) -> None:
    custom_resource.fail(ear.request("Delete"), "Because " + character * 5000)
    assert len(json.dumps(ear.only_answer()).encode()) <= 4096
    assert ear.only_answer()["Reason"].startswith("Because ")
    assert ear.only_answer()["Reason"].endswith(" …")


def test_an_answer_that_is_not_taken_is_given_again(ear: CloudFormationEar, clock: Clock) -> None:
    ear.refusals = 2
    custom_resource.succeed(ear.request("Update"))
    assert len(ear.answers) == 1


def test_an_answer_that_is_never_taken_is_an_error_so_that_lambda_tries_again(
    ear: CloudFormationEar, clock: Clock
) -> None:
    ear.refusals = 99
    with pytest.raises(OSError, match="503"):
        custom_resource.succeed(ear.request("Update"))
