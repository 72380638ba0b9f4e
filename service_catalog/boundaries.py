"""Which permissions boundaries a launch may put on the roles of its project, besides the account's own."""

import re
from collections.abc import Mapping, Sequence

from botocore.exceptions import ClientError

from service_catalog.errors import PublishError, code_of
from service_catalog.stacks import Say
from service_catalog.target import Target

PARAMETER = "AllowedPermissionsBoundaries"
"""Of cloudformation/account-setup.yaml, which takes the same ARNs."""
_POLICY_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d{12}):policy/(?:[\w+=.@-]+/)*[\w+=.@-]{1,128}", re.ASCII
)


def allowed_boundaries(target: Target, arns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Each once. Raises PublishError for what is no policy of the account; what is allowed has to be there."""
    if arns is None:
        return None
    for arn in arns:
        found = _POLICY_ARN.fullmatch(arn)
        if found is None:
            raise PublishError(
                f"{arn!r} is not the ARN of a policy of yours, as in arn:{target.partition}:iam::{target.account}:"
                "policy/NAME. It is compared letter by letter, so a wildcard would allow nothing."
            )
        if found["account"] != target.account or found["partition"] != target.partition:
            raise PublishError(
                f"{arn} belongs to another account than the one published to ({target.account} in {target.partition}), "
                "and a boundary has to be a policy of the same account. Check --profile, or the policy's ARN."
            )
        try:
            target.client("iam").get_policy(PolicyArn=arn)
        except ClientError as error:
            if code_of(error) == "NoSuchEntity":
                raise PublishError(f"There is no policy {arn} in the account; make it first.") from error
            raise
    return tuple(dict.fromkeys(arns))


def no_longer_allowed(before: Mapping[str, str], after: Mapping[str, str], say: Say) -> None:
    """Warn of boundaries that are taken from the list: a project that has one can be deleted, but not updated."""
    taken = set(before.get(PARAMETER, "").split(",")) - set(after.get(PARAMETER, before.get(PARAMETER, "")).split(","))
    for arn in sorted(taken - {""}):
        say(f"WARNING {arn} is no longer allowed as a boundary: projects that have it cannot be updated any more")
