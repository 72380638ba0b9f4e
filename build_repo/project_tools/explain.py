"""The newest failure of a project, followed to its cause."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from project_tools import batch_runs, causes, launch, pipelines, rights, training
from project_tools.aws import Aws, CannotLookError
from project_tools.endings import Ending
from project_tools.findings import Answer, Failure, Success, Trail
from project_tools.project import Project

BAD_EXECUTIONS = ("Failed", "Stopped")


def look(aws: Aws, project: Project, execution: str = "") -> Answer:
    """Explain the newest failure that is still current, else the newest that was followed by a success.

    `execution` chooses one execution of a pipeline instead, however it ended.
    Raises CannotLookError when nothing can be asked, and when there is no such project or execution.
    """
    if execution:
        found = list(_of_pipelines(aws, project, execution)) or list(_batch_runs(aws, project, execution))
        if not found:
            where = (
                f"Neither the pipelines of {project.name} nor the newest {batch_runs.MOST_CHOSEN} batch runs of staging"
            )
            raise CannotLookError(_with_rights(aws, f"{where} and production have execution {execution}."))
    else:
        found = list(_endings(aws, project))
        if not found:
            _must_exist(aws, project)
    chosen = max(found, key=lambda ending: (ending.current, ending.at), default=None)
    if chosen is None:
        return Answer(project, None, not_read=tuple(aws.not_read))
    trail = chosen.explain()
    if trail.succeeded:
        return Answer(project, None, not_read=tuple(aws.not_read), success=_success(chosen, trail))
    notes = [
        f"Also failed: {other.title}, {other.at:%Y-%m-%d %H:%M} UTC."
        for other in found
        if other is not chosen and other.current and not _passed(trail, other.execution)
    ]
    failure = _failure(project, chosen, trail, _boundary(aws, project, trail))
    return Answer(project, failure, tuple(notes), tuple(aws.not_read))


def _endings(aws: Aws, project: Project) -> Iterator[Ending]:
    yield from launch.endings(aws, project)
    through_pipelines = list(_of_pipelines(aws, project))
    yield from through_pipelines
    for ending in _started_by_hand(aws, project):
        if not any(each.begun and each.begun <= ending.at <= each.at for each in through_pipelines):
            yield ending
    yield from _batch_runs(aws, project)


def _batch_runs(aws: Aws, project: Project, execution: str = "") -> Iterator[Ending]:
    """Of staging only one that was asked for: its tests have a run fail on purpose, and the build that runs them says
    which of them should not."""
    follow = partial(_training, aws, functions=f"/aws/sagemaker-projects/{project.prefix}-functions")
    stages = {"production": project.production_endpoint, "staging": project.staging_endpoint}
    for stage, pipeline in stages.items():
        if stage == "production" or execution:
            yield from batch_runs.endings(aws, pipeline, f"the batch runs of {stage}", follow, execution)


def _of_pipelines(aws: Aws, project: Project, execution: str = "") -> Iterator[Ending]:
    endpoints = {
        project.staging_stack: project.staging_endpoint,
        project.production_stack: project.production_endpoint,
    }
    yield from pipelines.endings(aws, project.build_pipeline, "the model build", endpoints, execution)
    yield from pipelines.endings(aws, project.deploy_pipeline, "the model deployment", endpoints, execution)


def _started_by_hand(aws: Aws, project: Project) -> Iterator[Ending]:
    """The newest execution of the SageMaker pipeline, if it failed: a schedule or a person in Studio may start one."""
    listed = aws.items(
        "sagemaker",
        "ListPipelineExecutions",
        "PipelineExecutionSummaries",
        most=1,
        PipelineName=project.sagemaker_pipeline,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )
    for summary in listed:
        if summary["PipelineExecutionStatus"] in BAD_EXECUTIONS:
            arn = summary["PipelineExecutionArn"]
            explain = partial(_training, aws, arn)
            yield Ending(
                "the SageMaker pipeline",
                summary["StartTime"],
                current=True,
                since="",
                explain=explain,
                execution=arn.rpartition("/")[2],
            )


def _passed(trail: Trail, execution: str) -> bool:
    """Whether the way to the cause led through this execution."""
    return bool(execution) and any(execution in place.name for place in trail.places)


def _training(aws: Aws, execution_arn: str, functions: str = "") -> Trail:
    trail = Trail()
    training.follow(aws, trail, execution_arn, functions)
    if not trail.places:
        batch_runs.tell_success(aws, trail, execution_arn)
    return trail


def _must_exist(aws: Aws, project: Project) -> None:
    """Nothing failed is only true of a project that is there and may be looked at."""
    unread = aws.denied
    seen: list[Any] = [
        aws.ask("codepipeline", "ListPipelineExecutions", pipelineName=name, maxResults=1)
        for name in (project.build_pipeline, project.deploy_pipeline)
    ]
    if any(each is not None for each in seen):
        return
    if unread:
        raise CannotLookError(_with_rights(aws, f"The pipelines of project {project.name} cannot be looked at."))
    raise CannotLookError(
        f"There is no project {project.name} ({project.id}) in this account and region ({aws.region}), or its "
        "pipelines are gone. Check AWS_DEFAULT_REGION and which account you are signed in to."
    )


def _followed(project: Project, trail: Trail) -> str:
    """The SageMaker pipeline that the way to the cause led through, as the project writes it."""
    written = (project.production_endpoint, project.staging_endpoint, project.sagemaker_pipeline)
    return next((name for name in written if name.lower() == trail.pipeline.lower()), trail.pipeline)


def _with_rights(aws: Aws, sentence: str) -> str:
    return "\n".join([sentence, *aws.not_read])


def _boundary(aws: Aws, project: Project, trail: Trail) -> tuple[str, ...]:
    """Which boundary it was, where one refused and AWS does not name it."""
    refusals = [found for text in trail.texts if (found := rights.refusal(text))]
    if not any(each.by_boundary for each in refusals):
        return ()
    found = launch.boundary(aws, project)
    return (f"The boundary of this project's roles is {found}.",) if found else ()


def _success(ending: Ending, trail: Trail) -> Success:
    return Success(ending.title, trail.line, trail.more, tuple(trail.places), trail.link, ending.at)


def _failure(project: Project, ending: Ending, trail: Trail, boundary: tuple[str, ...]) -> Failure:
    cause, to_try = causes.recognise(trail.texts, trail.kind, _followed(project, trail))
    at: datetime = ending.at
    return Failure(
        title=ending.title,
        line=trail.line or "AWS gives no reason",
        more=trail.more,
        where=tuple(trail.places),
        link=trail.link,
        when=at,
        current=ending.current,
        since=ending.since,
        cause=cause,
        to_try=(*to_try, *boundary),
        last_lines=tuple(trail.tail) if not cause else (),
    )
