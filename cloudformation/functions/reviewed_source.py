"""What somebody has let into production of the model-deploy repository: what a rollback is deployed from.

A rollback asks nobody, because its version was approved for production before. The stacks get more than a version from
the repository, however: the template, the number of instances, the alarms. So the commit counts, and it counts as
CodePipeline took it: what a build says of itself may be anything. A rollback that the project starts takes the commit
that production was deployed from last, so that nothing pushed since then can hold it up; one that somebody starts by
hand takes the newest commit, and asks when nobody has let that one in.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_SourceRevision.html
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from deployments import FAILED, IN_PROGRESS, STOPPED, STOPPING, SUCCEEDED, Deployment, DeployPipeline

COME_SO_FAR = frozenset({SUCCEEDED, FAILED, STOPPED, STOPPING, IN_PROGRESS})
"""What executions can be that have deployed production: one that failed or was stopped may have had more to do."""
SHORT = 10
"""Of a commit's id, for people."""

Revisions = frozenset[tuple[str, str]]
"""Of an execution's sources: the action that took each, and its revision."""


def let_in(pipeline: DeployPipeline) -> Revisions:
    """The sources that production was last deployed from; none when nothing says."""
    return next((each.revisions for each, _ in _let_in(pipeline.newest(COME_SO_FAR))), frozenset())


def changed_since_production(pipeline: DeployPipeline, execution: Deployment) -> str | None:
    """Why nobody has let this execution's sources into production yet, as a clause; None when somebody has.

    The last execution that came into production, and was seen to have deployed what it was given, was asked about or
    held the same as one that was. While that is under way when this one begins, the last one before it counts as well.
    Its listing stays for a year.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
    """
    last: Deployment | None = None
    for each, recorded_at in _let_in(pipeline.before(execution.execution_id, COME_SO_FAR)):
        if execution.revisions and execution.revisions == each.revisions:
            return None
        last = last or each
        if recorded_at <= execution.started:
            break
    if last is None:
        return "no execution is known that deployed production from this repository"
    return (
        "the model-deploy repository has changed since production was last deployed from it "
        f"({short(last.revisions)} then, {short(execution.revisions)} now)"
    )


def _let_in(executions: Iterable[Deployment]) -> Iterator[tuple[Deployment, datetime]]:
    """Those that were seen to have deployed production, each with when it was."""
    for each in executions:
        at = each.recorded_at
        if at is not None:
            yield each, at


def short(revisions: Revisions) -> str:
    """Commits for people."""
    ids = sorted(revision[:SHORT] for _, revision in revisions if revision)
    return ", ".join(ids) or "an unknown commit"
