"""The stages and actions of the pipelines in a template, and the variables they refer to."""

from __future__ import annotations

import re
from typing import Any

from checks.template_file import Template, walk

REFERENCE = re.compile(r"#\{(\w+)\.(\w+)\}")


def stages(project: Template, pipeline: str) -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = project.resolve(project.resource(pipeline).properties["Stages"])
    return {stage["Name"]: stage for stage in found}


def actions(project: Template, pipeline: str) -> list[dict[str, Any]]:
    return [action for stage in stages(project, pipeline).values() for action in stage["Actions"]]


def references(project: Template, pipeline: str) -> set[tuple[str, str]]:
    """Every #{namespace.variable} in a pipeline."""
    texts = [node for node in walk(project.resource(pipeline).properties) if isinstance(node, str)]
    return {(found[1], found[2]) for text in texts for found in REFERENCE.finditer(text)}
