"""What a project makes can be told to be its own: by tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checks import rule
from checks.template_file import Resource, Template, schema

PROJECT_TAGS = {"sagemaker:project-name": "SageMakerProjectName", "sagemaker:project-id": "SageMakerProjectId"}
# Taggable, and not said to be so in AWS's schema.
TAGGABLE_BESIDES = {"AWS::CodeBuild::Project"}


class ProjectTags(rule.TemplateRule):
    """In a project's template every taggable resource carries the project's name and id.

    Studio finds a project's resources by these tags, roles are limited by them, and costs are told apart by them:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
    """

    id = "E9001"
    shortdesc = "A project's resources are tagged with its name and id"
    description = "Every taggable resource has the tags sagemaker:project-name and sagemaker:project-id"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        if not template.of_project:
            return
        for resource in template.resources:
            if not _taggable(resource):
                continue
            tags = _tags(resource)
            if missing := sorted(set(PROJECT_TAGS) - set(tags)):
                yield rule.Complaint(resource.line, f"{resource.logical_id} lacks the tags {', '.join(missing)}")
            for key, parameter in PROJECT_TAGS.items():
                if key in tags and tags[key] != {"Ref": parameter}:
                    words = f"{resource.logical_id} has a tag {key} that is not !Ref {parameter}"
                    yield rule.Complaint(resource.line, words)


def _taggable(resource: Resource) -> bool:
    if resource.type.startswith("Custom::"):
        return False
    tagging = schema(resource.type).get("tagging", {})
    return resource.type in TAGGABLE_BESIDES or bool(tagging.get("taggable"))


def _tags(resource: Resource) -> dict[str, Any]:
    """Keys and values, as written; some types take a list of both, some a mapping."""
    kept_in = str(schema(resource.type).get("tagging", {}).get("tagProperty", "/properties/Tags")).split("/")[-1]
    written = resource.properties.get(kept_in, [])
    if isinstance(written, dict):
        return {str(key): value for key, value in written.items()}
    return {str(tag["Key"]): tag["Value"] for tag in written}
