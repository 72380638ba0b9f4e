"""Runs of a stage of mode batch: which of them failed, and what the two kinds of steps say that only they have."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from project_tools.aws import Aws
from project_tools.endings import Ending
from project_tools.findings import Trail
from project_tools.log_lines import Found

MOST_RUNS = 10
MOST_CHOSEN = 50
RUNNING = ("Executing", "Stopping")
BAD = ("Failed", "Stopped")
# The first and the last step of a run. The last one is left out where the first found nothing to answer.
LOOKING, PUBLISHING = "LookAtInput", "CheckAndPublish"
# What a function raised, within the step's reason. That may be cut off behind it, so it is not read as JSON.
RAISED = re.compile(r'"errorMessage": ?"(?P<message>(?:[^"\\]|\\.)*)"')
# https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-errors.html
REFUSED_FILE = re.compile(r"\[sagemaker logs\]: (?P<file>[^\s:]+): ?(?P<said>.*)")


def endings(aws: Aws, pipeline: str, title: str, explain: Callable[[str], Trail], chosen: str = "") -> Iterator[Ending]:
    """The newest run that has ended, if it failed, or the `chosen` one however it ended.

    `explain` follows a run by its ARN.
    """
    runs = aws.items(
        "sagemaker",
        "ListPipelineExecutions",
        "PipelineExecutionSummaries",
        most=MOST_CHOSEN if chosen else MOST_RUNS,
        PipelineName=pipeline,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=MOST_RUNS,
    )
    if chosen:
        found = next((run for run in runs if run["PipelineExecutionArn"].endswith(f"/{chosen}")), None)
    else:
        found = next((run for run in runs if run["PipelineExecutionStatus"] not in RUNNING), None)
        if found and found["PipelineExecutionStatus"] not in BAD:
            found = None
    if found:
        arn = found["PipelineExecutionArn"]
        is_newest = chosen or found is runs[0]
        yield Ending(
            title,
            found["StartTime"],
            current=True,
            since="" if is_newest else "A newer run is under way.",
            explain=partial(explain, arn),
            execution=arn.rpartition("/")[2],
        )


def steps(aws: Aws, execution_arn: str) -> list[dict[str, Any]]:
    """The steps of an execution of a SageMaker pipeline, in the order in which they began."""
    return aws.items(
        "sagemaker",
        "ListPipelineExecutionSteps",
        "PipelineExecutionSteps",
        PipelineExecutionArn=execution_arn,
        SortOrder="Ascending",
    )


def tell_success(aws: Aws, trail: Trail, execution_arn: str) -> None:
    """Say that a run succeeded, and what it published."""
    pipeline, _, identifier = execution_arn.rpartition(":pipeline/")[2].partition("/execution/")
    trail.succeeded = True
    trail.at("execution", f"{identifier} of SageMaker pipeline {pipeline}, Succeeded")
    ran = steps(aws, execution_arn)
    told = f"The execution {identifier} succeeded"
    published = next((step for step in ran if step["StepName"] == PUBLISHING), None)
    if published:
        trail.at("step", PUBLISHING)
        function = published.get("Metadata", {}).get("Lambda", {})
        output = {each["Name"]: each["Value"] for each in function.get("OutputParameters", [])}
        trail.says(
            f"{told} and published the answers to {output.get('Records', 'its')} records",
            [output["Manifest"]] if "Manifest" in output else [],
        )
    elif any(step["StepName"] == LOOKING for step in ran):
        trail.says(f"{told} and published nothing: there was nothing to answer in its input")
    else:  # it is no run over files, or its steps may not be read
        trail.says(told)


def raised_by_function(reason: str) -> list[str]:
    """The lines of the exception that ended a Lambda step; none for any other step."""
    found = RAISED.search(reason)
    return str(json.loads(f'"{found["message"]}"')).splitlines() if found else []


def refused_file(data_log: Sequence[str]) -> Found | None:
    """The first file of the input that a transform job could not answer, and what was said of it."""
    said = [found for line in data_log if (found := REFUSED_FILE.search(line))]
    if not said:
        return None
    file = said[0]["file"]
    told = [found["said"].strip() for found in said if found["file"] == file]
    status = next((each for each in told if each.startswith("Bad HTTP status")), told[0])
    return Found(f"s3://{file}: {status}", tuple(each for each in told if each and each not in (status, "Message:")))
