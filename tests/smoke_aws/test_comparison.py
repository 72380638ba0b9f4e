"""What differs between AWS and the rehearsal is found, told by kind, and explained only by what people wrote down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.shapes import Recorded
from smoke_aws.calls import event_of
from smoke_aws.comparison import Comparison, Expected, compare
from smoke_aws.trail import Trail
from tests.smoke_aws.records import of_a_service, record

NAMES = {"SC-1-ModelBuildRole-X7": "ModelBuildRole", "MLOpsProjectLaunchRole": "MLOpsProjectLaunchRole"}
BUILD = "SC-1-ModelBuildRole-X7"
SHAPES: Recorded = {"s3:ListBuckets": {"Buckets": ["list"]}}


def allowed(role: str, action: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "logical_id": role, "action": action, "decision": "Allow", "count": 1, **more}


def compared(
    *records: dict[str, Any],
    rehearsed: tuple[dict[str, Any], ...] = (),
    shapes: tuple[Recorded, Recorded] = (SHAPES, SHAPES),
    expected: Expected | None = None,
    complete: bool = True,
    template_roles: tuple[str, ...] = ("ModelBuildRole",),
) -> Comparison:
    trail = Trail([event_of(each) for each in records], complete)
    return compare(trail, NAMES, rehearsed, *shapes, template_roles, expected=expected)


def calls(comparison: Comparison, kind: str) -> list[tuple[str, str]]:
    return [(each["role"], each["action"]) for each in comparison.differences[kind]]


def test_the_same_calls_and_shapes_are_as_the_rehearsal_says() -> None:
    found = compared(
        record("sagemaker.amazonaws.com", "CreatePipeline", BUILD),
        record("lambda.amazonaws.com", "CreateFunction20150331", "MLOpsProjectLaunchRole"),
        rehearsed=(
            allowed("ModelBuildRole", "sagemaker:CreatePipeline"),
            allowed("MLOpsProjectLaunchRole", "lambda:CreateFunction"),
            allowed("MLOpsProjectLaunchRole", "lambda:CreateFunction", resource="another"),
        ),
        shapes=({"s3:ListBuckets": {"Buckets": ["list"]}}, {"s3:ListBuckets": {"Buckets": ["list"]}}),
    )

    assert found.ok
    assert all(not differences for differences in found.differences.values())
    assert found.notes["calls_of_roles"] == 2


def test_a_denial_comes_first_with_what_aws_said() -> None:
    found = compared(
        record("sagemaker.amazonaws.com", "CreatePipeline", BUILD, error="AccessDeniedException"),
        record("sagemaker.amazonaws.com", "CreatePipeline", BUILD, error="AccessDeniedException"),
        rehearsed=(allowed("ModelBuildRole", "sagemaker:CreatePipeline"),),
    )

    assert not found.ok
    lines = list(found.lines())
    assert lines[0] == "Denied on AWS, which nobody was in the rehearsal: 1"
    assert lines[1].startswith("  ModelBuildRole sagemaker:CreatePipeline (2 times): User: arn:aws:sts:")
    assert calls(found, "only_on_aws") == []


def test_a_call_that_the_rehearsal_never_made_is_found_even_when_another_role_made_it() -> None:
    found = compared(
        record("sagemaker.amazonaws.com", "ListTags", BUILD),
        rehearsed=(allowed("MLOpsProjectLaunchRole", "sagemaker:ListTags"),),
    )

    assert not found.ok
    assert calls(found, "only_on_aws") == [("ModelBuildRole", "sagemaker:ListTags")]
    assert calls(found, "only_rehearsed") == [("MLOpsProjectLaunchRole", "sagemaker:ListTags")]


def test_what_was_denied_in_the_rehearsal_was_not_called_there() -> None:
    denied = {**allowed("ModelBuildRole", "sagemaker:ListTags"), "decision": "ImplicitDeny", "resource": "*"}

    found = compared(record("sagemaker.amazonaws.com", "ListTags", BUILD), rehearsed=(denied,))

    assert calls(found, "only_on_aws") == [("ModelBuildRole", "sagemaker:ListTags")]


def test_calls_of_other_roles_people_and_services_are_nobody_of_ours() -> None:
    found = compared(
        record("s3.amazonaws.com", "DeleteBucket", "Administrator"),
        of_a_service("sts.amazonaws.com", "AssumeRole", "codebuild.amazonaws.com"),
        record("sts.amazonaws.com", "AssumeRole", BUILD),
    )

    assert found.ok
    assert found.notes["calls_of_roles"] == 0


def test_calls_that_the_event_history_never_shows_are_not_missed() -> None:
    unseen = ["s3:GetObject", "iam:PassRole", "sns:Publish", "logs:PutLogEvents", "codecommit:UploadArchive"]

    found = compared(
        rehearsed=(
            *(allowed("ModelBuildRole", each) for each in unseen),
            allowed("ModelBuildRole", "sagemaker:CreatePipeline"),
        )
    )

    assert found.ok, "what is only rehearsed is for information"
    assert calls(found, "only_rehearsed") == [("ModelBuildRole", "sagemaker:CreatePipeline")]


def test_the_source_of_an_unknown_service_is_named() -> None:
    found = compared(record("newthing.amazonaws.com", "DoIt", BUILD))

    assert found.notes["unknown_sources"] == ["newthing.amazonaws.com"]
    assert calls(found, "only_on_aws") == [("ModelBuildRole", "newthing:DoIt")]
    assert any("newthing.amazonaws.com" in line and "actions.yaml" in line for line in found.lines())


def test_without_the_last_events_nothing_is_said_to_be_well() -> None:
    found = compared(complete=False)

    assert not found.ok
    assert "CloudTrail had not delivered the last call: compare again later." in list(found.lines())


def test_without_the_name_of_every_role_nothing_is_said_to_be_well() -> None:
    found = compared(template_roles=("ModelBuildRole", "CleanUpRole"))

    assert not found.ok
    assert found.notes["unnamed_roles"] == ["CleanUpRole"]
    said = "Which role CleanUpRole is on AWS could not be read, so that its calls were not compared."
    assert said in list(found.lines())


@pytest.mark.parametrize(("there", "here", "side"), [({}, SHAPES, "on AWS"), (SHAPES, {}, "in the rehearsal")])
def test_without_answers_of_both_sides_nothing_is_said_to_be_well(there: Recorded, here: Recorded, side: str) -> None:
    found = compared(shapes=(there, here))

    assert not found.ok
    assert f"No answers were kept {side}, so that their shapes were not compared." in list(found.lines())


PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/claims-fraud-p-6vl7msujqcvw/1"


def refused_twice(resource: str) -> Comparison:
    """The rehearsal refused a role `PACKAGE`; AWS refuses the same role and action on `resource`."""
    said = f"User: arn:aws:sts::x is not authorized to perform: sagemaker:UpdateModelPackage on resource: {resource}"
    event = record("sagemaker.amazonaws.com", "UpdateModelPackage", BUILD, error="AccessDenied", errorMessage=said)
    denied = {"decision": "Deny", "resource": PACKAGE}
    return compared(event, rehearsed=(allowed("ModelBuildRole", "sagemaker:UpdateModelPackage", **denied),))


def test_a_denial_that_the_rehearsal_had_on_the_same_resource_is_none_of_aws_alone() -> None:
    on_aws = "arn:aws:sagemaker:eu-west-1:999988887777:model-package/claims-fraud-p-a1b2c3d4e5f6/12 because no policy"

    assert refused_twice(on_aws).ok


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:sagemaker:eu-west-1:999988887777:model-package/another-group-p-a1b2c3d4e5f6/1",
        "arn:aws:sagemaker:eu-west-1:999988887777:endpoint/claims-fraud-p-a1b2c3d4e5f6",
        "",
    ],
)
def test_a_denial_of_another_resource_is_told_although_the_action_was_refused_in_the_rehearsal(resource: str) -> None:
    found = refused_twice(resource)

    assert not found.ok
    assert calls(found, "denied") == [("ModelBuildRole", "sagemaker:UpdateModelPackage")]


# ---- shapes

THERE: Recorded = {
    "sagemaker:DescribeProject": {"ProjectName": ["string"], "CreatedBy": ["structure"], "CreatedBy.Arn": ["string"]}
}


def members(there: dict[str, list[str]], here: dict[str, list[str]]) -> list[tuple[str, str]]:
    found = compared(shapes=({"x:Y": there}, {"x:Y": here}))
    return [(each["member"], each["what"].partition(",")[0]) for each in found.differences["wrong_shapes"]]


def test_members_that_one_side_does_not_give_are_found_at_their_highest_place() -> None:
    there = {"A": ["string"], "B": ["structure"], "B.C": ["string"]}
    here = {"A": ["string"], "D": ["string"]}

    assert members(there, here) == [("B", "is given on AWS"), ("D", "is given in the rehearsal")]


def test_another_type_is_found() -> None:
    found = compared(shapes=({"x:Y": {"When": ["timestamp"]}}, {"x:Y": {"When": ["number"]}}))

    assert [each["what"] for each in found.differences["wrong_shapes"]] == [
        "is timestamp on AWS, and number in the rehearsal"
    ]
    assert not found.ok


def test_a_list_that_was_empty_on_one_side_shows_nothing_of_its_elements() -> None:
    there = {"L": ["list"], "L[]": ["structure"], "L[].A": ["string"]}

    assert members(there, {"L": ["list"]}) == []
    assert members(there, {"L": ["list"], "L[]": ["structure"]}) == [("L[].A", "is given on AWS")]


def test_an_error_that_only_one_side_answered_with_is_found() -> None:
    assert members({"error ResourceNotFound": ["error"]}, {"error ValidationException": ["error"]}) == [
        ("error ResourceNotFound", "is answered on AWS"),
        ("error ValidationException", "is answered in the rehearsal"),
    ]


def test_an_operation_that_one_side_never_called_shows_nothing_and_is_named() -> None:
    found = compared(shapes=({"x:Only": {"A": ["string"]}}, {"y:Only": {"B": ["string"]}}))

    assert found.ok
    assert found.notes["operations_only_on_aws"] == ["x:Only"]
    assert found.notes["operations_only_rehearsed"] == ["y:Only"]


# ---- reasons


@pytest.fixture
def expected(tmp_path: Path) -> Expected:
    path = tmp_path / "expected.yaml"
    path.write_text(
        "denied: []\n"
        "calls:\n- {reason: Service Catalog looks first., roles: [MLOpsProject*], actions: ['iam:List*']}\n"
        "- {reason: Long ago., actions: ['sns:*']}\n"
        "shapes:\n- {reason: Studio's own., operations: [sagemaker:DescribeProject], members: ['CreatedBy*']}\n"
    )
    return Expected.read(path)


def test_a_difference_that_people_explained_is_told_and_does_not_count(expected: Expected) -> None:
    found = compared(
        record("iam.amazonaws.com", "ListRoleTags", "MLOpsProjectLaunchRole"),
        shapes=(THERE, {"sagemaker:DescribeProject": {"ProjectName": ["string"]}}),
        expected=expected,
    )

    assert found.ok
    assert found.differences["only_on_aws"][0]["reason"] == "Service Catalog looks first."
    assert found.document()["wrong_shapes"][0]["reason"] == "Studio's own."
    assert "Called on AWS, and never in the rehearsal: 1, 1 of them explained" in list(found.lines())


def test_a_reason_is_for_what_it_names_only_and_one_that_nothing_needs_is_named(expected: Expected) -> None:
    found = compared(record("iam.amazonaws.com", "ListRoleTags", BUILD), expected=expected)

    assert not found.ok
    assert found.notes["unused_reasons"] == ["Service Catalog looks first.", "Long ago.", "Studio's own."]


def test_the_committed_list_can_be_read() -> None:
    assert set(Expected.read().reasons) == {"denied", "only_on_aws", "wrong_shapes"}
