"""A recording of shapes keeps every member that people were given, and what they were refused with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from rehearsal.shapes import Shapes, read

ARN = "arn:aws:sagemaker:us-east-1:123456789012:project/claims"


@pytest.fixture
def sagemaker() -> Any:
    session = botocore.session.Session()
    return session.create_client("sagemaker", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106


def test_members_are_kept_with_their_types_through_lists_and_maps(sagemaker: Any, tmp_path: Path) -> None:
    shapes = Shapes()
    shapes.listen(sagemaker)
    with Stubber(sagemaker) as stub:
        stub.add_response("list_projects", {"ProjectSummaryList": []})
        stub.add_response(
            "list_projects",
            {
                "ProjectSummaryList": [
                    {
                        "ProjectName": "claims",
                        "ProjectArn": ARN,
                        "ProjectId": "p-1",
                        "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
                        "ProjectStatus": "Pending",
                    }
                ]
            },
        )
        sagemaker.list_projects()
        sagemaker.list_projects()
    shapes.write(tmp_path)

    assert read(tmp_path) == {
        "sagemaker:ListProjects": {
            "ProjectSummaryList": ["list"],
            "ProjectSummaryList[]": ["structure"],
            "ProjectSummaryList[].CreationTime": ["timestamp"],
            "ProjectSummaryList[].ProjectArn": ["string"],
            "ProjectSummaryList[].ProjectId": ["string"],
            "ProjectSummaryList[].ProjectName": ["string"],
            "ProjectSummaryList[].ProjectStatus": ["string"],
        }
    }


def test_the_keys_of_a_map_are_no_members(sagemaker: Any) -> None:
    shapes = Shapes()
    shapes.listen(sagemaker)
    with Stubber(sagemaker) as stub:
        stub.add_response(
            "describe_model",
            {
                "ModelName": "m",
                "ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m",
                "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
                "PrimaryContainer": {"Environment": {"A": "1", "B": "2"}},
            },
        )
        sagemaker.describe_model(ModelName="m")

    found = shapes.recorded()["sagemaker:DescribeModel"]
    assert [path for path in found if "Environment" in path] == [
        "PrimaryContainer.Environment",
        "PrimaryContainer.Environment{}",
    ]


def test_of_an_error_its_code_is_kept(sagemaker: Any) -> None:
    shapes = Shapes()
    shapes.listen(sagemaker)
    with Stubber(sagemaker) as stub:
        stub.add_client_error("describe_project", "ValidationException", http_status_code=400)
        with pytest.raises(ClientError):
            sagemaker.describe_project(ProjectName="claims")

    assert shapes.recorded() == {"sagemaker:DescribeProject": {"error ValidationException": ["error"]}}
