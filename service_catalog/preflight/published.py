"""What publishing left is whole: launch role, boundary, product, access, templates and archives."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlparse

from service_catalog.catalog import PRODUCT_NAME
from service_catalog.preflight import Check, Finding
from service_catalog.preflight.asking import Account, WaitsForAnother, policy_document
from service_catalog.publish import ACCOUNT_STACK, LAUNCH_ROLE
from service_catalog.seed_bucket import SeedBucket

BOUNDARY = "policy/sagemaker-projects/MLOpsProjectBoundary"
USER_POLICY = "policy/MLOpsProjectUser"
APPROVER_POLICY = "policy/MLOpsProjectApprover"
ROLES_POLICY, BOUNDARIES_SID = "roles", "CreateOnlyBoundedRoles"
SEPARATED_SID = "LeaveProductionToApprovers"
"""As `cloudformation/account-setup.yaml` names them."""
SET_UP = (
    f"'make publish' sets the account up. Where the stack {ACCOUNT_STACK} stands nonetheless, somebody went past it: "
    f"'aws cloudformation create-change-set --stack-name {ACCOUNT_STACK} --change-set-name repair "
    "--use-previous-template --deployment-mode REVERT_DRIFT --capabilities CAPABILITY_NAMED_IAM', then execute it."
)
RESTORE = (
    "'make publish' from the same commit or release uploads it again; or restore it: the bucket keeps earlier versions."
)
PROVISIONING = {"Key": "servicecatalog:provisioning", "Value": "true"}
KEY = re.compile(r"(?:seed|functions)/[a-z]+-[0-9a-f]{64}\.zip")


def launch_role(account: Account) -> Iterator[Finding]:
    """The role that launches projects is there, and Service Catalog may take it."""
    found = account.look_up("iam", "get_role", ("NoSuchEntity",), RoleName=LAUNCH_ROLE)
    if found is None:
        yield Finding(f"The launch role {LAUNCH_ROLE} is missing: the account is not set up.", SET_UP)
        return
    trust = json.dumps(policy_document(found["Role"]["AssumeRolePolicyDocument"]))
    if "servicecatalog.amazonaws.com" not in trust:
        yield Finding(
            f"Service Catalog may not take the launch role {LAUNCH_ROLE}: its trust policy was changed.", SET_UP
        )


def boundary(account: Account) -> Iterator[Finding]:
    """The boundary that every role of a project has to carry is there, and those that a launch may choose instead."""
    own = _policy(account, BOUNDARY)
    for arn in dict.fromkeys((own, *_allowed_boundaries(account))):
        if account.look_up("iam", "get_policy", ("NoSuchEntity",), PolicyArn=arn) is not None:
            continue
        if arn == own:
            yield Finding(f"The permissions boundary {arn} is missing; no role of a project can be made.", SET_UP)
        else:
            yield Finding(
                f"The permissions boundary {arn}, which launches may choose, is missing: a launch with it fails.",
                "Make the policy, or publish with --allowed-boundary-arn for each of the others "
                "(--no-allowed-boundaries when there is none).",
            )


def _allowed_boundaries(account: Account) -> list[str]:
    """As the launch role has them, which holds in every region. Without the role, a finding of its own, none."""
    asked = {"RoleName": LAUNCH_ROLE, "PolicyName": ROLES_POLICY}
    found = account.look_up("iam", "get_role_policy", ("NoSuchEntity",), **asked)
    for statement in (policy_document(found["PolicyDocument"]) if found else {}).get("Statement", []):
        if statement.get("Sid") == BOUNDARIES_SID:
            named = statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]
            return [named] if isinstance(named, str) else list(named)
    return []


def approvers(account: Account) -> Iterator[Finding]:
    """Somebody may approve models and production, and is not denied it as a data scientist."""
    arn = _policy(account, APPROVER_POLICY)
    if account.look_up("iam", "get_policy", ("NoSuchEntity",), PolicyArn=arn) is None:
        yield Finding(f"The policy {arn} is missing; nobody may approve a model, or production.", SET_UP)
        return
    may = _who_has(account, arn)
    denied = _who_has(account, _policy(account, USER_POLICY)) if _duties_separated(account) else set()
    if may - denied:
        return
    who = f"only {', '.join(sorted(may))}, denied it as data scientists, has it" if may else "nobody has it"
    yield Finding(
        f"No model could be approved, and none go into production: of the policy {arn}, {who}.",
        "'make publish' with --approver-role-arn ARN, a role that is no data scientists'; or --users-may-approve, if "
        "people are to approve what they built themselves.",
    )


def _who_has(account: Account, arn: str) -> set[str]:
    """Names of the roles, users and groups that a policy is attached to; none where there is no such policy."""
    names = {"PolicyRoles": "RoleName", "PolicyUsers": "UserName", "PolicyGroups": "GroupName"}
    if account.look_up("iam", "get_policy", ("NoSuchEntity",), PolicyArn=arn) is None:
        return set()
    asked = {"PolicyArn": arn, "PolicyUsageFilter": "PermissionsPolicy"}
    return {
        f"{name.removesuffix('Name').lower()} {each[name]}"
        for key, name in names.items()
        for each in account.ask_all("iam", "list_entities_for_policy", key, **asked)
    }


def _duties_separated(account: Account) -> bool:
    """Whether the data scientists' policy denies approvals."""
    arn = _policy(account, USER_POLICY)
    found = account.look_up("iam", "get_policy", ("NoSuchEntity",), PolicyArn=arn)
    if found is None:
        return False
    version = found["Policy"]["DefaultVersionId"]
    written = account.ask("iam", "get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return SEPARATED_SID in {each.get("Sid") for each in policy_document(written)["Statement"]}


def user_rights(account: Account) -> Iterator[Finding]:
    """Those who launch have the rights of a project's users."""
    arn = _policy(account, USER_POLICY)
    for role in account.roles:
        name = role.rpartition("/")[2]
        absent = ("NoSuchEntity",)
        if account.look_up("iam", "get_role", absent, RoleName=name) is None:
            raise WaitsForAnother(f"there is no role {name}")
        attached = account.ask_all("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        if arn not in {each["PolicyArn"] for each in attached}:
            yield Finding(
                f"The role {role} lacks the policy {arn}: its users can neither launch nor open a project.",
                f"'make publish' for it, or 'aws iam attach-role-policy --role-name {name} --policy-arn {arn}'.",
            )


def product(account: Account) -> Iterator[Finding]:
    """The product stands in its portfolio, Studio shows it, and it is launched with the launch role."""
    if not account.outputs:
        where = f"account {account.target.account}, {account.target.region}"
        yield Finding(f"Nothing is published in {where}.", "make publish")
        return
    portfolio, product_id = account.outputs["PortfolioId"], account.outputs["ProductId"]
    gone = ("ResourceNotFoundException",)
    found = account.look_up("servicecatalog", "describe_product_as_admin", gone, Id=product_id)
    if found is None:
        yield Finding(f"The product “{PRODUCT_NAME}” ({product_id}) was deleted.", _ANEW)
        return
    if {"Key": "sagemaker:studio-visibility", "Value": "true"} not in found.get("Tags", []):
        yield Finding(
            f"The product {product_id} lacks the tag sagemaker:studio-visibility=true: Studio does not show it.",
            f"'aws servicecatalog update-product --id {product_id} --add-tags "
            "Key=sagemaker:studio-visibility,Value=true'",
        )
    listed = account.ask_all(
        "servicecatalog",
        "list_constraints_for_portfolio",
        "ConstraintDetails",
        PortfolioId=portfolio,
        ProductId=product_id,
    )
    if not any(each["Type"] == "LAUNCH" for each in listed):
        yield Finding(
            f"The product {product_id} has no launch constraint: a launch would need rights that nobody has.",
            f"'aws servicecatalog create-constraint --portfolio-id {portfolio} --product-id {product_id} --type LAUNCH "
            f'--parameters {{"RoleArn":"{account.target.role_arn(LAUNCH_ROLE)}"}}\'',
        )


def access(account: Account) -> Iterator[Finding]:
    """The portfolio is open to those who launch."""
    if not account.outputs:
        raise WaitsForAnother("nothing is published here yet")
    portfolio = account.outputs["PortfolioId"]
    open_to = account.ask_all("servicecatalog", "list_principals_for_portfolio", "Principals", PortfolioId=portfolio)
    allowed = {each["PrincipalARN"] for each in open_to}
    for role in account.roles:
        if role not in allowed:
            yield Finding(
                f"The portfolio {portfolio} is not open to {role}: its users do not see the template.",
                f"'make publish' with --studio-role-arn for it and for each other role. Published to it already: 'aws "
                f"servicecatalog associate-principal-with-portfolio --portfolio-id {portfolio} --principal-arn {role} "
                "--principal-type IAM'.",
            )


def objects(account: Account) -> Iterator[Finding]:
    """The newest version's template and every archive that it names are there, and readable for the launch role."""
    if not account.catalog.versions:
        raise WaitsForAnother("no version is published")
    version = account.catalog.versions[-1]
    bucket = SeedBucket(account.target).name
    missing = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
    key = urlparse(version.template_url).path.lstrip("/")
    template = account.look_up("s3", "get_object", missing, Bucket=bucket, Key=key)
    if template is None:
        yield Finding(f"s3://{bucket}/{key} is missing, the template of version {version.name}.", RESTORE)
        return
    text = template["Body"].read().decode()
    for named in (key, *dict.fromkeys(KEY.findall(text))):
        if account.look_up("s3", "head_object", missing, Bucket=bucket, Key=named) is None:
            yield Finding(f"s3://{bucket}/{named} is missing; version {version.name} is made from it.", RESTORE)
            continue
        tags = account.ask("s3", "get_object_tagging", Bucket=bucket, Key=named)["TagSet"]
        if PROVISIONING not in tags:
            tag = "TagSet=[{Key=servicecatalog:provisioning,Value=true}]"
            yield Finding(
                f"s3://{bucket}/{named} lacks the tag servicecatalog:provisioning=true: no launch may read it.",
                f"'aws s3api put-object-tagging --bucket {bucket} --key {named} --tagging \"{tag}\"'",
            )


_ANEW = "'make teardown' takes down what is left of the catalog (no project may live), then 'make publish'."


def _policy(account: Account, name: str) -> str:
    return f"arn:{account.target.partition}:iam::{account.target.account}:{name}"


SET_UP_CHECKS = (
    Check("launch role", launch_role),
    Check("permissions boundary", boundary),
    Check("rights of the Studio roles", user_rights),
    Check("somebody who approves", approvers),
)
CHECKS = (
    Check("product in Service Catalog", product),
    Check("portfolio open to the Studio roles", access),
    Check("templates and archives", objects),
)
