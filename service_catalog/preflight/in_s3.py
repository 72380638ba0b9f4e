"""What launches from templates in S3 need besides: the templates, where Studio looks, and who may read and launch."""

import json
import re
from collections.abc import Iterator

from seed_code.made_ahead import PREFIX
from service_catalog.preflight import Check, Finding
from service_catalog.preflight.asking import Account, Answer, WaitsForAnother
from service_catalog.preflight.published import KEY, PROVISIONING, RESTORE, SET_UP
from service_catalog.publish import LAUNCH_ROLE, ROLES_STACK
from service_catalog.s3_templates import LOCATION_TAG, ROLES_AHEAD
from service_catalog.s3_templates import PREFIX as PLACE
from service_catalog.seed_bucket import STUDIO_PAGE, SeedBucket

USER_POLICY = "policy/MLOpsProjectS3Launch"
"""As `cloudformation/account-setup.yaml` names it."""
CLOUDFORMATION = "cloudformation.amazonaws.com"
_VISIBLE = {"Key": "sagemaker:studio-visibility", "Value": "true"}
_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
_ROLE = re.compile(r"\$\{RolePrefix\}-(\w+)")
_PUBLISH = "make publish TARGET=s3"


def templates(account: Account) -> Iterator[Finding]:
    """The newest template is there with every archive that it names, and Studio and a launch may read them."""
    newest = _newest(account)
    if newest is None:
        yield Finding(f"No template lies in s3://{_bucket(account)}/{PLACE}: nothing is published to S3.", _PUBLISH)
        return
    key = str(newest["Key"])
    for tag in (_VISIBLE, PROVISIONING):
        if tag not in _tags(account, key):
            yield Finding(
                f"s3://{_bucket(account)}/{key} lacks the tag {tag['Key']}={tag['Value']}: Studio does not show it, or "
                "no launch may read it.",
                f"'{_PUBLISH}' for a further version, or give it back both: 'aws s3api put-object-tagging --bucket "
                f'{_bucket(account)} --key {key} --tagging "TagSet=[{{Key={_VISIBLE["Key"]},Value=true}},'
                f"{{Key={PROVISIONING['Key']},Value=true}}]\"'",
            )
    for named in dict.fromkeys(KEY.findall(_text(account, key))):
        if account.look_up("s3", "head_object", _MISSING, Bucket=_bucket(account), Key=named) is None:
            yield Finding(f"s3://{_bucket(account)}/{named} is missing; the template {key} is made from it.", RESTORE)


def place(account: Account) -> Iterator[Finding]:
    """A Studio domain shows the templates."""
    wanted, shown = f"s3://{_bucket(account)}/{PLACE}", {}
    for each in account.ask_all("sagemaker", "list_domains", "Domains"):
        tags = account.ask_all("sagemaker", "list_tags", "Tags", ResourceArn=each["DomainArn"])
        shown[each["DomainId"]] = next((tag["Value"] for tag in tags if tag["Key"] == LOCATION_TAG), "no place")
    if wanted not in shown.values():
        told = ", ".join(f"{name} shows {where}" for name, where in shown.items()) or "there is none"
        yield Finding(
            f"No Studio domain shows {wanted}: {told}.",
            f"'{_PUBLISH}' tags it; --domain-id ID where there are several.",
        )


def browser(account: Account) -> Iterator[Finding]:
    """Studio's web page may read the bucket."""
    absent = ("NoSuchCORSConfiguration", "NoSuchBucket")
    answer = account.look_up("s3", "get_bucket_cors", absent, Bucket=_bucket(account))
    if not any(each.get("ID") == STUDIO_PAGE["ID"] for each in (answer or {}).get("CORSRules", [])):
        yield Finding(
            f"s3://{_bucket(account)} does not answer Studio's web page (CORS): it shows no template.", _PUBLISH
        )


def launching(account: Account) -> Iterator[Finding]:
    """CloudFormation may take the launch role, and those who launch may read the templates and hand the role over."""
    found = account.look_up("iam", "get_role", ("NoSuchEntity",), RoleName=LAUNCH_ROLE)
    if found is None:
        raise WaitsForAnother("there is no launch role")
    if CLOUDFORMATION not in json.dumps(found["Role"]["AssumeRolePolicyDocument"]):
        yield Finding(
            f"CloudFormation may not take the launch role {LAUNCH_ROLE}: the account is set up for Service Catalog "
            "only.",
            f"'{_PUBLISH}' sets it up for S3. {SET_UP}",
        )
    arn = f"arn:{account.target.partition}:iam::{account.target.account}:{USER_POLICY}"
    for role in account.roles:
        name = role.rpartition("/")[2]
        listed = ("iam", "list_attached_role_policies", "AttachedPolicies")
        if arn not in {each["PolicyArn"] for each in account.ask_all(*listed, RoleName=name)}:
            yield Finding(
                f"The role {role} lacks the policy {arn}: its users can neither read the templates nor launch them.",
                f"'{_PUBLISH}' for it, or 'aws iam attach-role-policy --role-name {name} --policy-arn {arn}'.",
            )


def roles_ahead(account: Account) -> Iterator[Finding]:
    """Where the newest template takes roles that are there already: they are there."""
    newest = _newest(account)
    if newest is None:
        raise WaitsForAnother("nothing is published to S3")
    if ROLES_AHEAD not in newest["Key"]:
        return
    names = sorted({f"{PREFIX}-{each}" for each in _ROLE.findall(_text(account, str(newest["Key"])))})
    missing = [each for each in names if account.look_up("iam", "get_role", ("NoSuchEntity",), RoleName=each) is None]
    if missing:
        yield Finding(
            f"{len(missing)} of the {len(names)} roles that projects take are missing: {', '.join(missing)}.",
            f"'make publish TARGET=s3 ARGS=--roles-ahead' makes them (stack {ROLES_STACK}).",
        )


def _bucket(account: Account) -> str:
    return SeedBucket(account.target).name


def _newest(account: Account) -> Answer | None:
    found = account.look_up("s3", "list_objects_v2", _MISSING, Bucket=_bucket(account), Prefix=PLACE) or {}
    return max(found.get("Contents", []), key=lambda each: each["LastModified"], default=None)


def _tags(account: Account, key: str) -> list[Answer]:
    answer = account.ask("s3", "get_object_tagging", Bucket=_bucket(account), Key=key)
    tags: list[Answer] = answer["TagSet"]
    return tags


def _text(account: Account, key: str) -> str:
    return str(account.ask("s3", "get_object", Bucket=_bucket(account), Key=key)["Body"].read().decode())


CHECKS = (
    Check("templates in S3", templates),
    Check("place where Studio looks", place),
    Check("Studio's web page", browser),
    Check("rights to launch from S3", launching),
    Check("roles made ahead", roles_ahead),
)
