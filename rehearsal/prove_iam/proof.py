"""Puts together which grants are needed, which have a reason, and what is wrong with either."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.cloud.policy_documents import Document
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.prove_iam.applicable import applicable
from rehearsal.prove_iam.grants import Grant, grants
from rehearsal.prove_iam.reasons import Reason
from rehearsal.prove_iam.recording import Recording

JUDGE_SECONDS = 300.0


@dataclass
class Proof:
    """What became of every grant. A `needed` one is proved: these recorded calls turn to denied without it. A
    `redundant` one allows these calls, and another grant allows each of them, too. No call asks for the others."""

    recording: Recording
    deployed: list[Grant] = field(default_factory=list)
    """All that count, in the order of their policies; not the pairs of action and resource that cannot be asked for."""
    needed: dict[Grant, list[Document]] = field(default_factory=dict)
    redundant: dict[Grant, list[Document]] = field(default_factory=dict)
    reasons: dict[Grant, Reason] = field(default_factory=dict)
    """Of those that need one, and of those that a story only sometimes needs."""
    pairs_nobody_asks: list[Grant] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What is wrong, in sentences; without any, every grant is proved or explained."""

    @property
    def proved(self) -> list[Grant]:
        """Those that every story needs."""
        return [grant for grant in self.deployed if grant in self.needed and grant not in self.reasons]


def judged(folder: Path) -> Document:
    """What `judge` says of the recording in a folder. Raises RuntimeError with its words when it fails."""
    done = subprocess.run(
        [str(REPOSITORY_ROOT / ".venvs" / "base" / "bin" / "python"), "-m", "rehearsal.prove_iam.judge",
         str(folder.absolute())],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the recorded calls could not be decided again:\n{done.stderr[-2000:]}")
    answer: Document = json.loads(done.stdout)
    return answer


def prove(
    recording: Recording, answer: Document, reasons: Sequence[Reason], written: Mapping[Grant, str] | None = None
) -> Proof:
    """Sort every deployed grant, and find what is wrong with the table of reasons. `written` is what the committed page
    says of each grant."""
    proof = Proof(recording)
    calls = recording.authorisations
    for number, decision in answer["differs"]:
        call = calls[number]
        proof.faults.append(
            f"{call['action']} on {call['resource']} was {call['decision']} and is {decision} when it is decided again"
        )
    deployed = list(dict.fromkeys(g for p in recording.deployed for g, _ in grants(p.owner, p.name, p.document)))
    if not deployed:
        proof.faults.append("the story came to no deployed policies")
    needed = {Grant(**grant): [calls[number] for number in numbers] for grant, numbers in answer["needed"]}
    covered = {Grant(**grant): [calls[number] for number in numbers] for grant, numbers in answer["covered"]}
    excused = pairs_nobody_asks([grant for grant in deployed if grant not in needed], deployed)
    explained: dict[Reason, list[Grant]] = {reason: [] for reason in reasons}
    for grant in deployed:
        if grant in excused:
            proof.pairs_nobody_asks.append(grant)
            continue
        proof.deployed.append(grant)
        reason = next((each for each in reasons if each.matches(grant)), None)
        if reason is not None:
            explained[reason].append(grant)
        if grant in needed:
            proof.needed[grant] = needed[grant]
        elif grant in covered:
            proof.redundant[grant] = covered[grant]
        if reason is not None and (grant not in needed or reason.sometimes):
            proof.reasons[grant] = reason
    proof.faults += [_unexplained(proof, grant) for grant in proof.deployed if not _settled(proof, grant)]
    for reason, mine in explained.items():
        then = [grant for grant, said in (written or {}).items() if said.endswith(f": {reason.reason}")]
        proof.faults += reason.faults(mine, needed.__contains__, then)
    return proof


def _settled(proof: Proof, grant: Grant) -> bool:
    return grant in proof.needed or grant in proof.reasons


def _unexplained(proof: Proof, grant: Grant) -> str:
    if grant in proof.redundant:
        return f"redundant, because other grants allow its calls too, and no reason is given: {grant}"
    return f"no call needs it and no reason is given: {grant}"


def actions_used(recording: Recording) -> dict[str, dict[str, int]]:
    """How often each role really used which action. An AWS service that becomes a role used `sts:AssumeRole` of it."""
    used: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for call in recording.authorisations:
        if call["decision"] == "Allow":
            used[recording.role(call["role"])][call["action"]] += call["count"]
    return {role: dict(sorted(actions.items())) for role, actions in sorted(used.items())}


def pairs_nobody_asks(unproved: Iterable[Grant], deployed: Sequence[Grant]) -> set[Grant]:
    """Of the unproved grants those whose action knows no such resource, because their statement names several of both.

    An action that knows none of its statement's resources is no pair but a mistake, and so is a resource that none of
    the actions know: those stay.
    """
    of_action: dict[tuple[str, ...], bool] = defaultdict(bool)
    of_resource: dict[tuple[str, ...], bool] = defaultdict(bool)
    for each in deployed:
        fits = applicable(each.action, each.resource)
        of_action[each.owner, each.policy, each.statement, each.action] |= fits
        of_resource[each.owner, each.policy, each.statement, each.resource] |= fits
    return {
        each
        for each in unproved
        if not applicable(each.action, each.resource)
        and of_action[each.owner, each.policy, each.statement, each.action]
        and of_resource[each.owner, each.policy, each.statement, each.resource]
    }
