"""What EventBridge refuses of a rule before it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.event_targets import refuse_unplayed

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

INVOKED_WITH_A_ROLE = {"codepipeline", "sagemaker", "states"}
"""Targets that let EventBridge in through a role only.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
"""


def check_targets(request: ResourceRequest) -> None:
    """Raise ValidationException, in the words of PutTargets, for a target that lacks the role it is invoked with;
    NotImplementedHere for what nobody plays of one.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    """
    if request.type_name != "AWS::Events::Rule":
        return
    for target in request.properties.get("Targets") or []:
        arn = str(target.get("Arn", ""))
        parts = arn.split(":")
        if len(parts) > 2 and parts[2] in INVOKED_WITH_A_ROLE and not target.get("RoleArn"):
            raise AwsError("ValidationException", f"RoleArn is required for target {arn}.")
    refuse_unplayed(request.properties.get("Targets") or [])
