"""What is asked and refused of the targets of EventBridge's rules, whether a stack brings them or a program.

The base keeps whatever it is given: a role that the caller may not pass, a queue for dead letters that nothing ever
reaches, a path that finds nothing.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

Target = Mapping[str, Any]

SERVICE = "events.amazonaws.com"
DELIVERED_BY_BASE = ("sns", "sqs")
DELIVERED_HERE = ("codepipeline", "lambda", "sagemaker")
"""The services whose rooms take events (`Events.add_target`)."""


def targets_in(request: Request) -> list[Target]:
    """The targets of a PutTargets; none for every other request, nor for one that cannot be read."""
    if request.headers.get("X-Amz-Target") != "AWSEvents.PutTargets":
        return []
    try:
        targets = json.loads(request.get_data() or b"{}").get("Targets")
    except (ValueError, AttributeError):
        return []
    return [each for each in targets or [] if isinstance(each, dict)]


def refuse_unplayed(targets: Iterable[Target]) -> None:
    """Raise NotImplementedHere for what nobody would do here: targets of services that nothing is delivered to, a part
    of the event for a target that is not the base's own, dead-letter queues, and paths into lists."""
    for target in targets:
        service = (str(target.get("Arn", "")).split(":") + [""] * 3)[2]
        if service and service not in (*DELIVERED_BY_BASE, *DELIVERED_HERE):
            raise NotImplementedHere(f"an event rule's target of service {service} ({target['Arn']})")
        if target.get("InputPath") and service not in DELIVERED_BY_BASE:
            raise NotImplementedHere(f"InputPath of an event rule's target ({target.get('Arn')})")
        if target.get("DeadLetterConfig"):
            raise NotImplementedHere(f"DeadLetterConfig of an event rule's target ({target.get('Arn')})")
        paths = (target.get("InputTransformer") or {}).get("InputPathsMap") or {}
        for path in paths.values():
            if "[" in str(path) or "*" in str(path):
                raise NotImplementedHere(f"the path {path} of an event rule's input transformer")


def roles_passed(targets: Iterable[Target]) -> list[Call]:
    """What a program needs to be allowed to hand its targets' roles to EventBridge.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """
    roles = dict.fromkeys(str(target["RoleArn"]) for target in targets if target.get("RoleArn"))
    return [Call("iam:PassRole", role, {"iam:PassedToService": SERVICE}) for role in roles]
