"""What goes with a project, and what stays."""

from __future__ import annotations

from checks.template_file import Resource, Template


def test_nothing_the_user_made_goes_when_the_project_goes(project: Template) -> None:
    kept = {
        "ArtifactBucket",
        "ArtifactBucketPolicy",
        "FunctionsLogGroup",  # says what was deleted and where the rest is
        "ModelBuildRepository",
        "ModelDeployRepository",
        "ModelPackageGroup",
    }
    for resource in project.resources:
        policies = {resource.body.get("DeletionPolicy"), resource.body.get("UpdateReplacePolicy")}
        if resource.logical_id in kept:
            assert policies <= {"Retain", "RetainExceptOnCreate"}, _say(project, resource)
        else:
            assert policies <= {None, "Delete"}, _say(project, resource)


def _say(template: Template, resource: Resource) -> str:
    return f"{template.at(resource.line)}: {resource.logical_id}"
