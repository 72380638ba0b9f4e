"""A build of CodeBuild that failed: its phase, its log, and the SageMaker pipeline execution it waited for."""

import re
from typing import Any

from project_tools import links, logs, training
from project_tools.aws import Aws
from project_tools.findings import Trail
from project_tools.log_lines import failed_command, significant

# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BuildPhase.html
BAD = ("FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR", "STOPPED")
EXECUTION_VARIABLE = "PIPELINE_EXECUTION_ARN"
EXECUTION = re.compile(r"arn:[\w-]+:sagemaker:[\w-]+:\d{12}:pipeline/[\w-]+/execution/\w+")
RUN = re.compile(rf"\bThe run ({EXECUTION.pattern})")


def follow(aws: Aws, trail: Trail, build_id: str) -> None:
    """From a build down to the line that matters."""
    builds = (aws.ask("codebuild", "BatchGetBuilds", ids=[build_id]) or {}).get("builds", [])
    if not builds:
        trail.at("build", build_id)
        return
    build = builds[0]
    phase: dict[str, Any] = next((each for each in build.get("phases", []) if each.get("phaseStatus") in BAD), {})
    status, in_phase = build.get("buildStatus", ""), phase.get("phaseType", "")
    where = build.get("logs", {})
    trail.at("build", f"{build_id}, {status}{f' in phase {in_phase}' if in_phase else ''}", where.get("deepLink", ""))
    for context in phase.get("contexts", []):
        if context.get("message") or context.get("statusCode"):
            trail.says(f"{context.get('statusCode', '')}: {context.get('message', '')}".strip(": "))
            break
    if status in ("TIMED_OUT", "STOPPED"):
        limit = build.get("timeoutInMinutes")
        trail.says(f"The build was {status}" + (f" after {limit} minutes" if limit and status == "TIMED_OUT" else ""))
    lines = _log(aws, trail, where)
    execution = _execution(build, lines)
    if execution:
        training.follow(aws, trail, execution)


def _log(aws: Aws, trail: Trail, where: dict[str, Any]) -> list[str]:
    group, stream = where.get("groupName", ""), where.get("streamName", "")
    if not group or not stream:
        return []
    lines = logs.lines_of(aws, group, stream)
    command = failed_command(lines)
    if command:
        trail.at("command", command)
    trail.at("log", f"{group}, stream {stream}", links.log_stream(aws, group, stream))
    found = significant(lines)
    if found and command:  # otherwise the build ended outside its commands, and its phase knows better
        trail.says(found.line, found.more)
    trail.tail = logs.tail(lines)
    return lines


def _execution(build: dict[str, Any], lines: list[str]) -> str:
    """The SageMaker pipeline execution that the build started; empty when it started none."""
    exported = {each["name"]: each["value"] for each in build.get("exportedEnvironmentVariables", [])}
    if EXECUTION.fullmatch(exported.get(EXECUTION_VARIABLE, "")):
        return str(exported[EXECUTION_VARIABLE])
    named = [found[0] for line in lines for found in EXECUTION.finditer(line) if line.startswith("Started ")]
    if named:
        return named[-1]
    # The tests of a stage of mode batch name the run they could not use, which pytest's summary may cut off.
    runs = [found[1] for line in lines for found in RUN.finditer(line)]
    return max(runs, key=len, default="")
