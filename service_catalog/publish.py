"""Publishing, in four verbs: pack, upload, set up the account, reveal.

Publishing the same content again changes nothing. Publishing other content adds a version and keeps the earlier ones:
each version's template and archives lie in the seed bucket under the hash of their content.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from botocore.exceptions import ClientError

from service_catalog.boundaries import PARAMETER as BOUNDARIES
from service_catalog.boundaries import allowed_boundaries, no_longer_allowed
from service_catalog.catalog import PRODUCT_NAME, STACK, Catalog, Version, read_catalog, synthesise
from service_catalog.errors import PublishError, code_of, message_of
from service_catalog.package import ACCOUNT_TEMPLATE, PROJECT_TEMPLATE, Package, other_content, pack_all
from service_catalog.releases import read_release
from service_catalog.s3_templates import S3Templates
from service_catalog.seed_bucket import SeedBucket
from service_catalog.stacks import Say, Stacks
from service_catalog.target import StudioRole, Target, studio_role

SERVICE_CATALOG, S3 = "service-catalog", "s3"
"""The two ways to offer the template. What people launch is the same."""
ACCOUNT_STACK = "mlops-account-setup"
ROLES_STACK = "mlops-project-roles"
LAUNCH_ROLE = "MLOpsProjectLaunchRole"

# Service Catalog lets the launch role read a version's template and archives because of this tag:
# https://docs.aws.amazon.com/servicecatalog/latest/adminguide/constraints-launch.html
_READABLE_AT_LAUNCH = {"servicecatalog:provisioning": "true"}


@dataclass(frozen=True)
class Settings:
    """What to publish, and to whom.

    ``root`` is this repository's folder. A ``release`` is published as it was frozen; without one, what the working
    tree holds. ``publishers`` are SERVICE_CATALOG, S3, or both; ``domain_ids`` the Studio domains that show what lies
    in S3, to be named where there are several. With ``roles_ahead`` S3 offers the template without any role, and the
    roles are made now. No ``studio_role_arns`` means the roles published to last time, and neither
    ``approver_role_arns`` nor ``users_may_approve`` what the account was set up with. ``allowed_boundary_arns`` are all
    the boundaries that a launch may choose besides the account's own; None leaves them as they are.
    ``poll_seconds`` is the longest pause between two looks at a stack.
    """

    root: Path
    release: str = ""
    publishers: tuple[str, ...] = (SERVICE_CATALOG,)
    domain_ids: tuple[str, ...] = ()
    studio_role_arns: tuple[str, ...] = ()
    approver_role_arns: tuple[str, ...] = ()
    users_may_approve: bool | None = None
    allowed_boundary_arns: tuple[str, ...] | None = None
    set_up_account: bool = True
    roles_ahead: bool = False
    poll_seconds: float = 2.0


@dataclass(frozen=True)
class Published:
    """What people find after publishing. ``new`` is false when this version was there already.

    ``portfolio_id`` and ``product_id`` are Service Catalog's, ``template_url`` is S3's; each is empty without it.
    """

    version: str
    new: bool
    portfolio_id: str = ""
    product_id: str = ""
    template_url: str = ""


def publish(target: Target, settings: Settings, say: Say = print) -> Published:
    """Publish the template to an account, saying each thing done.

    Raises PublishError and SeedError for what a person can mend, and boto3's errors as they are.
    """
    stacks = Stacks(target.client("cloudformation"), _indented(say), settings.poll_seconds)
    bucket = SeedBucket(target)
    before = read_catalog(stacks.template(STACK))
    roles = _studio_roles(target, settings, before, stacks)
    approvers = _approvers(target, settings, roles)
    boundaries = allowed_boundaries(target, settings.allowed_boundary_arns)
    in_s3 = S3Templates(target, bucket) if S3 in settings.publishers else None
    domains = in_s3.domains(settings.domain_ids) if in_s3 else []
    with _verb(say, "1/4", "Pack"):
        package = _package(settings, _indented(say))
        if settings.roles_ahead and package.roles_ahead is None:
            raise PublishError(
                f"Version {package.version} makes no role, so there is none to make ahead. Publish without "
                "--roles-ahead."
            )
        after = _with_version(before, package, bucket.url(package.template_key), roles)
    with ThreadPoolExecutor(1, "synthesis") as meanwhile:  # takes as long as the two verbs that follow
        catalog = None
        if SERVICE_CATALOG in settings.publishers:
            catalog = meanwhile.submit(_synthesised, after, target.role_arn(LAUNCH_ROLE))
        with _verb(say, "2/4", f"Upload to s3://{bucket.name}"):
            _upload(bucket, package, _indented(say))
            _check_template(target, bucket.url(package.template_key))
        with _verb(say, "3/4", f"Set up the account (stack {ACCOUNT_STACK})"):
            people = {**_duties(settings, approvers), "StudioRoleName": ",".join(role.name for role in roles)}
            chosen = people if boundaries is None else {**people, BOUNDARIES: ",".join(boundaries)}
            _set_up_account(target, settings, package, bucket, stacks, chosen, _indented(say))
        where = [f"stack {STACK}"] if catalog else []
        where += [in_s3.location] if in_s3 else []
        with _verb(say, "4/4", f"Reveal version {package.version} ({' and '.join(where)})"):
            published = Published(package.version, new=False)
            if in_s3:  # first, for it may refuse
                new = in_s3.offer(package, domains, _indented(say), roles_ahead=settings.roles_ahead)
                published = replace(published, new=new, template_url=in_s3.url(package.version, settings.roles_ahead))
            if catalog:
                found = _reveal(bucket, stacks, before, after, catalog.result(), package, _indented(say))
                published = replace(found, new=found.new or published.new, template_url=published.template_url)
            return published


def _package(settings: Settings, say: Say) -> Package:
    if settings.release:
        return read_release(settings.root, settings.release, say)
    return pack_all(settings.root, say, roles_ahead=settings.roles_ahead)


def _synthesised(catalog: Catalog, launch_role_arn: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="catalog-") as work:
        return synthesise(catalog, launch_role_arn, Path(work))


def _studio_roles(target: Target, settings: Settings, before: Catalog, stacks: Stacks) -> tuple[StudioRole, ...]:
    arns = tuple(dict.fromkeys(settings.studio_role_arns)) or before.principals or _set_up_for(target, stacks)
    if not arns:
        raise PublishError(
            "Who may launch projects? Pass --studio-role-arn ARN, the execution role of your Studio domain or user: "
            "'aws sagemaker list-domains', then 'aws sagemaker describe-domain --domain-id ID' shows it under "
            "DefaultUserSettings.ExecutionRole."
        )
    roles = tuple(studio_role(arn, target) for arn in arns)
    iam = target.client("iam")
    for role in roles:
        try:
            found = iam.get_role(RoleName=role.name)["Role"]["Arn"]
        except ClientError as error:
            if code_of(error) == "NoSuchEntity":
                raise PublishError(f"There is no role {role.arn} in the account.") from error
            raise
        if found != role.arn:  # Service Catalog would take the wrong path, and Studio would show nothing
            raise PublishError(f"The role {role.name} is {found}, not {role.arn}. Give its ARN with its path.")
    return roles


def _approvers(target: Target, settings: Settings, users: Sequence[StudioRole]) -> tuple[StudioRole, ...]:
    found = tuple(studio_role(arn, target) for arn in dict.fromkeys(settings.approver_role_arns))
    for role in found:
        if not _role_exists(target, role.name):
            raise PublishError(f"There is no role {role.arn} in the account.")
        if role in users and not settings.users_may_approve:
            raise PublishError(
                f"{role.arn} is the role of data scientists, who are denied every approval. Give approvers another "
                "role; or pass --users-may-approve, if people are to approve what they built themselves."
            )
    return tuple(role for role in found if role not in users)  # who launches is named once


def _duties(settings: Settings, approvers: Sequence[StudioRole]) -> dict[str, str]:
    """Who approves, as the account set-up takes it; what was not asked for stays as it is."""
    chosen: dict[str, str] = {}
    if approvers:
        chosen["ApproverRoleName"] = ",".join(role.name for role in approvers)
    if settings.users_may_approve is not None:
        chosen["UsersMayApprove"] = "yes" if settings.users_may_approve else "no"
    return chosen


def _set_up_for(target: Target, stacks: Stacks) -> tuple[str, ...]:
    """The Studio roles that the account was set up for, where Service Catalog does not tell."""
    names = stacks.parameters(ACCOUNT_STACK).get("StudioRoleName", "").split(",")
    iam = target.client("iam")
    return tuple(iam.get_role(RoleName=name)["Role"]["Arn"] for name in names if name)


def _upload(bucket: SeedBucket, package: Package, say: Say) -> None:
    if bucket.ensure():
        say("bucket created: private, versioned, encrypted, TLS only")
    objects = [(archive.key, archive.data, "application/zip") for archive in package.archives]
    objects.append((package.template_key, package.template, "text/yaml"))
    for key, body, content_type in objects:
        stored = bucket.put_once(key, body, content_type, _READABLE_AT_LAUNCH)
        say(f"{'uploaded' if stored else 'already there'}: {key}")


def _check_template(target: Target, url: str) -> None:
    """Raises PublishError for a template that CloudFormation would refuse at every launch."""
    try:
        target.client("cloudformation").validate_template(TemplateURL=url)
    except ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        raise PublishError(
            f"CloudFormation does not accept {PROJECT_TEMPLATE}: {message_of(error)}. Nothing was published: people go "
            "on launching the version before. 'make lint' checks the template on this machine."
        ) from error


def _set_up_account(
    target: Target,
    settings: Settings,
    package: Package,
    bucket: SeedBucket,
    stacks: Stacks,
    given: Mapping[str, str],
    say: Say,
) -> None:
    if not settings.set_up_account:
        say("left as it is (--no-account-setup)")
        return
    # Not taken back by publishing to Service Catalog only: who publishes there may not know of those in S3.
    in_s3 = {"AllowS3Templates": "yes"} if S3 in settings.publishers else {}
    if not package.account_setup:
        source = settings.root / ACCOUNT_TEMPLATE
        raise PublishError(f"{source} is missing: the launch role is made from it. Run this from a full clone.")
    if not stacks.exists(ACCOUNT_STACK) and _role_exists(target, LAUNCH_ROLE):
        raise PublishError(
            f"The role {LAUNCH_ROLE} exists, but no stack {ACCOUNT_STACK} in {target.region}: the account was set up "
            "from another region, and roles belong to all regions. Publish here with --no-account-setup; to let "
            "another Studio role in, publish once more in the region the account was set up from."
        )
    no_longer_allowed(stacks.parameters(ACCOUNT_STACK), given, say)
    bucket.put_once(package.account_setup_key, package.account_setup, "text/yaml")
    done = stacks.deploy(
        ACCOUNT_STACK,
        bucket.url(package.account_setup_key),
        {**given, **in_s3},
        capabilities=("CAPABILITY_NAMED_IAM",),
    )
    if not done.changed:
        say("nothing to change")
    if settings.roles_ahead and package.roles_ahead:
        bucket.put_once(package.roles_ahead.roles_key, package.roles_ahead.roles, "text/yaml")
        url = bucket.url(package.roles_ahead.roles_key)
        stacks.deploy(ROLES_STACK, url, capabilities=("CAPABILITY_NAMED_IAM",))  # its parameters stay as they were
        say(f"roles of projects are made ahead (stack {ROLES_STACK}); all projects that use them share them")
    chosen = stacks.parameters(ACCOUNT_STACK)
    if chosen.get("ApproverRoleName") == "" and chosen.get("UsersMayApprove") == "no":
        say("nobody was named who approves models and production: pass --approver-role-arn ARN, or attach the policy")
        say("MLOpsProjectApprover to a role; --users-may-approve lets data scientists do it: docs/security.md")
    if in_s3:
        say("Studio users may act as the launch role now, with any template: docs/publishing.md says what that means")


def _role_exists(target: Target, name: str) -> bool:
    try:
        target.client("iam").get_role(RoleName=name)
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return False
        raise
    return True


def _with_version(before: Catalog, package: Package, template_url: str, roles: Sequence[StudioRole]) -> Catalog:
    """The catalog with this version added at the end. Versions published before stay, word for word."""
    versions = before.versions
    taken = {version.name: version.template_url for version in versions}
    if taken.get(package.version, template_url) != template_url:
        raise other_content(package.version, taken[package.version])
    if package.version not in taken:
        versions = (*versions, Version(package.version, template_url, package.description))
    return replace(before, versions=versions, principals=tuple(role.arn for role in roles))


def _reveal(
    bucket: SeedBucket, stacks: Stacks, before: Catalog, after: Catalog, template: bytes, package: Package, say: Say
) -> Published:
    new = after.versions != before.versions
    if not new:
        say(f"version {package.version} is already published")
        if after.versions[-1].name != package.version:
            say(f"WARNING it is not the newest: Studio offers {after.versions[-1].name}")
    for arn in before.principals:
        if arn not in after.principals:
            say(f"WARNING {arn} may no longer launch projects: it was not named this time")
    key = f"template/catalog-{hashlib.sha256(template).hexdigest()}.json"
    bucket.put_once(key, template, "application/json")
    done = stacks.deploy(STACK, bucket.url(key))
    if not done.changed:
        say("nothing to change")
    return Published(package.version, new, done.outputs["PortfolioId"], done.outputs["ProductId"])


def where_to_click(published: Published, target: Target) -> list[str]:
    """The last lines: what was published and where people find it."""
    menu = "  In SageMaker Studio: Deployments > Projects > Create project > Organization templates >"
    lines = [f"{'Published' if published.new else 'Already published:'} version {published.version}"]
    if published.template_url:
        lines.append(f"  template {published.template_url}, role {target.role_arn(LAUNCH_ROLE)}")
        lines.append(f"{menu} S3 templates")
    if published.product_id:
        lines.append(
            f"  portfolio {published.portfolio_id}, product {published.product_id}, "
            f"account {target.account}, region {target.region}"
        )
        lines.append(f"{menu} “{PRODUCT_NAME}”")
    return lines


@contextmanager
def _verb(say: Say, number: str, title: str) -> Iterator[None]:
    say(f"{number} {title}")
    started = time.monotonic()
    yield
    say(f"    done in {time.monotonic() - started:.1f} s")


def _indented(say: Say) -> Say:
    return lambda line: say(f"    {line}")
