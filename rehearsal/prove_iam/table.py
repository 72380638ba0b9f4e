"""The committed table of results, `docs/iam-proof.md`: every grant, and what proves it or why it is there all the same.

How many calls prove a grant differs from story to story. What a test compares is the verdict: proved, or the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rehearsal.person import REPOSITORY_ROOT
from rehearsal.prove_iam.grants import TRUST, Grant, constant
from rehearsal.prove_iam.proof import Proof

PAGE = REPOSITORY_ROOT / "docs" / "iam-proof.md"
PROVED = "proved"
HEAD = """\
# Which call needs which grant

Written by `make prove-iam ARGS=--write`; do not edit. `make prove-iam` plays the story of a project with every
authorisation recorded, then takes away each grant in turn (an action on a resource in one statement) and decides the
recorded calls again. A grant is **proved** by the calls that turn to denied without it, **redundant** when other grants
allow each of its calls too, and **unproved** when no call of the story asks for it. The last two say why they are
there all the same; so do those that a story needs only **at times**, because it depends on what overtakes what. The
reasons are kept in [`rehearsal/prove_iam/unproved.yaml`](../rehearsal/prove_iam/unproved.yaml).

Names that differ from run to run stand as `<name>`, `<id>`, `<account>`, `<region>`. A boundary or a managed policy
counts for every role that carries it. The numbers are those of one story; how often a call was made is not counted.
"""


def verdict(proof: Proof, grant: Grant) -> str:
    """`proved`, or the kind of grant and its reason."""
    reason = proof.reasons.get(grant)
    if reason is not None and reason.sometimes:
        return f"at times: {reason.reason}"
    if grant in proof.needed:
        return PROVED
    kind = "redundant" if grant in proof.redundant else "unproved"
    return f"{kind}: {reason.reason if reason else '**no reason is given**'}"


def rows(proof: Proof) -> Iterator[tuple[Grant, str]]:
    """The grants in the page's order with what stands beside each."""
    for grant in sorted(proof.deployed, key=lambda each: (each.owner, each.policy != TRUST, each)):
        said = verdict(proof, grant)
        yield grant, _calls(proof, grant) if said == PROVED else said


def _calls(proof: Proof, grant: Grant) -> str:
    calls = proof.needed[grant]
    first = calls[0]
    role = proof.recording.role(first["role"])
    by = f" by {role}" if role != grant.owner else ""
    asked = constant(first["resource"])
    on = f" on `{asked}`" if asked not in ("*", grant.resource) and grant.policy != TRUST else ""
    more = f"{len(calls)} calls, first" if len(calls) > 1 and by + on else f"{len(calls)} calls"
    return f"{PROVED}: {more}{by}{on}" if len(calls) > 1 else f"{PROVED}: 1 call{by}{on}"


def render(proof: Proof) -> str:
    """The page."""
    lines = [HEAD]
    owner = None
    for grant, said in rows(proof):
        if grant.owner != owner:
            owner = grant.owner
            lines += [f"## {owner}", *_counts(proof, owner), ""]
            lines += ["| policy | statement | action | resource | |", "|---|---|---|---|---|"]
        cells = [grant.policy or "-", grant.statement, f"`{grant.action}`", f"`{grant.resource}`", said]
        lines.append(f"| {' | '.join(cells)} |")
    return _spaced(lines)


def _counts(proof: Proof, owner: str) -> list[str]:
    mine = [grant for grant in proof.deployed if grant.owner == owner]
    proved = sum(verdict(proof, grant) == PROVED for grant in mine)
    pairs = sum(grant.owner == owner for grant in proof.pairs_nobody_asks)
    told = f"{proved} of {len(mine)} grants are proved."
    if pairs:
        told += (
            f" Not counted: {pairs} pairs of an action and a resource which one statement names, and of which AWS's"
            " Service Authorization Reference says that the action knows no such resource."
        )
    return ["", told]


def _spaced(lines: list[str]) -> str:
    """An empty line before each heading."""
    text = "\n".join(lines) + "\n"
    return re.sub(r"\n+## ", "\n\n## ", text)


ROW = re.compile(r"^\| (.+?) \| (.+?) \| `(.+?)` \| `(.+?)` \| (.+) \|$")


def verdicts(page: str) -> dict[Grant, str]:
    """What a page says of each grant, without what differs from story to story."""
    found: dict[Grant, str] = {}
    owner = ""
    for line in page.splitlines():
        if line.startswith("## "):
            owner = line.removeprefix("## ")
        row = ROW.match(line)
        if row:
            policy, statement, action, resource, said = row.groups()
            found[Grant(owner, policy.strip("-") and policy, statement, action, resource)] = (
                PROVED if said.startswith(f"{PROVED}:") else said
            )
    return found


def differences(proof: Proof, page: str) -> list[str]:
    """Where a page says something else than this proof, in sentences."""
    then = verdicts(page)
    if not then:
        return [f"{PAGE.name} is missing or has no table"]
    now = {grant: verdict(proof, grant) for grant in proof.deployed}
    found = [f"{PAGE.name} has a grant that is not there any more: {grant}" for grant in then if grant not in now]
    found += [f"{PAGE.name} lacks a grant: {grant}" for grant in now if grant not in then]
    found += [
        f"{PAGE.name} says {then[grant]!r} where it is {now[grant]!r}: {grant}"
        for grant in now
        if grant in then and then[grant] != now[grant]
    ]
    return found
