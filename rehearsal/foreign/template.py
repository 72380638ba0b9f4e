"""A template file: read strictly, so that what is wrong with it is told with its line before a cloud is started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT_PARAMETERS = ("SageMakerProjectName", "SageMakerProjectId")
PLACEHOLDER = re.compile(r"AWSDEFAULT___\w+?___")
"""What AWS's sample templates leave for whoever publishes them to fill in."""


class ForeignTemplateError(Exception):
    """The template, or what was given with it, cannot be launched. Its lines are for people, one for each problem."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Template:
    """One template. `document` has every short form (`!Sub`) written out (`Fn::Sub`)."""

    file: Path
    text: str
    document: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Logical id -> resource."""
        return dict(self.document["Resources"])

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Name -> declaration."""
        return dict(self.document.get("Parameters") or {})

    def place(self, logical_id: str) -> str:
        """Where a resource stands, as every message begins: file, line, logical id and type."""
        resource = self.document["Resources"][logical_id]
        key = next(each for each in self.document["Resources"] if each == logical_id)
        mark = getattr(key, "start_mark", None) or getattr(resource, "start_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        return f"{self.file}{line}: {logical_id} ({resource['Type']})"


def read(file: Path, fillings: Iterable[str] = ()) -> Template:
    """Read a template in YAML or JSON. `fillings` are `PLACEHOLDER=VALUE`, put in wherever the placeholder stands.

    Raises ForeignTemplateError naming what is wrong.
    """
    text = _filled(_text(file), file, fillings)
    document = _decoded(text, file)
    resources = document.get("Resources")
    if not isinstance(resources, Mapping) or not resources:
        raise ForeignTemplateError(f"{file} is not a CloudFormation template: it has no Resources.")
    for logical_id, resource in resources.items():
        if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
            raise ForeignTemplateError(f"{file}: {logical_id} in Resources is not a resource: it has no Type.")
    missing = [name for name in PROJECT_PARAMETERS if name not in (document.get("Parameters") or {})]
    if missing:
        raise ForeignTemplateError(
            f"{file} is not a template of a SageMaker project: it has no parameter {' and no '.join(missing)}. "
            "SageMaker fills both in; see https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html"
        )
    return Template(file, text, document)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not text in UTF-8"
        raise ForeignTemplateError(f"The template {file} cannot be read: {why}.") from problem


def _filled(text: str, file: Path, fillings: Iterable[str]) -> str:
    for each in fillings:
        placeholder, _, value = each.partition("=")
        if not placeholder or not value:
            raise ForeignTemplateError(f"--fill {each} must be PLACEHOLDER=VALUE.")
        if placeholder not in text:
            raise ForeignTemplateError(f"--fill {each}: {placeholder} does not stand in {file}.")
        text = text.replace(placeholder, value)
    left = sorted(set(PLACEHOLDER.findall(text)))
    if left:
        raise ForeignTemplateError(
            *(f"{file}: {each} is left to whoever publishes it; give it with --fill {each}=VALUE." for each in left)
        )
    return text


def _decoded(text: str, file: Path) -> Mapping[str, Any]:
    from cfnlint.decode.decode import decode_str  # 1 s of imports: only when there is a template

    document, problems = decode_str(text)
    if problems:
        raise ForeignTemplateError(
            *(f"{file}:{each.linenumber} is not a template that can be read: {each.message}." for each in problems)
        )
    if not isinstance(document, Mapping):
        raise ForeignTemplateError(f"{file} is not a CloudFormation template: it has no Resources.")
    return document
