"""A CloudFormation stack that failed: the event that is the cause, and the endpoint behind it."""

from datetime import datetime
from typing import Any

from project_tools import links, logs
from project_tools.aws import Aws
from project_tools.findings import Trail

STACK = "AWS::CloudFormation::Stack"
ENDPOINT = "AWS::SageMaker::Endpoint"
# Resources that were stopped because another one failed. https://repost.aws/knowledge-center/cloudformation-rollback-resource
CONSEQUENCES = ("resource creation cancelled", "resource update cancelled", "resource deletion cancelled")
STARTS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")
DEEPEST = 5


def follow(
    aws: Aws, trail: Trail, stack: str, since: datetime | None = None, endpoint: str = "", depth: int = 0
) -> None:
    """From a stack (its name or id) to the event that is the cause; only events from `since` on count.

    `endpoint` is the one the stack is there for: the event of a creation that failed need not name it.
    """
    name = stack.rpartition(":stack/")[2].partition("/")[0] or stack
    trail.at("stack", name, links.stack_events(aws, stack))
    events = _newest_operation(aws, stack, since)
    cause = _cause(events)
    if cause is None:
        return
    trail.at("resource", f"{cause['LogicalResourceId']} ({cause['ResourceType']}), {cause['ResourceStatus']}")
    trail.says(cause.get("ResourceStatusReason", ""))
    physical = cause.get("PhysicalResourceId", "")
    if cause["ResourceType"] == STACK and physical not in ("", cause.get("StackId")) and depth < DEEPEST:
        follow(aws, trail, physical, since, endpoint, depth + 1)
    elif cause["ResourceType"] == ENDPOINT and (physical or endpoint):
        _endpoint(aws, trail, physical.rpartition("/")[2] or endpoint, events[-1]["Timestamp"])


def _newest_operation(aws: Aws, stack: str, since: datetime | None) -> list[dict[str, Any]]:
    """The events of the newest creation, update or deletion, the newest first."""
    newest: list[dict[str, Any]] = []
    for event in aws.items("cloudformation", "DescribeStackEvents", "StackEvents", most=500, StackName=stack):
        if since is not None and event["Timestamp"] < since:
            break
        newest.append(event)
        own = event.get("PhysicalResourceId") == event.get("StackId")
        if own and event["ResourceType"] == STACK and event.get("ResourceStatus") in STARTS:
            break
    return newest


def _cause(events: list[dict[str, Any]]) -> Any:
    """The first failure that is not the consequence of another; the stack's own only when no resource failed."""
    failed = [event for event in reversed(events) if event.get("ResourceStatus", "").endswith("_FAILED")]
    own = [event for event in events if event.get("PhysicalResourceId") == event.get("StackId")]
    for event in failed:
        reason = event.get("ResourceStatusReason", "").lower()
        if event not in own and reason and not any(words in reason for words in CONSEQUENCES):
            return event
    bad = ("FAILED", "ROLLBACK_IN_PROGRESS")
    said = [each for each in own if each.get("ResourceStatus", "").endswith(bad) and each.get("ResourceStatusReason")]
    return said[-1] if said else None


def _endpoint(aws: Aws, trail: Trail, endpoint: str, since: datetime) -> None:
    """Why SageMaker did not bring an endpoint up, and what its container printed meanwhile."""
    described = aws.ask("sagemaker", "DescribeEndpoint", EndpointName=endpoint) or {}
    status = described.get("EndpointStatus", "gone: the stack took it back")
    trail.at("endpoint", f"{endpoint}, now {status}")
    reason = described.get("FailureReason", "")
    if reason and reason not in trail.line:
        trail.says(reason)
    if "alarm" in trail.line.lower():
        return  # the alarms brought it back; nothing need be wrong in the container's log
    before = list(trail.places)
    found = logs.search(aws, trail, f"/aws/sagemaker/Endpoints/{endpoint}", since=since)
    if found is None:
        return
    if found.strong:
        trail.says(found.line, [*found.more, trail.line])
    elif "health check" not in trail.line:
        trail.places = before  # the log of a container that has nothing to do with it
        trail.tail = []
