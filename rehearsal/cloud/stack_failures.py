"""Why an operation on a stack failed: the cause, not its consequences."""

from __future__ import annotations

from typing import Any


def first_failure(cloudformation: Any, stack_id: str, operation: str) -> str:  # noqa: ANN401 - boto3
    """The first resource that failed in the newest `CREATE`, `UPDATE` or `DELETE` of a stack, with its reason.

    Empty when the stack's events name none.
    """
    cause = ""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    for event in (each for page in pages for each in page["StackEvents"]):  # newest first
        reason = event.get("ResourceStatusReason", "")
        if event["PhysicalResourceId"] == stack_id:
            if event["ResourceStatus"] == f"{operation}_IN_PROGRESS":
                break
        elif event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason.lower():
            cause = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return cause
