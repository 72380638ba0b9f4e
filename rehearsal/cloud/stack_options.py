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
KEEPING = {"DisableRollback": "true", "OnFailure": "DO_NOTHING", "OnStackFailure": "DO_NOTHING"}
"""Options that keep what was made before a failure, and with which value they do."""
CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


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


def has_custom_resources(template: str) -> bool:
    """Whether a template names a type of custom resources."""
    return any(kind in template for kind in CUSTOM)


def refuse_keeping(form: Mapping[str, str], *, custom: bool) -> None:
    """Raise NotImplementedHere for an operation that would keep a custom resource that failed.

    AWS keeps it for the stack's next operation, which deletes it; here it is deleted as soon as it failed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
    """
    for option, value in KEEPING.items():
        if custom and form.get(option, "").lower() == value.lower():
            raise NotImplementedHere(f"{option} of a stack with custom resources")
