"""Where to publish: which account, which region, and as whom."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import boto3
import botocore.session
from botocore.exceptions import ProfileNotFound, UnknownRegionError

from service_catalog.errors import NO_REGION, PublishError

Client: TypeAlias = Any
"""A boto3 client. boto3 makes its methods at run time, from the service's model."""

_ROLE_ARN = re.compile(r"arn:(?P<partition>[a-z-]+):iam::(?P<account>\d{12}):role/(?:.+/)?(?P<name>[\w+=,.@-]{1,64})")
_SESSION_ARN = re.compile(r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/")


@dataclass(frozen=True)
class Target:
    """An account and region that credentials were found for. ``caller`` is the ARN of those credentials."""

    session: boto3.Session
    account: str
    region: str
    partition: str
    dns_suffix: str
    caller: str

    def client(self, service: str) -> Client:
        """A boto3 client of this account and region, with boto3's own configuration (endpoints, proxies, retries)."""
        make = cast(Callable[..., Client], self.session.client)  # its stub knows literal service names only
        return make(service, region_name=self.region)

    def role_arn(self, name: str) -> str:
        """The ARN of a role of this account that lies at the path ``/``."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


@dataclass(frozen=True)
class StudioRole:
    """An execution role that people use SageMaker Studio with."""

    arn: str
    name: str


def find_target(profile: str | None = None, region: str | None = None) -> Target:
    """Ask AWS who we are. Raises PublishError without a region or for an unknown profile, else boto3's own errors."""
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as unknown:
        known = ", ".join(boto3.Session().available_profiles) or "none"
        raise PublishError(f"There is no AWS profile named {profile!r} here. Known profiles: {known}.") from unknown
    where = session.region_name
    if not where:
        raise PublishError(NO_REGION)
    try:
        partition = session.get_partition_for_region(where)
    except UnknownRegionError as unknown:
        raise PublishError(f"{where!r} is not the name of an AWS region, as in --region eu-west-1.") from unknown
    identity = session.client("sts", region_name=where).get_caller_identity()
    return Target(
        session=session,
        account=identity["Account"],
        region=where,
        partition=partition,
        dns_suffix=_dns_suffix(partition),
        caller=identity["Arn"],
    )


def _dns_suffix(partition: str) -> str:
    """What the names of a partition's services end in, e.g. ``amazonaws.com``; from botocore's own data."""
    known = botocore.session.get_session().get_data("partitions")["partitions"]
    return next(str(entry["outputs"]["dnsSuffix"]) for entry in known if entry["id"] == partition)


def studio_role(arn: str, target: Target) -> StudioRole:
    """Read the ARN of a Studio execution role. Raises PublishError when it is not a role's or not this account's."""
    if _SESSION_ARN.match(arn):
        raise PublishError(f"{arn} is a session, not a role. Give the role's own ARN: arn:aws:iam::ACCOUNT:role/NAME.")
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise PublishError(f"{arn!r} is not the ARN of a role, as in arn:aws:iam::{target.account}:role/NAME.")
    if match["account"] != target.account or match["partition"] != target.partition:
        raise PublishError(
            f"{arn} belongs to another account than the one published to ({target.account} in {target.partition}). "
            "Check --profile, or the role's ARN."
        )
    return StudioRole(arn, match["name"])
