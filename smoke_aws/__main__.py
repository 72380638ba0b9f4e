"""Command line: ``python -m smoke_aws``, or ``make smoke-aws``."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from pricing import PriceError
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import Progress
from rehearsal.scene import PROJECT_NAME, Project
from service_catalog.errors import PublishError, explain
from service_catalog.target import Target, find_target
from smoke_aws.account import ON_AWS, Account
from smoke_aws.before import Before, SmokeError
from smoke_aws.budget import Estimate, estimate
from smoke_aws.clean_up import CleanUp
from smoke_aws.comparison import Comparison
from smoke_aws.run import COMPARISON, Smoke, check_recording, compare_run, newest_recording, read_trail

RUNS = REPOSITORY_ROOT / ".rehearsal"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0 it was played and AWS is as the rehearsal says, 1 it is not or could not be played, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.compare is not None and options.profile is None and options.region is None:
            return _told(compare_run(options.compare, options.recording or newest_recording(RUNS)), options.compare)
        target = find_target(options.profile, options.region)
        if options.clean_up is not None:
            return _clean_up(target, options.clean_up)
        recording = options.recording or newest_recording(RUNS)
        check_recording(recording)
        if options.compare is not None:
            return _compare(target, options.compare, recording)
        return _play(options, target, recording)
    except (SmokeError, PublishError, PriceError) as error:
        return _refuse(str(error))
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        return _refuse(explain(error))
    except KeyboardInterrupt:
        return 130


def _play(options: argparse.Namespace, target: Target, recording: Path) -> int:
    if shutil.which("git") is None:
        return _refuse("git is needed and was not found on the PATH. Install it, then run this again.")
    costs = estimate(REPOSITORY_ROOT, target.region)
    print(f"The story will be played in account {target.account}, {target.region}, as {target.caller}.")
    print(f"It will be compared with {recording}.")
    print("\n".join(costs.lines()), flush=True)
    check_ceiling(costs, options.cost_ceiling)
    progress = Progress()
    folder = RUNS / f"smoke-{time.strftime('%Y%m%d-%H%M%S')}"
    smoke = Smoke(target, folder, costs, options.cost_ceiling, progress)
    smoke.check()
    if not options.yes and not _typed(target):
        return _refuse("Nothing was made. Type the account's number when asked, or pass --yes.")
    folder.mkdir(parents=True)
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())  # a shell that goes away is no reason to leave a bill
    signal.signal(signal.SIGHUP, lambda *_: _interrupt())
    try:
        played = smoke.run()
    except KeyboardInterrupt:
        _tell_left(smoke.played.left, folder)
        raise
    progress.summary()
    _tell_left(played.left, folder)
    print(f"At most ${played.spent:.2f} was spent. The story {'played' if played.ok else 'FAILED'}; kept in {folder}")
    print("Reading what the roles called from CloudTrail, which takes a quarter of an hour.", flush=True)
    read_trail(target, folder, progress.say)
    status = _told(compare_run(folder, recording), folder)
    return status if played.ok and not played.left else 1


def check_ceiling(costs: Estimate, ceiling: float) -> None:
    """Raise SmokeError for a ceiling that the story does not fit under."""
    if ceiling < costs.total:
        raise SmokeError(
            f"The ceiling of ${ceiling:.2f} is below the estimate of ${costs.total:.2f}: the story would be ended too "
            f"soon. Pass --cost-ceiling {costs.total:.2f} or more."
        )


def _compare(target: Target, folder: Path, recording: Path) -> int:
    """Read the trail of an earlier run once more, and compare again."""
    read_trail(target, folder, lambda line: print(line, flush=True))
    return _told(compare_run(folder, recording), folder)


def _clean_up(target: Target, folder: Path) -> int:
    """Finish the clean-up of a run that was killed."""
    account = Account(target, folder, ON_AWS)
    client = lambda service: account.client(service, account.caller)  # noqa: E731
    say = lambda line: print(line, flush=True)  # noqa: E731
    left = CleanUp(target, client, Project(PROJECT_NAME), Before.read(folder), say, ON_AWS).run()
    _tell_left(left, folder)
    return 1 if left else 0


def _told(comparison: Comparison, folder: Path) -> int:
    print("\n".join(comparison.lines()))
    print(f"AWS is {'' if comparison.ok else 'NOT '}as the rehearsal says: {folder / COMPARISON}")
    return 0 if comparison.ok else 1


def _tell_left(left: Sequence[str], folder: Path) -> None:
    if left:
        print("\n".join(["The clean-up is NOT complete:", *(f"  {each}" for each in left)]), file=sys.stderr)
        again = f'make smoke-aws ARGS="--profile P --region R --clean-up {folder}"'
        print(f"Delete that by hand, or run the clean-up again: {again}", file=sys.stderr, flush=True)
    else:
        print("The clean-up is complete: nothing of the story is left.", flush=True)


def _typed(target: Target) -> bool:
    """Whether a person at a terminal means this account. A script has to say --yes."""
    if not sys.stdin.isatty():
        return False
    return input(f"Type the account's number ({target.account}) to spend that money there: ").strip() == target.account


def _interrupt() -> None:
    raise KeyboardInterrupt


def _refuse(why: str) -> int:
    print(f"\nsmoke-aws: {why}", file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m smoke_aws",
        description=(
            "Publishes, launches a project, plays the rehearsal's story on AWS and deletes everything again; then "
            "compares what the roles called, and every answer's shape, with what a rehearsal recorded. Costs money."
        ),
    )
    parser.add_argument("--profile", help="AWS profile of an administrator (default: boto3's own search)")
    parser.add_argument("--region", help="AWS region to play in (default: the profile's or the environment's)")
    parser.add_argument(
        "--cost-ceiling", type=float, default=0.0, metavar="DOLLARS", help="end the story before it can cost more"
    )
    parser.add_argument("--recording", type=Path, metavar="FOLDER", help="the rehearsal to compare with (the newest)")
    parser.add_argument("--yes", action="store_true", help="do not ask; a script has to say it")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--clean-up", type=Path, metavar="FOLDER", help="only finish the clean-up of that run")
    instead.add_argument(
        "--compare",
        type=Path,
        metavar="FOLDER",
        help="only compare that run again; with --profile or --region after reading CloudTrail again",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
