"""`make prove-iam`: plays the story, takes each grant of the template away in turn, and tells which calls need it.

First decided again from a recording, for every grant; then played again for a few, drawn at random, which must stop at
the very action that was predicted. Ends with 1 when a grant is neither needed nor explained, when a reason is idle,
when docs/iam-proof.md says something else, or when a story without a grant did not stop as predicted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal.__main__ import new_run_folder, shown
from rehearsal.cloud.policy_documents import UnknownFormError
from rehearsal.people import APPROVER_ROLE, STUDIO_ROLE
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import Progress
from rehearsal.prove_iam.proof import Proof, actions_used, judged, prove
from rehearsal.prove_iam.reasons import TableError, read
from rehearsal.prove_iam.recording import Recording
from rehearsal.prove_iam.replay import Replay, predict, replay
from rehearsal.prove_iam.table import PAGE, differences, render, verdicts

REPLAYS = 10
AGAIN = "To write the page again: make prove-iam ARGS='--write --recorded-only'"


def _absolute(folder: str) -> Path:
    """Programs that replays start run in folders of their own."""
    return Path(folder).absolute()


def arguments(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.prove_iam", description=__doc__)
    parser.add_argument(
        "--recording",
        type=_absolute,
        metavar="FOLDER",
        help="use what `make rehearse ARGS=--record` left in this folder",
    )
    parser.add_argument("--recorded-only", action="store_true", help="play nothing again without a grant")
    parser.add_argument(
        "--replays", type=int, default=REPLAYS, metavar="N", help=f"how many grants to play without ({REPLAYS})"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same grants again")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    chosen = parser.parse_args(given)
    if chosen.replays < 0:
        parser.error("--replays must be 0 or more")
    return chosen


def main(given: list[str]) -> int:
    """Prove, and answer the exit status."""
    chosen = arguments(given)
    progress = Progress()
    folder = chosen.recording or new_run_folder()
    try:
        if chosen.recording is None and not _play(folder):
            print("The story failed, so nothing can be proved with it.", file=sys.stderr)
            return 1
        recording = Recording.read(folder)
        progress.say(f"deciding {len(recording.authorisations)} different calls again, without each grant in turn")
        page = PAGE.read_text() if PAGE.exists() else ""
        proof = prove(recording, judged(folder), read(), verdicts(page))
    except FileNotFoundError:
        print(f"There is no recording in {folder}. Make one: make rehearse ARGS=--record", file=sys.stderr)
        return 2
    except (TableError, UnknownFormError, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 1
    faults = list(proof.faults)
    if chosen.write:
        PAGE.write_text(render(proof))
        progress.say(f"wrote {shown(PAGE)}")
    elif found := differences(proof, page):
        faults += [*found, AGAIN]
    tell(progress, proof)
    if not chosen.recorded_only:
        seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
        faults += _replay(progress, proof, chosen.replays, seed, folder / "replays")
    for fault in faults:
        progress.say(fault, style="red")
    progress.say("FAILED" if faults else "every grant is proved or explained", style="red" if faults else "green")
    return 1 if faults else 0


def _play(folder: Path) -> bool:
    """The whole story, recorded, with its own output."""
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "--record", "--folder", str(folder)], cwd=REPOSITORY_ROOT, check=False
    )
    return done.returncode == 0


def tell(progress: Progress, proof: Proof) -> None:
    """What each role really used, and how the grants came out."""
    progress.say("the actions that each role really used, with how often:")
    owners = {grant.owner for grant in proof.deployed} | {STUDIO_ROLE, APPROVER_ROLE}
    for role, actions in actions_used(proof.recording).items():
        if role not in owners:  # an administrator's: not the template's
            continue
        used = ", ".join(f"{action} {count}" for action, count in actions.items())
        progress.say(f"  {role}: {used}")
    unproved = len(proof.deployed) - len(proof.needed) - len(proof.redundant)
    progress.say(
        f"{len(proof.deployed)} grants: {len(proof.needed)} are needed by a call, "
        f"{len(proof.redundant)} are redundant, no call asks for {unproved}"
    )


def _replay(progress: Progress, proof: Proof, count: int, seed: int, folder: Path) -> list[str]:
    """Play stories without grants drawn at random; what did not end as predicted, in sentences."""
    drawn = random.Random(seed).sample(proof.proved, min(count, len(proof.proved)))  # noqa: S311 - no secret
    progress.say(f"playing the story without each of {len(drawn)} grants (--seed {seed} draws them again)")
    shutil.rmtree(folder, ignore_errors=True)
    faults = []
    for number, grant in enumerate(drawn, 1):
        predicted = predict(proof.recording, proof.needed[grant])
        progress.say(f"{number} of {len(drawn)}: without {grant}")
        progress.say(f"    predicted: {' or '.join(predicted['callers'])} is denied {predicted['action']}")
        result = replay(grant, predicted, folder / str(number))
        progress.say(f"    {told(result)}", style="green" if result.as_predicted else "red")
        if result.as_predicted:
            shutil.rmtree(folder / str(number), ignore_errors=True)
        else:
            faults.append(f"without {grant} the story did not stop as predicted: {told(result)}")
    return faults


def told(result: Replay) -> str:
    """The end of a replay in a sentence."""
    if result.denied is None:
        return f"{result.problem} ({result.seconds} s)"
    during = f" during {' and '.join(result.acts)}" if result.acts else ""
    denied = result.denied
    return f"{denied['caller']} was denied {denied['action']} on {denied['resource']}{during}, after {result.seconds} s"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped; nothing is left running")
        sys.exit(130)
