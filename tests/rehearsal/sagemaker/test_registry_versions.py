"""The Model Registry numbers versions, tells everybody what changed, and lets policies say who may approve."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.model_packages import ModelPackage
from rehearsal.cloud.sagemaker.registry import Registry
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, Hosting, Stage
from tests.waiting import PATIENCE, until


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime])).set()


@pytest.fixture
def group(stage: Stage) -> str:
    name = f"Claims-{uuid4().hex[:6]}"
    tags = [{"Key": "sagemaker:project-name", "Value": "claims"}]
    stage.sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=tags)
    return name


def register(stage: Stage, group: str, **more: Any) -> str:
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/any/model.tar.gz", "Environment": CODE}],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    arn: str = stage.sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, **more
    )["ModelPackageArn"]
    until(lambda: describe(stage, arn)["ModelPackageStatus"] == "Completed")
    return arn


def describe(stage: Stage, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.sagemaker.describe_model_package(ModelPackageName=arn)
    return found


def approve(stage: Stage, arn: str, status: str = "Approved") -> None:
    stage.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


# ---- versions


def test_a_version_is_pending_until_it_was_looked_at(stage: Stage, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at, complete = threading.Event(), Registry._complete

    def hold(registry: Registry, package: ModelPackage) -> None:
        assert looked_at.wait(PATIENCE)
        complete(registry, package)

    monkeypatch.setattr(Registry, "_complete", hold)
    arn = stage.sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    assert describe(stage, arn)["ModelPackageStatus"] == "Pending"
    looked_at.set()
    until(lambda: describe(stage, arn)["ModelPackageStatus"] == "Completed")


def test_versions_count_up_and_wait_for_approval(stage: Stage, group: str) -> None:
    first, second = register(stage, group), register(stage, group)
    assert first.endswith(f":model-package/{group}/1")
    assert second.endswith(f":model-package/{group}/2")
    described = describe(stage, second)
    assert described["ModelPackageVersion"] == 2
    assert described["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_deleted_versions_number_is_never_given_out_again(stage: Stage, group: str) -> None:
    register(stage, group)
    second = register(stage, group)
    stage.sagemaker.delete_model_package(ModelPackageName=second)
    assert register(stage, group).endswith("/3")
    with pytest.raises(ClientError, match=r"ModelPackage .*/2 does not exist"):
        describe(stage, second)


def test_what_was_registered_is_described_again(stage: Stage, group: str) -> None:
    metrics = {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://models/evaluation.json"}}
    }
    arn = register(
        stage,
        group,
        ModelMetrics=metrics,
        CustomerMetadataProperties={"data": "2026"},
        MetadataProperties={"CommitId": "c0ffee"},
    )
    described = describe(stage, arn)
    assert described["ModelMetrics"] == metrics
    assert described["CustomerMetadataProperties"] == {"data": "2026"}
    assert described["MetadataProperties"] == {"CommitId": "c0ffee"}
    assert described["InferenceSpecification"]["Containers"][0]["Environment"] == CODE


def test_a_group_with_versions_cannot_be_deleted(stage: Stage, group: str) -> None:
    arn = register(stage, group)
    with pytest.raises(stage.sagemaker.exceptions.ConflictException):
        stage.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    stage.sagemaker.delete_model_package(ModelPackageName=arn)
    stage.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        stage.sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_a_group_may_be_named_by_its_arn(stage: Stage, group: str) -> None:
    arn = stage.sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    assert register(stage, arn).endswith(f"/{group}/1")


def test_versions_cannot_be_tagged(stage: Stage, group: str) -> None:
    with pytest.raises(ClientError, match="uses the tags of its model package group"):
        register(stage, group, Tags=[{"Key": "a", "Value": "b"}])


# ---- listing


def test_the_newest_approved_version_is_found_across_pages_of_which_some_are_empty(stage: Stage, group: str) -> None:
    versions = [register(stage, group) for _ in range(5)]
    approve(stage, versions[1])
    pages = list(
        stage.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": 2},
        )
    )
    found = [[summary["ModelPackageArn"] for summary in page["ModelPackageSummaryList"]] for page in pages]
    assert found == [[], [versions[1]], []]


def test_groups_are_listed_by_part_of_their_name(stage: Stage, group: str) -> None:
    listed = stage.sagemaker.list_model_package_groups(NameContains=group[-6:])["ModelPackageGroupSummaryList"]
    assert [summary["ModelPackageGroupName"] for summary in listed] == [group]


def test_several_versions_are_described_at_once(stage: Stage, group: str) -> None:
    arn = register(stage, group)
    missing = arn.replace("/1", "/9")
    answer = stage.sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, missing])
    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert missing in answer["BatchDescribeModelPackageErrorMap"]


# ---- events


def test_registering_approving_and_editing_are_events_told_apart_by_the_updated_fields(
    stage: Stage, group: str
) -> None:
    told = listen(stage, group)
    arn = register(stage, group)
    approve(stage, arn)
    stage.sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"owner": "claims team"})
    events: list[dict[str, Any]] = []
    until(lambda: len(events.extend(told()) or events) >= 3)
    details = [event["detail"] for event in events]
    assert [detail.get("UpdatedModelPackageFields") for detail in details] == [
        None,
        ["ModelApprovalStatus"],
        ["CustomerMetadataProperties"],
    ]
    assert [detail["ModelApprovalStatus"] for detail in details] == ["PendingManualApproval", "Approved", "Approved"]
    for event in events:
        assert event["resources"] == [arn]
        assert event["detail"]["ModelPackageArn"] == arn
        assert event["detail"]["ModelPackageVersion"] == 1
        assert event["detail"]["ModelPackageStatus"] == "Completed"


def listen(stage: Stage, group: str) -> Any:
    """A function that answers the group's events that arrived since it was last asked."""
    sqs = stage.client("sqs")
    queue = sqs.create_queue(QueueName=group)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group]},
    }
    stage.client("events").put_rule(Name=group, EventPattern=json.dumps(pattern))
    stage.client("events").put_targets(Rule=group, Targets=[{"Id": "queue", "Arn": arn}])

    def told() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return told


# ---- who may


def test_a_policy_can_let_somebody_register_but_not_approve(stage: Stage, group: str) -> None:
    arn = register(stage, group)
    builder = stage.cloud.client(
        "sagemaker",
        stage.person(
            ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], [arn.rpartition("/")[0] + "/*"]
        ),
    )
    builder.create_model_package(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="sagemaker:UpdateModelPackage on resource"):
        builder.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_a_condition_on_the_approval_status_is_honoured(stage: Stage, group: str) -> None:
    arn = register(stage, group)
    reviewer = stage.person_with(
        {
            "Effect": "Allow",
            "Action": "sagemaker:UpdateModelPackage",
            "Resource": arn,
            "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}},
        }
    )
    client = stage.cloud.client("sagemaker", reviewer)
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    with pytest.raises(ClientError, match="not authorized"):
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


@pytest.mark.parametrize("operation", ["CreateModelPackage", "UpdateModelPackage"])
def test_a_policy_can_keep_stage_and_metadata_for_somebody_else(stage: Stage, group: str, operation: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-staging-construct-set-up.html"""
    metadata = "sagemaker:CustomerMetadataProperties/record"
    arn = register(stage, group, CustomerMetadataProperties={"record": "kept", "note": "free"})
    allowed = {
        "Effect": "Allow",
        "Action": f"sagemaker:{operation}",
        "Resource": f"{arn.rpartition('/')[0]}/*",
        "Condition": {
            "Null": {"sagemaker:ModelLifeCycle:stage": "true", metadata: "true"},
            "ForAllValues:StringNotLike": {"sagemaker:CustomerMetadataPropertiesToRemove": "rec*"},
        },
    }
    client = stage.cloud.client("sagemaker", stage.person_with(allowed))

    def ask(**more: Any) -> None:
        if operation == "CreateModelPackage":
            client.create_model_package(ModelPackageGroupName=group, **more)
        else:
            client.update_model_package(ModelPackageArn=arn, **more)

    ask(ModelApprovalStatus="Approved")
    ask(CustomerMetadataProperties={"note": "mine"})
    forged: list[dict[str, Any]] = [
        {"ModelLifeCycle": {"Stage": "Production", "StageStatus": "Live"}},
        {"CustomerMetadataProperties": {"record": "forged"}},
    ]
    if operation == "UpdateModelPackage":
        ask(CustomerMetadataPropertiesToRemove=["note"])
        forged.append({"CustomerMetadataPropertiesToRemove": ["note", "record"]})
    for each in forged:
        with pytest.raises(ClientError, match=f"not authorized to perform: sagemaker:{operation}"):
            ask(**each)
    assert describe(stage, arn)["CustomerMetadataProperties"]["record"] == "kept"
    assert "ModelLifeCycle" not in describe(stage, arn)


def test_a_versions_tags_are_its_groups(stage: Stage, group: str) -> None:
    arn = register(stage, group)
    for key, project, allowed in (
        ("aws:ResourceTag", "claims", True),
        ("aws:ResourceTag", "other", False),
        ("sagemaker:ResourceTag", "claims", True),
        ("sagemaker:ResourceTag", "other", False),
    ):
        person = stage.person_with(
            {
                "Effect": "Allow",
                "Action": "sagemaker:DescribeModelPackage",
                "Resource": "*",
                "Condition": {"StringEquals": {f"{key}/sagemaker:project-name": project}},
            }
        )
        client = stage.cloud.client("sagemaker", person)
        if allowed:
            assert client.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
        else:
            with pytest.raises(ClientError, match="not authorized"):
                client.describe_model_package(ModelPackageName=arn)


def test_tagging_a_group_on_creation_needs_the_right_to_add_tags(stage: Stage) -> None:
    person = stage.cloud.client("sagemaker", stage.person(["sagemaker:CreateModelPackageGroup"]))
    person.create_model_package_group(ModelPackageGroupName=f"untagged-{uuid4().hex[:6]}")
    with pytest.raises(ClientError, match="sagemaker:AddTags"):
        person.create_model_package_group(ModelPackageGroupName="tagged", Tags=[{"Key": "a", "Value": "b"}])


# ---- serving a version


def test_a_version_is_served_by_naming_it(stage: Stage, group: str) -> None:
    url = stage.artefact("version one")
    specification = {"Containers": [{"Image": IMAGE, "ModelDataUrl": url, "Environment": CODE}]}
    arn = stage.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)[
        "ModelPackageArn"
    ]
    model = f"model-{uuid4().hex[:8]}"
    stage.sagemaker.create_model(
        ModelName=model, ExecutionRoleArn=stage.role(), PrimaryContainer={"ModelPackageName": arn}
    )
    name = stage.endpoint(stage.config(model))
    assert stage.prediction(name) == "version one"
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_a_model_of_a_version_that_does_not_exist_is_refused(stage: Stage, group: str) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{group}/7"
    with pytest.raises(ClientError, match="does not exist"):
        stage.sagemaker.create_model(
            ModelName="never", ExecutionRoleArn=stage.role(), PrimaryContainer={"ModelPackageName": arn}
        )


# ---- code repositories


def test_a_code_repository_is_kept_and_found(stage: Stage) -> None:
    git = {"RepositoryUrl": "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/claims", "Branch": "main"}
    stage.sagemaker.create_code_repository(CodeRepositoryName="sagemaker-p-1-modelbuild", GitConfig=git)
    described = stage.sagemaker.describe_code_repository(CodeRepositoryName="sagemaker-p-1-modelbuild")
    assert described["GitConfig"] == git
    listed = stage.sagemaker.list_code_repositories(NameContains="p-1")["CodeRepositorySummaryList"]
    assert [summary["CodeRepositoryName"] for summary in listed] == ["sagemaker-p-1-modelbuild"]
    stage.sagemaker.delete_code_repository(CodeRepositoryName="sagemaker-p-1-modelbuild")
    with pytest.raises(ClientError, match="Could not find code repository"):
        stage.sagemaker.describe_code_repository(CodeRepositoryName="sagemaker-p-1-modelbuild")
