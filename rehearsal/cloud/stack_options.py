"""Options of stack operations that the base takes and then forgets: refused by name.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
"""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.cloud.errors import NotImplementedHere

NOT_PLAYED = (
    "NotificationARNs",
    "ResourceTypes",
    "RollbackConfiguration",
    "StackPolicyBody",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "StackPolicyURL",
    "TimeoutInMinutes",
)


def refuse_options(form: Mapping[str, str]) -> None:
    """Raise NotImplementedHere for an option that would change nothing here: stack policies, notifications, time limits
    and alarms of a stack, and restrictions of its types."""
    action = form.get("Action", "")
    if action == "SetStackPolicy":
        raise NotImplementedHere("cloudformation:SetStackPolicy")
    if not action.endswith(("Stack", "ChangeSet")):
        return
    for name in form:
        option = name.partition(".")[0]
        if option in NOT_PLAYED:
            raise NotImplementedHere(f"{option} of cloudformation:{action}")
