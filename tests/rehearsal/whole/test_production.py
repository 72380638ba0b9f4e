"""Getting into production, and who may say that a version was there."""

from __future__ import annotations

from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.project_lab import Project


def summaries(project: Project, execution: str) -> dict[str, str]:
    """What each action of an execution says of itself, by the action's name."""
    return {
        name: output["executionResult"].get("externalExecutionSummary", "")
        for name, _, output in project.actions(execution)
    }


def test_production_can_be_deployed_after_its_first_creation_failed(company: Company) -> None:
    project = Project(company)
    package = project.register("one")
    failed = project.push_deployment(package, ModelExecutionRoleArn=project.foreign_role())
    project.approve(failed)
    assert project.ended(failed) == "Failed"
    assert project.stack_status("prod") == "ROLLBACK_COMPLETE"

    second = project.push_deployment(package)
    project.approve(second)

    assert project.ended(second) == "Succeeded", project.actions(second)
    assert project.stack_status("prod") == "CREATE_COMPLETE"
    assert project.endpoint_status("prod") == "InService"
    said = summaries(project, second)
    assert "its first creation failed and nothing was served by it" in said["DiscardFailedCreation"]

    third = project.push_deployment(project.register("two"))
    project.approve(third)

    assert project.ended(third) == "Succeeded", project.actions(third)
    said = summaries(project, third)
    assert said["DiscardFailedCreation"].endswith("is CREATE_COMPLETE: nothing to discard")
