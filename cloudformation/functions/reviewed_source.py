"""Whether what the model-deploy repository holds in an execution is what production was deployed from before.

A rollback asks nobody, because its version was approved for production before. The stacks get more than a version from
the repository, however: the template, the number of instances, the alarms. So the commit counts, and it counts as
CodePipeline took it: what a build says of itself may be anything.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_SourceRevision.html
"""

from deployments import FAILED, Deployment, DeployPipeline

SUCCEEDED = "Succeeded"
SHORT = 10
"""Of a commit's id, for people."""


def changed_since_production(pipeline: DeployPipeline, execution: Deployment) -> str | None:
    """Why nobody has let this execution's sources into production yet, as a clause; None when somebody has.

    The last execution that came into production, and was seen to have deployed what it was given, was asked about or
    held the same as one that was. Its listing stays for a year.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
    """
    before = pipeline.before(execution.execution_id, {SUCCEEDED, FAILED})  # one that failed may have had more to do
    last = next((each for each in before if each.was_recorded), None)
    if last is None:
        return "no execution is known that deployed production from this repository"
    if execution.revisions and execution.revisions == last.revisions:
        return None
    return (
        "the model-deploy repository has changed since production was last deployed from it "
        f"({_short(last)} then, {_short(execution)} now)"
    )


def _short(execution: Deployment) -> str:
    ids = sorted(revision[:SHORT] for _, revision in execution.revisions if revision)
    return ", ".join(ids) or "an unknown commit"
