"""Which model package is deployed."""

from typing import Any

import pytest
from botocore.stub import Stubber

from deployment.errors import RefusedError, aws_errors_explained
from deployment.registry import Chosen, NothingToDeploy, choose

from .conftest import client, settings
from .fake_registry import BUCKET, GROUP, Registry


def version_for(registry: Registry, asked_for: str = "auto") -> int:
    choice = choose(registry.sagemaker, registry.s3, settings(MODEL_PACKAGE_ARN=asked_for))
    assert isinstance(choice, Chosen)
    return choice.version


def refusal_of(registry: Registry, asked_for: str) -> str:
    with pytest.raises(RefusedError) as refusal:
        choose(registry.sagemaker, registry.s3, settings(MODEL_PACKAGE_ARN=asked_for))
    return str(refusal.value)


def test_the_arn_that_is_given_wins_over_a_newer_version_and_over_the_live_one(registry: Registry) -> None:
    asked_for, live, _newer = registry.register(), registry.register(), registry.register()
    registry.serve(live)
    assert version_for(registry, asked_for) == 1


def test_without_an_arn_the_version_in_production_wins_over_a_newer_one(registry: Registry) -> None:
    live, _newer = registry.register(), registry.register()
    registry.serve(live)
    assert version_for(registry) == 1


@pytest.mark.parametrize("approval", ["Rejected", "PendingManualApproval"])
def test_a_live_version_that_is_no_longer_approved_gives_way_to_the_newest_approved(
    registry: Registry, approval: str
) -> None:
    _oldest, newest, live = registry.register(), registry.register(), registry.register()
    registry.serve(live)
    registry.set_approval(live, approval)
    choice = choose(registry.sagemaker, registry.s3, settings())
    assert choice == Chosen(
        newest, 2, f"it is the newest approved version, and version 3, which fraud-prod serves, is {approval}"
    )


def test_a_live_version_that_left_the_registry_gives_way_to_the_newest_approved(registry: Registry) -> None:
    newest = registry.register()
    registry.serve(newest.removesuffix("1") + "99")
    choice = choose(registry.sagemaker, registry.s3, settings())
    assert choice == Chosen(
        newest, 1, "it is the newest approved version, and the version fraud-prod serves was deleted from the registry"
    )


def test_an_endpoint_that_serves_another_group_does_not_count_as_live(registry: Registry) -> None:
    registry.register()
    registry.serve(registry.register(group="other"))
    choice = choose(registry.sagemaker, registry.s3, settings())
    assert isinstance(choice, Chosen)
    assert choice.arn.endswith(f"{GROUP}/1")
    assert "serves no version of" in choice.because


def test_without_production_the_newest_approved_version_is_chosen(registry: Registry) -> None:
    registry.register()
    registry.register()
    registry.register("Rejected")
    registry.register("PendingManualApproval")
    assert version_for(registry) == 2


def test_with_nothing_approved_there_is_nothing_to_deploy_and_a_sentence_says_why(registry: Registry) -> None:
    registry.register("PendingManualApproval")
    assert choose(registry.sagemaker, registry.s3, settings()) == NothingToDeploy(
        f"no version of {GROUP} is approved, and there is no endpoint fraud-prod yet"
    )


@pytest.mark.parametrize("approval", ["Rejected", "PendingManualApproval"])
def test_an_arn_that_is_not_approved_is_refused_even_if_it_was_when_the_pipeline_started(
    registry: Registry, approval: str
) -> None:
    arn = registry.register()
    registry.set_approval(arn, approval)
    assert f"{arn} is {approval}, not Approved" in refusal_of(registry, arn)


def test_an_arn_of_another_group_is_refused_before_aws_is_asked_about_it() -> None:
    other = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/other/1"
    with pytest.raises(RefusedError) as refusal:
        choose(None, None, settings(MODEL_PACKAGE_ARN=other))
    assert f"belongs to the group other, and this project deploys {GROUP} only" in str(refusal.value)


@pytest.mark.parametrize(
    "asked_for",
    [
        "7",
        "Auto",
        "Rollback",
        "arn:aws:sagemaker:eu-west-1:123456789012:model/fraud",
        f"arn:aws:s3:::model-package/{GROUP}/1",
    ],
)
def test_what_is_no_arn_of_a_version_is_refused(asked_for: str) -> None:
    with pytest.raises(RefusedError, match="neither `auto` nor `rollback` nor the ARN of a version"):
        choose(None, None, settings(MODEL_PACKAGE_ARN=asked_for))


def test_an_arn_that_is_not_in_the_registry_is_refused(registry: Registry) -> None:
    arn = registry.register()
    assert "does not exist" in refusal_of(registry, arn.removesuffix("1") + "99")


@pytest.mark.parametrize("asked_for_by_arn", [True, False])
def test_a_package_whose_artefact_is_gone_is_refused(registry: Registry, asked_for_by_arn: bool) -> None:
    arn = registry.register()
    registry.lose_artefact(arn)
    message = refusal_of(registry, arn if asked_for_by_arn else "auto")
    assert f"s3://{BUCKET}/models/{GROUP}/1/model.tar.gz" in message
    assert "is gone" in message


# ---- What the fake registry does not do: answers given word for word -------------------------------------------------


ARN = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{GROUP}/"


def summary(version: int, status: str = "Completed") -> dict[str, Any]:
    return {
        "ModelPackageArn": f"{ARN}{version}",
        "CreationTime": "2026-01-01T00:00:00Z",
        "ModelPackageStatus": status,
    }


def package(version: int, status: str = "Completed") -> dict[str, Any]:
    return {
        "ModelPackageName": GROUP,
        "ModelPackageVersion": version,
        "CreationTime": "2026-01-01T00:00:00Z",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelPackageArn": f"{ARN}{version}",
        "ModelPackageStatus": status,
        "ModelApprovalStatus": "Approved",
    }


@pytest.fixture
def stub() -> Stubber:
    """A SageMaker that answers what it is told to and refuses any call that was not foreseen."""
    return Stubber(client("sagemaker"))


def expect_no_production(stub: Stubber) -> None:
    stub.add_client_error("describe_endpoint", "ValidationException", 'Could not find endpoint "fraud-prod".')
    stub.add_client_error("describe_pipeline", "ResourceNotFound", "Pipeline 'fraud-prod' does not exist.")


def expect_list(stub: Stubber, packages: list[dict[str, Any]], token: str = "", next_token: str = "") -> None:
    asked = {
        "ModelPackageGroupName": GROUP,
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
    }
    answer: dict[str, Any] = {"ModelPackageSummaryList": packages}
    stub.add_response(
        "list_model_packages",
        {**answer, "NextToken": next_token} if next_token else answer,
        {**asked, "NextToken": token} if token else asked,
    )


def test_empty_pages_of_the_registry_are_not_its_end(stub: Stubber) -> None:
    expect_no_production(stub)
    expect_list(stub, [], next_token="second")
    expect_list(stub, [], token="second", next_token="third")
    expect_list(stub, [summary(4)], token="third")
    stub.add_response("describe_model_package", package(4), {"ModelPackageName": f"{ARN}4"})
    with stub:
        assert choose(stub.client, None, settings()).because.startswith("it is the newest approved version")
    stub.assert_no_pending_responses()


def test_approved_versions_that_are_not_completed_are_passed_over(stub: Stubber) -> None:
    expect_no_production(stub)
    expect_list(stub, [summary(6, "Failed"), summary(5, "InProgress"), summary(4)])
    stub.add_response("describe_model_package", package(4), {"ModelPackageName": f"{ARN}4"})
    with stub:
        choice = choose(stub.client, None, settings())
    assert isinstance(choice, Chosen)
    assert choice.version == 4


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Pending", "Deleting"])
def test_an_arn_that_is_not_completed_is_refused(stub: Stubber, status: str) -> None:
    stub.add_response("describe_model_package", package(3, status), {"ModelPackageName": f"{ARN}3"})
    with stub, pytest.raises(RefusedError, match=f"is {status}, not Completed"):
        choose(stub.client, None, settings(MODEL_PACKAGE_ARN=f"{ARN}3"))


@pytest.mark.parametrize("status", ["Failed", "Deleting"])
def test_an_endpoint_that_cannot_serve_does_not_count_as_live(stub: Stubber, status: str) -> None:
    stub.add_response(
        "describe_endpoint",
        {
            "EndpointName": "fraud-prod",
            "EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/fraud-prod",
            "EndpointConfigName": "c",
            "EndpointStatus": status,
            "CreationTime": "2026-01-01T00:00:00Z",
            "LastModifiedTime": "2026-01-01T00:00:00Z",
        },
    )
    stub.add_client_error(
        "describe_endpoint_config", "ValidationException", 'Could not find endpoint configuration "c".'
    )
    expect_list(stub, [])
    with stub:
        choice = choose(stub.client, None, settings())
    assert choice == NothingToDeploy(f"no version of {GROUP} is approved, and the endpoint fraud-prod is {status}")


def test_a_missing_permission_is_reported_in_aws_own_words_with_advice(stub: Stubber) -> None:
    words = "User: arn:aws:sts::123456789012:assumed-role/r is not authorized to perform: sagemaker:DescribeEndpoint"
    stub.add_client_error("describe_endpoint", "AccessDeniedException", words)
    with stub, pytest.raises(RefusedError) as refusal, aws_errors_explained():
        choose(stub.client, None, settings())
    assert f"AWS refused DescribeEndpoint: AccessDeniedException: {words}" in str(refusal.value)
    assert "Grant the action" in str(refusal.value)


def test_an_artefact_that_may_not_be_read_is_refused_as_such(stub: Stubber) -> None:
    described = package(3) | {
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}]}
    }
    stub.add_response("describe_model_package", described, {"ModelPackageName": f"{ARN}3"})
    bucket = Stubber(client("s3"))
    bucket.add_client_error("head_object", "403", "Forbidden", http_status_code=403)
    with stub, bucket, pytest.raises(RefusedError, match=r"may not read it \(s3:GetObject\)"):
        choose(stub.client, bucket.client, settings(MODEL_PACKAGE_ARN=f"{ARN}3"))
