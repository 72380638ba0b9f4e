"""Command line: ``python -m service_catalog publish``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from seed_code import SeedError
from service_catalog.errors import PublishError, explain
from service_catalog.publish import Settings, publish, where_to_click
from service_catalog.target import Target, find_target

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 it cannot be done, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return _publish(options)
    except (PublishError, SeedError) as error:
        return _refuse(str(error))
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        return _refuse(explain(error))
    except KeyboardInterrupt:
        print("\nInterrupted. What CloudFormation has begun it finishes by itself; publish again at any time.")
        return 130


def _publish(options: argparse.Namespace) -> int:
    target = find_target(options.profile, options.region)
    print(f"Publishing to account {target.account} in {target.region}, as {target.caller}", flush=True)
    if not options.yes and not _agreed(target):
        return _refuse("Nothing was published.")
    settings = Settings(
        root=ROOT,
        studio_role_arns=tuple(options.studio_role_arn),
        set_up_account=options.account_setup,
        poll_seconds=options.poll_seconds,
    )
    published = publish(target, settings, say=lambda line: print(line, flush=True))
    print("\n".join(where_to_click(published, target)), flush=True)
    return 0


def _agreed(target: Target) -> bool:
    """Ask a person at a terminal; a script has said which account it means by its credentials."""
    if not sys.stdin.isatty():
        return True
    return input(f"Publish to {target.account} in {target.region}? [y/N] ").strip().lower() in {"y", "yes"}


def _refuse(why: str) -> int:
    print(f"\npublish: {why}", file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service_catalog", description="Publish the project template.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    publish_verb = verbs.add_parser(
        "publish",
        help="pack the seeds, set up the account, and put the template into Service Catalog",
        description=(
            "Says which account and region first, then packs, uploads, sets up the account and reveals the version. "
            "Publishing the same content again changes nothing; other content becomes a further version."
        ),
    )
    publish_verb.add_argument("--profile", help="AWS profile to publish with (default: boto3's own search)")
    publish_verb.add_argument("--region", help="AWS region to publish to (default: the profile's or the environment's)")
    publish_verb.add_argument(
        "--studio-role-arn",
        action="append",
        default=[],
        metavar="ARN",
        help="execution role whose users may launch projects; may be repeated (default: as published last time)",
    )
    publish_verb.add_argument(
        "--no-account-setup",
        dest="account_setup",
        action="store_false",
        help="use the launch role as it is: the account was set up by somebody else, or from another region",
    )
    publish_verb.add_argument("--yes", action="store_true", help="do not ask at a terminal (a script is never asked)")
    publish_verb.add_argument(
        "--poll-seconds",
        type=float,
        default=2.0,
        metavar="S",
        help="longest pause between two looks at a stack (default: 2)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
