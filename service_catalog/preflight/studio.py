"""Who launches, from which Studio, with which connection and which machines."""

import json
from collections.abc import Iterator

from checks.template_file import walk
from pricing import PriceError
from pricing.consumption import STAGES, fleet, jobs
from service_catalog.errors import PublishError
from service_catalog.preflight import Check, Finding
from service_catalog.preflight.asking import Account, NotChecked, WaitsForAnother, policy_document
from service_catalog.target import studio_role

STUDIO = "sagemaker.amazonaws.com"
_CONNECTIONS = {"AWS::CodeConnections::Connection", "AWS::CodeStarConnections::Connection", "CodeStarSourceConnection"}
_TAG = {"Key": "sagemaker", "Value": "true"}
"""The roles that AWS makes for projects may use connections with this tag only."""


def roles(account: Account) -> Iterator[Finding]:
    """The roles whose users launch are there, and SageMaker may take them."""
    if not account.roles:
        yield Finding(
            "Nobody may launch projects: no Studio role was named.",
            "Pass --studio-role-arn ARN, the execution role of the Studio domain: 'aws sagemaker list-domains', then "
            "'aws sagemaker describe-domain --domain-id ID'.",
        )
    for arn in account.roles:
        try:
            role = studio_role(arn, account.target)
        except PublishError as wrong:
            yield Finding(str(wrong), "Pass the right one: --studio-role-arn ARN.")
            continue
        found = account.look_up("iam", "get_role", ("NoSuchEntity",), RoleName=role.name)
        if found is None:
            yield Finding(f"There is no role {arn}.", "Create it, or pass another one: --studio-role-arn ARN.")
        elif found["Role"]["Arn"] != arn:
            yield Finding(f"The role {role.name} is {found['Role']['Arn']}, not {arn}.", "Give its ARN with its path.")
        elif STUDIO not in json.dumps(policy_document(found["Role"]["AssumeRolePolicyDocument"])):
            yield Finding(
                f"SageMaker may not take the role {arn}: its trust policy does not name {STUDIO}.",
                f"Let {STUDIO} assume it (IAM > Roles > {role.name} > Trust relationships).",
            )


def domain(account: Account) -> Iterator[Finding]:
    """There is a Studio domain, and its users have a role that may launch."""
    domains = account.ask_all("sagemaker", "list_domains", "Domains")
    ready = [each for each in domains if each["Status"] == "InService"]
    if not ready:
        states = ", ".join(f"{each['DomainId']} is {each['Status']}" for each in domains) or "there is none"
        yield Finding(
            f"No Studio domain is in service in {account.target.region}: {states}.",
            "Set one up: SageMaker AI > Domains > Create domain. Domains are regional: --region names another region.",
        )
        return
    if not account.roles:
        raise WaitsForAnother("no Studio role was named")
    used = {}
    for each in ready:
        described = account.ask("sagemaker", "describe_domain", DomainId=each["DomainId"])
        used[described.get("DefaultUserSettings", {}).get("ExecutionRole", "")] = each["DomainId"]
    if not set(used) & set(account.roles) and not _own_roles(account, list(used.values())) & set(account.roles):
        yield Finding(
            f"No user of a Studio domain here has one of the roles that may launch ({', '.join(account.roles)}); the "
            f"domain's own role is {', '.join(filter(None, used)) or 'not set'}.",
            f"Publish for it: --studio-role-arn {next(filter(None, used), 'ARN')}.",
        )


def _own_roles(account: Account, domains: list[str]) -> set[str]:
    """Roles of user profiles that have one of their own."""
    found = set()
    for domain_id in domains:
        for profile in account.ask_all("sagemaker", "list_user_profiles", "UserProfiles", DomainIdEquals=domain_id):
            name = profile["UserProfileName"]
            described = account.ask("sagemaker", "describe_user_profile", DomainId=domain_id, UserProfileName=name)
            found.add(described.get("UserSettings", {}).get("ExecutionRole", ""))
    return found - {""}


def connection(account: Account) -> Iterator[Finding]:
    """Where the template takes code through a connection: one is available and tagged for SageMaker."""
    used = {node for node in walk(account.project.document["Resources"]) if isinstance(node, str)}
    if not used & _CONNECTIONS:
        return
    answer = account.ask("codeconnections", "list_connections")
    found = answer["Connections"]
    while answer.get("NextToken"):
        answer = account.ask("codeconnections", "list_connections", NextToken=answer["NextToken"])
        found += answer["Connections"]
    ready = [each["ConnectionArn"] for each in found if each["ConnectionStatus"] == "AVAILABLE"]
    if not ready:
        waiting = ", ".join(f"{each['ConnectionName']} is {each['ConnectionStatus']}" for each in found)
        yield Finding(
            f"The template takes code through a connection, and none is available: {waiting or 'there is none'}.",
            "Developer Tools > Settings > Connections: create one, or finish the one that is pending.",
        )
        return
    tags = [account.ask("codeconnections", "list_tags_for_resource", ResourceArn=arn)["Tags"] for arn in ready]
    if not any(_TAG in each for each in tags):
        yield Finding(
            f"No available connection carries the tag sagemaker=true, without which AWS's roles may not use "
            f"it: {ready[0]}.",
            f"'aws codeconnections tag-resource --resource-arn {ready[0]} --tags Key=sagemaker,Value=true'",
        )


def quotas(account: Account) -> Iterator[Finding]:
    """The account may run as many instances at once as a deployment beside a training run takes."""
    needed = _machines(account)
    listed = account.ask_all("service-quotas", "list_service_quotas", "Quotas", ServiceCode="sagemaker")
    known = {each["QuotaName"]: each for each in listed}
    for name, count in sorted(needed.items()):
        quota = known.get(name)
        if quota is None:
            raise NotChecked(f"Service Quotas does not list {name!r}; {count} are needed")
        if quota["Value"] < count:
            yield Finding(
                f"The quota {name!r} is {quota['Value']:g} in {account.target.region}; {count} are needed.",
                "'aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code "
                f"{quota['QuotaCode']} --desired-value {count}'; AWS answers in hours or days.",
            )


def _machines(account: Account) -> dict[str, int]:
    """Instances at once, by the name of their quota. While traffic shifts production has two fleets, staging one more.

    https://docs.aws.amazon.com/general/latest/gr/sagemaker.html#limits_sagemaker
    """
    needed: dict[str, int] = {}
    try:
        fleets, started = [fleet(account.root, stage) for stage in STAGES], jobs(account.root)
    except PriceError as unreadable:
        raise NotChecked(str(unreadable)) from unreadable
    for each in fleets:
        if each.mode != "serverless":
            name = f"{each.instance_type} for endpoint usage"
            needed[name] = needed.get(name, 0) + (2 if each.stage == "prod" else 1) * each.least
    for job in started:
        needed[f"{job.instance_type} for {job.kind} job usage"] = job.instances
    return needed


CHECKS = (
    Check("Studio roles", roles),
    Check("Studio domain", domain),
    Check("connection to the repositories", connection),
    Check("quotas of instances", quotas),
)
