"""Executions of a CodePipeline that ended badly, and the way from there to the failed action."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from project_tools import builds, links, logs, stacks
from project_tools.aws import Aws
from project_tools.endings import Ending
from project_tools.findings import Trail

# https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
# Superseded is no failure: a newer execution took its place. But for a rollback, which nobody asks for lightly.
BAD = ("Failed", "Stopped", "Stopping", "Cancelled")
SUPERSEDED = "Superseded"
NOTHING_TO_DO = "Nothing to do"
"""How the reason begins for which an execution stopped because another one does the same: no failure either."""
PACKAGE_VARIABLE, ROLLBACK = "MODEL_PACKAGE_ARN", "rollback"
MOST_EXECUTIONS = 50


def endings(aws: Aws, pipeline: str, title: str, endpoints: Mapping[str, str], chosen: str = "") -> Iterator[Ending]:
    """The newest execution that ended badly, or the `chosen` one however it ended.

    `endpoints` says which endpoint a stack is there for.
    """
    # Newest first. https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelineExecutions.html
    summaries = aws.items(
        "codepipeline",
        "ListPipelineExecutions",
        "pipelineExecutionSummaries",
        most=MOST_EXECUTIONS,
        pipelineName=pipeline,
    )
    for number, summary in enumerate(summaries):
        identifier = summary["pipelineExecutionId"]
        if identifier == chosen or (not chosen and _went_wrong(aws, pipeline, summary)):
            later = summaries[:number]
            success = next((each for each in reversed(later) if each["status"] == "Succeeded"), None)
            yield Ending(
                title=title,
                at=summary["lastUpdateTime"],
                current=success is None,
                since=_since(success, later),
                explain=partial(_explain, aws, pipeline, summary, later, endpoints),
                begun=summary["startTime"],
            )
            return


def _went_wrong(aws: Aws, pipeline: str, summary: dict[str, Any]) -> bool:
    """Whether an execution ended so that somebody has to know."""
    if summary["status"] == SUPERSEDED:
        return _goes_back(aws, pipeline, summary)
    if summary["status"] not in BAD:
        return False
    return not summary.get("stopTrigger", {}).get("reason", "").startswith(NOTHING_TO_DO)


def _goes_back(aws: Aws, pipeline: str, summary: dict[str, Any]) -> bool:
    """Whether an execution was to take production back to an earlier version."""
    if summary.get("trigger", {}).get("triggerType") != "StartPipelineExecution":
        return False  # a push or an approval: no need to ask
    asked = aws.ask(
        "codepipeline",
        "GetPipelineExecution",
        pipelineName=pipeline,
        pipelineExecutionId=summary["pipelineExecutionId"],
    )
    variables = (asked or {}).get("pipelineExecution", {}).get("variables", [])
    return {"name": PACKAGE_VARIABLE, "resolvedValue": ROLLBACK} in variables


def _since(success: dict[str, Any] | None, later: list[dict[str, Any]]) -> str:
    if success:
        return f"A later execution succeeded at {success['lastUpdateTime']:%Y-%m-%d %H:%M} UTC, so this is history."
    if any(each["status"] == "InProgress" for each in later):
        return "A newer execution is running."
    return ""


def _explain(
    aws: Aws,
    pipeline: str,
    summary: dict[str, Any],
    later: list[dict[str, Any]],
    endpoints: Mapping[str, str],
) -> Trail:
    trail = Trail()
    identifier, status = summary["pipelineExecutionId"], summary["status"]
    trail.at(
        "pipeline",
        f"{pipeline}, execution {identifier}, {status}{_started_by(summary)}",
        links.pipeline_execution(aws, pipeline, identifier),
    )
    if status == "Superseded":
        by = later[-1]["pipelineExecutionId"] if later else "a newer one"
        if _goes_back(aws, pipeline, summary):
            trail.says(f"The way back was superseded: execution {by} came after it and took its place")
        else:
            trail.says(f"The execution was superseded: execution {by} came after it and took its place")
        return trail
    if status in ("Stopped", "Stopping", "Cancelled"):
        _stopped(aws, trail, pipeline, summary)
        return trail
    actions = aws.items(
        "codepipeline",
        "ListActionExecutions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": identifier},
    )
    failed = _failed(actions)
    if failed is not None:
        _action(aws, trail, pipeline, failed, endpoints)
    elif status == "Failed":
        _condition(aws, trail, pipeline, identifier)
    elif status == "Succeeded":
        trail.succeeded = True
        trail.says("The execution succeeded")
    else:
        trail.says("The execution is still running")
    return trail


def _started_by(summary: dict[str, Any]) -> str:
    revisions = summary.get("sourceRevisions", [])
    if not revisions:
        return ""
    message = revisions[0].get("revisionSummary", "").strip().partition("\n")[0]
    return f" (commit {revisions[0].get('revisionId', '')[:7]}{f': {message}' if message else ''})"


def _stopped(aws: Aws, trail: Trail, pipeline: str, summary: dict[str, Any]) -> None:
    reason = summary.get("stopTrigger", {}).get("reason", "")
    if not reason:
        asked = aws.ask(
            "codepipeline",
            "GetPipelineExecution",
            pipelineName=pipeline,
            pipelineExecutionId=summary["pipelineExecutionId"],
        )
        reason = (asked or {}).get("pipelineExecution", {}).get("statusSummary", "")
    trail.says(f"The execution was {summary['status'].lower()}: {reason or 'nobody gave a reason'}")


def _failed(actions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the actions whose last attempt failed, the one that failed first."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for action in sorted(actions, key=lambda each: each["startTime"].timestamp()):
        newest[action["stageName"], action["actionName"]] = action
    failed = [action for action in newest.values() if action["status"] == "Failed"]
    return min(failed, key=lambda each: each["lastUpdateTime"].timestamp(), default=None)


def _action(aws: Aws, trail: Trail, pipeline: str, action: dict[str, Any], endpoints: Mapping[str, str]) -> None:
    """Say what the action says, and go on to what it ran."""
    result = action.get("output", {}).get("executionResult", {})
    error, summary = result.get("errorDetails", {}), result.get("externalExecutionSummary", "")
    external = result.get("externalExecutionId", "")
    kind = action.get("input", {}).get("actionTypeId", {})
    configuration = action.get("input", {}).get("configuration", {})
    trail.at("action", f"{action['stageName']} / {action['actionName']}", result.get("externalExecutionUrl", ""))
    trail.says(error.get("message") or summary)
    if error.get("code"):
        trail.hints(error["code"])
    provider = kind.get("provider", "")
    if kind.get("category") == "Approval":
        _approval(trail, action, error, summary)
    elif provider == "Lambda":
        group = f"/aws/sagemaker-projects/{pipeline.rpartition('-')[0]}-functions"
        _function(aws, trail, action, configuration.get("FunctionName", ""), group)
    elif provider == "CodeBuild" and ":" in external:
        builds.follow(aws, trail, external)
    elif provider == "CloudFormation" and configuration.get("StackName"):
        name = action["input"].get("resolvedConfiguration", {}).get("StackName") or configuration["StackName"]
        stack = external if external.startswith("arn:") else name
        stacks.follow(aws, trail, stack, action["startTime"], endpoints.get(name, ""))


def _function(aws: Aws, trail: Trail, action: dict[str, Any], function: str, group: str) -> None:
    """What a function of the project wrote into their common log, beside what it told the pipeline."""
    trail.at("function", function)
    found = logs.search(aws, trail, group, since=action["startTime"])
    if found is not None and found.strong and found.line not in trail.line:
        trail.says(trail.line, [found.line, *found.more])


def _approval(trail: Trail, action: dict[str, Any], error: dict[str, Any], summary: str) -> None:
    """Who said no, and with which words. Nobody at all, when it timed out."""
    who = action.get("updatedBy", "")
    if not who:
        return
    words = f": {summary}" if summary else ", without a word"
    trail.says(f"Rejected by {who.rpartition(':')[2]}{words}")
    trail.hints(error.get("message", ""))


def _condition(aws: Aws, trail: Trail, pipeline: str, execution: str) -> None:
    """No action failed, so a stage's condition did."""
    rules = aws.items(
        "codepipeline",
        "ListRuleExecutions",
        "ruleExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": execution},
    )
    failed = [rule for rule in rules if rule["status"] == "Failed"]
    if not failed:
        trail.says("The execution failed, and no action and no rule of it did")
        return
    rule = max(failed, key=lambda each: each["lastUpdateTime"].timestamp())
    result = rule.get("output", {}).get("executionResult", {})
    said = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
    settings = rule.get("input", {}).get("resolvedConfiguration") or rule.get("input", {}).get("configuration", {})
    trail.at("condition", f"{rule['stageName']} / {rule['ruleName']}")
    trail.says(
        f"A condition of stage {rule['stageName']} was not met: {said or rule['ruleName']}",
        [f"{name} = {value}" for name, value in settings.items()],
    )
