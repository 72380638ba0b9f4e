"""Right before production, a version is looked at once more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from fake_aws import Document, FakeAws
from scene import GROUP, PRODUCTION, Clock, CodePipelines, Context, SageMaker, invocation, package_arn

import aws
import check_version
from endpoint_status import CHANGING


@pytest.fixture
def check(pipelines: CodePipelines, sagemaker: SageMaker, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> type[Check]:
    monkeypatch.setenv("MODEL_PACKAGE_GROUP_NAME", GROUP)
    monkeypatch.setenv("PRODUCTION_ENDPOINT_NAME", PRODUCTION)
    Check.pipelines, Check.clock = pipelines, clock
    return Check


class Check:
    """The action, run as CodePipeline does."""

    pipelines: CodePipelines
    clock: Clock

    @classmethod
    def of(cls, version: int, challenger: int | None = None) -> Document:
        beside = package_arn(challenger) if challenger else "none"
        event = invocation(modelPackageArn=package_arn(version), challengerArn=beside)
        check_version.handler(event, Context(cls.clock))
        (result,) = cls.pipelines.results
        return result


def test_an_approved_version_goes_on(check: type[Check], sagemaker: SageMaker) -> None:
    sagemaker.register(3)
    assert check.of(3)["executionDetails"]["summary"] == "Version 3 is approved"


@pytest.mark.parametrize("approval", ["Rejected", "PendingManualApproval"])
def test_a_version_that_is_not_approved_any_more_fails(check: type[Check], sagemaker: SageMaker, approval: str) -> None:
    sagemaker.register(3, approval)
    message = check.of(3)["failureDetails"]["message"]
    assert message.startswith(f"Version 3 of {GROUP} is {approval} by now, so it does not go into production.")
    assert message.endswith("The version was not deployed; what production serves was not touched.")


def test_a_version_that_is_not_complete_fails(check: type[Check], sagemaker: SageMaker) -> None:
    sagemaker.register(3, ModelPackageStatus="Failed")
    assert "is Failed, not Completed" in check.of(3)["failureDetails"]["message"]


def test_a_challenger_that_is_approved_goes_on_with_it(check: type[Check], sagemaker: SageMaker) -> None:
    sagemaker.register(3)
    sagemaker.register(4)
    said = check.of(3, challenger=4)["executionDetails"]["summary"]
    assert said == "Version 3 is approved, and version 4 beside it, too"


@pytest.mark.parametrize("more", [{"approval": "Rejected"}, {"ModelPackageStatus": "Failed"}])
def test_a_challenger_that_is_rejected_while_a_person_is_asked_fails(
    check: type[Check], sagemaker: SageMaker, more: Document
) -> None:
    sagemaker.register(3)
    sagemaker.register(4, **more)
    message = check.of(3, challenger=4)["failureDetails"]["message"]
    found = "Rejected, not Approved" if "approval" in more else "Failed, not Completed"
    assert message.startswith(f"Version 4 of {GROUP}, the challenger, is {found}, so nothing goes into production with")


@pytest.mark.parametrize("status", sorted(CHANGING))
def test_an_endpoint_that_is_being_scaled_or_maintained_is_waited_for(
    check: type[Check], sagemaker: SageMaker, clock: Clock, status: str
) -> None:
    sagemaker.register(3)
    sagemaker.serve(PRODUCTION, 2, status)
    began = clock.now
    clock.after(240, lambda: sagemaker.serve(PRODUCTION, 2))
    assert check.of(3)["executionDetails"]["summary"] == "Version 3 is approved"
    assert clock.now - began >= 240


@pytest.mark.parametrize("rejected", [3, 4])
def test_a_version_that_is_rejected_while_the_endpoint_is_waited_for_fails(
    check: type[Check], sagemaker: SageMaker, clock: Clock, rejected: int
) -> None:
    sagemaker.register(3)
    sagemaker.register(4)
    sagemaker.serve(PRODUCTION, 2, "Updating")
    clock.after(120, lambda: sagemaker.packages[package_arn(rejected)].update(ModelApprovalStatus="Rejected"))
    clock.after(240, lambda: sagemaker.serve(PRODUCTION, 2))
    message = check.of(3, challenger=4)["failureDetails"]["message"]
    assert message.startswith(f"Version {rejected} of {GROUP}")
    assert "Rejected" in message


def test_an_endpoint_that_does_not_come_to_rest_fails_before_the_function_ends(
    check: type[Check], sagemaker: SageMaker, clock: Clock
) -> None:
    sagemaker.register(3)
    sagemaker.serve(PRODUCTION, 2, "Updating")
    began = clock.now
    message = check.of(3)["failureDetails"]["message"]
    assert message.startswith(f"Waited in vain for {PRODUCTION} to be in service again: it is being scaled or")
    assert clock.now - began < 900


def test_a_version_that_is_not_approved_any_more_is_not_waited_with(
    check: type[Check], sagemaker: SageMaker, clock: Clock
) -> None:
    sagemaker.register(3, "Rejected")
    sagemaker.serve(PRODUCTION, 2, "Updating")
    began = clock.now
    assert "is Rejected by now" in check.of(3)["failureDetails"]["message"]
    assert clock.now == began


def test_a_version_that_was_deleted_fails(check: type[Check]) -> None:
    message = check.of(3)["failureDetails"]["message"]
    assert message.startswith("AWS refused DescribeModelPackage")
    assert "does not exist" in message


def test_a_client_that_cannot_be_made_at_once_leaves_no_action_waiting(
    check: type[Check], sagemaker: SageMaker, account: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker.register(3)
    outages = [NoCredentialsError()]

    def client(service: str, **more: Any) -> Any:
        if outages and service == "codepipeline":
            raise outages.pop()
        return account.client(service, **more)

    monkeypatch.setattr(aws, "boto3", SimpleNamespace(client=client))
    assert "Unable to locate credentials" in check.of(3)["failureDetails"]["message"]
