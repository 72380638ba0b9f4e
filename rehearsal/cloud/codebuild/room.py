"""What the parts of the CodeBuild API share: its state, names, condition keys and pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from rehearsal.cloud.codebuild.build import Build
from rehearsal.cloud.codebuild.turns import Turns
from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Document, Service

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

Item = TypeVar("Item")
PAGE = 100


class Room(Service):
    """State of CodeBuild: projects, builds, report groups and reports."""

    name = "codebuild"
    validation_error = "InvalidInputException"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.lock = threading.RLock()
        self.turns = Turns(cloud.settings.builds)
        self.projects: dict[str, Document] = {}
        self.builds: dict[str, Build] = {}
        self.build_counts: dict[str, int] = {}
        self.groups: dict[str, Document] = {}
        """Report groups by ARN."""
        self.reports: dict[str, Document] = {}
        """Reports by ARN, oldest first."""
        self.test_cases: dict[str, list[Document]] = {}
        """The test cases of each report, by its ARN."""

    def project_arn(self, name: str) -> str:
        """The ARN of a project given by name or ARN."""
        return name if name.startswith("arn:") else self.arn(f"project/{name}")

    def group_arn(self, name: str) -> str:
        """The ARN of a report group given by name or ARN."""
        return name if name.startswith("arn:") else self.arn(f"report-group/{name}")

    def project_tags(self, name: str) -> dict[str, str | list[str]]:
        """Condition keys of an existing project's tags."""
        return tag_context("aws:ResourceTag", self.projects.get(short_name(name), {}))

    def group_tags(self, arn: str) -> dict[str, str | list[str]]:
        """Condition keys of an existing report group's tags."""
        return tag_context("aws:ResourceTag", self.groups.get(arn, {}))


def short_name(name_or_arn: str) -> str:
    """`project` of `arn:aws:codebuild:...:project/project`."""
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn


def tag_context(key: str, document: Document) -> dict[str, str | list[str]]:
    """Condition keys for the tags of a request (`aws:RequestTag`) or of a resource (`aws:ResourceTag`)."""
    tags: list[dict[str, str]] = document.get("tags") or []
    context: dict[str, str | list[str]] = {f"{key}/{tag['key']}": tag.get("value", "") for tag in tags}
    if tags and key == "aws:RequestTag":
        context["aws:TagKeys"] = [tag["key"] for tag in tags]
    return context


def without_empty(answer: Document, *members: str) -> Document:
    """An answer without those of `members` that are empty: the service model knows them with items only."""
    return {key: value for key, value in answer.items() if value or key not in members}


def page(items: Sequence[Item], request: Document, member: str) -> Document:
    """One page of a listing under `member`, with a token for the next."""
    size = int(request.get("maxResults", PAGE))
    shown, token = cut(items, request.get("nextToken"), size, "InvalidInputException")
    answer: Document = {member: shown, **({"nextToken": token} if token else {})}
    return answer if member == "testCases" else without_empty(answer, member)
