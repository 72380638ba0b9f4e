"""Only the function that records deployments can say that a version was in production: a rollback goes by it."""

from __future__ import annotations

import ast

import pytest

from checks.statements import Statement, statements
from checks.template_file import ROOT, Template

RECORDER = "RecordDeploymentRole"
WRITING = {"sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"}
STAGE = {"sagemaker:ModelLifeCycle:stage", "sagemaker:ModelLifeCycle:stageStatus"}
METADATA = "sagemaker:CustomerMetadataProperties/"
REMOVED = "sagemaker:CustomerMetadataPropertiesToRemove"


def writers(*templates: Template) -> list[Statement]:
    """Every grant to write a version, but for the boundary's, which grants nothing."""
    return [
        each
        for template in templates
        for each in statements(template)
        if each.allows and WRITING & set(each.actions) and each.owner.logical_id != "ProjectBoundary"
    ]


def trusted_metadata() -> set[str]:
    """The properties of a record that a rollback, or the next record, goes by."""
    wanted = {"DEPLOYED_AT", "APPROVED_BY", "CAME_BY", "EXECUTION_ID"}
    tree = ast.parse((ROOT / "cloudformation" / "functions" / "record_deployment.py").read_text(encoding="utf-8"))
    return {
        str(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in wanted
    }


def test_these_may_write_versions_and_nobody_else(project: Template, account_setup: Template) -> None:
    assert {each.owner.logical_id for each in writers(project, account_setup)} == {
        "PipelineExecutionRole",
        "ApproverPolicy",
        RECORDER,
    }


@pytest.mark.parametrize("owner", ["PipelineExecutionRole", "ApproverPolicy"])
def test_whoever_else_writes_versions_cannot_write_their_record(
    project: Template, account_setup: Template, owner: str
) -> None:
    metadata = trusted_metadata()
    assert len(metadata) == 4
    found = [each for each in writers(project, account_setup) if each.owner.logical_id == owner]
    for each in found:
        absent = {key for key, value in each.condition["Null"].items() if value == "true"}
        assert absent == STAGE | {METADATA + name for name in metadata}, each.place
        if "sagemaker:UpdateModelPackage" in each.actions:
            assert each.condition["ForAllValues:StringNotLike"] == {REMOVED: "production.*"}, each.place


def test_the_recorder_cannot_approve(project: Template) -> None:
    (recorder,) = (each for each in writers(project) if each.owner.logical_id == RECORDER)
    assert recorder.condition == {"Null": {"sagemaker:ModelApprovalStatus": "true"}}
