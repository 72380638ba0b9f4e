"""Command line: ``python -m service_catalog`` with a verb: what is published, and what becomes of it."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from seed_code import SeedError
from service_catalog.errors import PublishError, explain
from service_catalog.freeze import freeze
from service_catalog.project_update import LaunchedProject
from service_catalog.publish import S3, SERVICE_CATALOG, Settings, publish, where_to_click
from service_catalog.seed_update import SeedUpdates
from service_catalog.target import Target, find_target
from service_catalog.teardown import Teardown

BOTH = "both"
ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 it cannot be done, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return _VERBS[options.verb](options)
    except (PublishError, SeedError) as error:
        return _refuse(str(error), options.verb)
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        return _refuse(explain(error), options.verb)
    except KeyboardInterrupt:
        again = "run it again" if options.verb == "teardown" else "publish again"
        print(f"\nInterrupted. What CloudFormation has begun it finishes by itself; {again} at any time.")
        return 130


def _preflight(options: argparse.Namespace) -> int:
    # Imported late: reading templates takes half a second to import, and --help has no use for it.
    from service_catalog.preflight import checks, run
    from service_catalog.preflight.asking import Account

    target = find_target(options.profile, options.region)
    print(f"Looking at account {target.account} in {target.region}, as {target.caller}", flush=True)
    wanted = checks(service_catalog=options.target != S3, s3=options.target != SERVICE_CATALOG)
    report = run(Account(target, ROOT, tuple(options.studio_role_arn)), wanted)
    print("\n".join(report.lines()), flush=True)
    return report.status


def _stopped_before_publishing(target: Target) -> bool:
    """Make the checks that publishing needs; says what they found, and what could not be checked."""
    from service_catalog.preflight import checks, run  # late, as above
    from service_catalog.preflight.asking import Account

    report = run(Account(target, ROOT), (each for each in checks() if each.before_publishing))
    if report.findings or report.not_checked:
        told = [line for each in report.results if each.findings or each.reason for line in each.lines()]
        print("\n".join(told), flush=True)
    return bool(report.findings)


def _release(options: argparse.Namespace) -> int:
    new = freeze(ROOT, options.version, say=lambda line: print(line, flush=True))
    print(f"Released {options.version}." if new else f"{options.version} is released already, with this very content.")
    return 0


def _publish(options: argparse.Namespace) -> int:
    if options.roles_ahead and options.target == SERVICE_CATALOG:
        return _refuse("--roles-ahead is for templates in S3: add --target s3 or --target both.")
    chosen = (options.approver_role_arn or None, options.users_may_approve, options.allowed_boundary_arn)
    if not options.account_setup and any(each is not None for each in chosen):
        return _refuse(
            "--no-account-setup leaves the account as it is: who approves, and which boundaries are allowed, is for "
            "the one who sets it up."
        )
    target = find_target(options.profile, options.region)
    print(f"Publishing to account {target.account} in {target.region}, as {target.caller}", flush=True)
    if _stopped_before_publishing(target):
        return _refuse("Nothing was published. Mend what stands above, then publish again.")
    if not options.yes and not _agreed(target):
        return _refuse("Nothing was published.")
    settings = Settings(
        root=ROOT,
        release=options.release,
        publishers=(SERVICE_CATALOG, S3) if options.target == BOTH else (options.target,),
        domain_ids=tuple(options.domain_id),
        studio_role_arns=tuple(options.studio_role_arn),
        approver_role_arns=tuple(options.approver_role_arn),
        users_may_approve=options.users_may_approve,
        allowed_boundary_arns=None if options.allowed_boundary_arn is None else tuple(options.allowed_boundary_arn),
        set_up_account=options.account_setup,
        roles_ahead=options.roles_ahead,
        poll_seconds=options.poll_seconds,
    )
    published = publish(target, settings, say=lambda line: print(line, flush=True))
    print("\n".join(where_to_click(published, target)), flush=True)
    return 0


def _update_project(options: argparse.Namespace) -> int:
    target = find_target(options.profile, options.region)
    project = LaunchedProject(target, options.project)
    changed = project.update(options.version, lambda line: print(line, flush=True), options.poll_seconds)
    print(f"{project.name} is updated." if changed else f"{project.name} has that version already.")
    return 0


def _seed_update(options: argparse.Namespace) -> int:
    target = find_target(options.profile, options.region)
    say = functools.partial(print, flush=True)
    SeedUpdates(target, ROOT, LaunchedProject(target, options.project), say).propose(options.version)
    return 0


def _teardown(options: argparse.Namespace) -> int:
    target = find_target(options.profile, options.region)
    print(f"Looking at account {target.account} in {target.region}, as {target.caller}", flush=True)
    teardown = Teardown(target, say=lambda line: print(line, flush=True), poll_seconds=options.poll_seconds)
    print("\n".join(teardown.listing()), flush=True)
    if options.dry_run or teardown.holdings.nothing:
        return 0
    if not teardown.holdings.living and not options.yes and not _typed(target):
        return _refuse("Nothing was removed. Type the account's number when asked, or pass --yes.", options.verb)
    teardown.remove()
    print(f"Removed. What publishing left in {target.account}, {target.region} is gone, but for what is kept above.")
    return 0


def _typed(target: Target) -> bool:
    """Whether a person at a terminal means this account. Nothing comes back, so a script says --yes."""
    if not sys.stdin.isatty():
        return False
    asked = f"Remove all of it? Nothing brings it back. Type the account's number ({target.account}) to go on: "
    return input(asked).strip() == target.account


def _agreed(target: Target) -> bool:
    """Ask a person at a terminal; a script has said which account it means by its credentials."""
    if not sys.stdin.isatty():
        return True
    return input(f"Publish to {target.account} in {target.region}? [y/N] ").strip().lower() in {"y", "yes"}


def _refuse(why: str, verb: str = "publish") -> int:
    print(f"\n{verb}: {why}", file=sys.stderr, flush=True)
    return 1


_VERBS = {
    "preflight": _preflight,
    "release": _release,
    "publish": _publish,
    "update-project": _update_project,
    "seed-update": _seed_update,
    "teardown": _teardown,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service_catalog", description="Release the project template, publish it, or take it down."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    release_verb = verbs.add_parser(
        "release",
        help="freeze what is committed under a number",
        description=(
            "Freezes template, archives and account set-up of the last commit in releases/, and gives what the "
            "changelog says under Unreleased that number. Nothing leaves this machine."
        ),
    )
    release_verb.add_argument("version", help="three numbers, as in 1.2.0")
    preflight_verb = verbs.add_parser(
        "preflight",
        help="check what usually keeps a launch from working, and say the fix",
        description=(
            "Looks at an account and region and changes nothing. Exit status 0: a launch would work; 1: it would not, "
            "each finding has its fix; 2: nothing was found, but something could not be checked."
        ),
    )
    _add_target(preflight_verb)
    preflight_verb.add_argument(
        "--studio-role-arn",
        action="append",
        default=[],
        metavar="ARN",
        help="execution role whose users are to launch; may be repeated (default: as published)",
    )
    preflight_verb.add_argument(
        "--target",
        choices=(SERVICE_CATALOG, S3, BOTH),
        default=SERVICE_CATALOG,
        help="where people launch from (default: service-catalog)",
    )
    publish_verb = verbs.add_parser(
        "publish",
        help="pack the seeds, set up the account, and offer the template in Service Catalog or S3",
        description=(
            "Says which account and region first, then packs, uploads, sets up the account and reveals the version. "
            "Publishing the same content again changes nothing; other content becomes a further version."
        ),
    )
    _add_target(publish_verb)
    publish_verb.add_argument(
        "--release",
        default="",
        metavar="VERSION",
        help="publish this release as it was frozen (default: what the working tree holds)",
    )
    publish_verb.add_argument(
        "--target",
        choices=(SERVICE_CATALOG, S3, BOTH),
        default=SERVICE_CATALOG,
        help="where people launch it from (default: service-catalog)",
    )
    publish_verb.add_argument(
        "--domain-id",
        action="append",
        default=[],
        metavar="ID",
        help="Studio domain that shows what lies in S3; may be repeated (default: the only one there is)",
    )
    publish_verb.add_argument(
        "--studio-role-arn",
        action="append",
        default=[],
        metavar="ARN",
        help="execution role whose users may launch projects; may be repeated (default: as published last time)",
    )
    publish_verb.add_argument(
        "--approver-role-arn",
        action="append",
        default=[],
        metavar="ARN",
        help="role whose users approve models and production; may be repeated (default: as published last time)",
    )
    publish_verb.add_argument(
        "--users-may-approve",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether data scientists approve what they built themselves (default: as last time; at first, no)",
    )
    boundaries = publish_verb.add_mutually_exclusive_group()
    boundaries.add_argument(
        "--allowed-boundary-arn",
        action="append",
        metavar="ARN",
        help="policy that a launch may choose as permissions boundary; may be repeated (default: as last time)",
    )
    boundaries.add_argument(
        "--no-allowed-boundaries",
        dest="allowed_boundary_arn",
        action="store_const",
        const=[],
        help="launches may choose no boundary: every role carries the account's own",
    )
    publish_verb.add_argument(
        "--no-account-setup",
        dest="account_setup",
        action="store_false",
        help="use the launch role as it is: the account was set up by somebody else, or from another region",
    )
    publish_verb.add_argument(
        "--roles-ahead",
        action="store_true",
        help="S3 only: make the roles of projects now, and offer a template that makes none (docs/publishing.md)",
    )
    publish_verb.add_argument("--yes", action="store_true", help="do not ask at a terminal (a script is never asked)")
    update_verb = verbs.add_parser(
        "update-project",
        help="bring a launched project to another version in place, with the parameters it has",
        description=(
            "Updates the project's stack and waits for its end. Repositories, models, endpoints and data stay; what "
            "fails half-way is put back. Run it as whoever launched the project, or as an administrator."
        ),
    )
    _add_target(update_verb)
    update_verb.add_argument("project", help="the project's name")
    update_verb.add_argument("--version", default="", help="the version it is to have (default: the newest published)")
    seed_verb = verbs.add_parser(
        "seed-update",
        help="propose what a release's seeds improve to a project's repositories, as branches and pull requests",
        description=(
            "Applies what changed between the seed that each repository has and the release's to what it holds now, on "
            "a branch seed-update/VERSION, and opens a pull request. Nothing is overwritten; what both sides changed "
            "is left to a person. Run it with rights to push to the project's repositories; set git up for that."
        ),
    )
    _add_target(seed_verb)
    seed_verb.add_argument("project", help="the project's name")
    seed_verb.add_argument("--version", default="", help="the release whose seeds are proposed (default: the newest)")
    teardown_verb = verbs.add_parser(
        "teardown",
        help="remove what publishing left in an account and region",
        description=(
            "Lists what publishing left in an account and region, and removes it: product with all versions, "
            "portfolio, launch role, boundary, and the bucket of templates and seeds. Refused while projects live. "
            "What projects keep on purpose stays, and is named."
        ),
    )
    _add_target(teardown_verb)
    teardown_verb.add_argument("--dry-run", action="store_true", help="only list")
    teardown_verb.add_argument("--yes", action="store_true", help="do not ask; a script has to say it")
    return parser


def _add_target(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--profile", help="AWS profile to act as (default: boto3's own search)")
    verb.add_argument("--region", help="AWS region to act in (default: the profile's or the environment's)")
    verb.add_argument(
        "--poll-seconds",
        type=float,
        default=2.0,
        metavar="S",
        help="longest pause between two looks at a stack (default: 2)",
    )


if __name__ == "__main__":
    sys.exit(main())
