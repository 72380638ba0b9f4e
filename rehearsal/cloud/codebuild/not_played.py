"""Everything of a project that this cloud does not play, told at once and without making the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rehearsal.cloud.codebuild.projects import NOT_PLAYED, Projects
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document


def not_played(project: Document) -> Iterator[NotImplementedHere]:
    """What creating the project would be refused for here and not on AWS; what AWS refuses itself is left to it."""
    where = f"project {project['name']}"
    for member in NOT_PLAYED:
        if project.get(member):
            yield NotImplementedHere(f"{member} of CodeBuild {where}")
    checks: tuple[Callable[[], None], ...] = (
        lambda: Projects._check_source(project, where),
        lambda: Projects._check_environment({"environmentVariables": [], **project["environment"]}, where),
        lambda: Projects._check_cache(project.get("cache", {"type": "NO_CACHE"}), where),
    )
    for check in checks:
        try:
            check()
        except NotImplementedHere as refusal:
            yield refusal
        except AwsError:
            pass
