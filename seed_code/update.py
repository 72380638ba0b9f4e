"""Brings what a newer seed improves into a repository that people have changed since: on a branch, for them to take.

As copier and cruft do it: the difference between the seed that the repository has and the newer one is applied to what
the repository holds now. What both changed is nobody's to overwrite: the repository's file stays, the seed's lies
beside it, and a person decides. https://copier.readthedocs.io/en/stable/updating/

Which seed a repository has says its file ``.seed.json``, which the first of these branches adds; before, it is what the
repository's first commit holds.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seed_code import SeedError
from seed_code.repository import Clone, Unmerged

MARKER = ".seed.json"
_OLD, _NEW = "refs/seeds/old", "refs/seeds/new"
_MAIN = "refs/remotes/origin/{}"


@dataclass(frozen=True)
class Conflict:
    """A file that is left to a person, and what was done about it."""

    path: str
    what: str


@dataclass(frozen=True)
class Proposal:
    """A commit on a branch of its own. ``before`` is the release whose seed the repository had; empty when unknown."""

    branch: str
    before: str
    changed: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def branch_for(release: str) -> str:
    """The branch on which a release's seed is proposed."""
    return f"seed-update/{release}"


def propose(
    clone: Clone,
    main: str,
    seed: str,
    release: str,
    archives: Mapping[str, Callable[[], bytes]],
    message: Callable[[Proposal], str],
) -> Proposal | None:
    """Commit what a release's seed brings on a branch of its own, which is checked out then; nothing is pushed.

    ``main`` is the branch that people work on. ``archives`` gives each release's archive of this seed, oldest first,
    ``message`` the commit's message. None when the repository has that seed already, or a newer one.

    Raises SeedError when nobody can tell which seed the repository has, and with git's words for what git refuses.
    """
    head = _MAIN.format(main)
    before = _find_old(clone, head, seed, archives)
    clone.commit_archive(_NEW, archives[release](), f"Seed {release}", parent=_OLD)
    order = list(archives)
    if (before and order.index(before) >= order.index(release)) or clone.contents(_OLD) == clone.contents(_NEW):
        return None
    clone.git("checkout", "--quiet", "--no-track", "-b", branch_for(release), head)
    # 1 is git's word for conflicts; they are dealt with below.
    clone.git("cherry-pick", "--no-commit", "--allow-empty", _NEW, wrong=2)
    conflicts = tuple(_settle(clone, each, release) for each in clone.unmerged())
    (clone.folder / MARKER).write_text(json.dumps({"seed": seed, "release": release}, indent=2) + "\n")
    clone.git("add", "--force", "--", MARKER)
    listed = clone.git("diff", "--cached", "--name-only", "-z", head).decode(errors="surrogateescape")
    beside = {f"{each.path}{_suffix(release)}" for each in conflicts}
    changed = tuple(sorted({each for each in listed.split("\0") if each} - beside - {MARKER}))
    made = Proposal(branch_for(release), before, changed, conflicts)
    clone.git("commit", "--quiet", "--cleanup=verbatim", "--file=-", stdin=message(made).encode())
    return made


def _find_old(clone: Clone, head: str, seed: str, archives: Mapping[str, Callable[[], bytes]]) -> str:
    """Let _OLD point at the seed that the repository has; the release it is of, empty when nobody knows."""
    marker = clone.file(head, MARKER)
    if marker is not None:
        release = _release_of(marker)
        if release not in archives:
            raise SeedError(
                f"{MARKER} says that the repository has the seed of release {release or '?'}, which is none of those "
                f"here: {', '.join(archives)}. 'git pull' in this clone of the template brings others."
            )
        clone.commit_archive(_OLD, archives[release](), f"Seed {release}")
        return release
    roots = clone.line("rev-list", "--max-parents=0", head).split()
    if len(roots) != 1:
        raise SeedError(
            f"The repository has {len(roots)} first commits, so nobody can tell which seed it began with. Say it in a "
            f"file {MARKER} on its main branch, and run this again: "
            + json.dumps({"seed": seed, "release": next(iter(archives))})
        )
    clone.git("update-ref", _OLD, roots[0])
    began = clone.contents(roots[0])
    for release, archive in archives.items():
        clone.commit_archive(_NEW, archive(), f"Seed {release}")
        if clone.contents(_NEW) == began:
            return release
    return ""


def _release_of(marker: str) -> str:
    try:
        return str(json.loads(marker)["release"])
    except (ValueError, KeyError, TypeError):
        return ""


def _settle(clone: Clone, found: Unmerged, release: str) -> Conflict:
    """Keep what the repository has, and lay the seed's version beside it."""
    if not found.ours:
        clone.git("rm", "--quiet", "--cached", "--force", "--", found.path)
        (clone.folder / found.path).unlink(missing_ok=True)
        return Conflict(found.path, "is no longer in this repository, and the seed changed it. It stays away")
    clone.git("checkout", "--quiet", "--ours", "--", found.path)
    clone.git("add", "--force", "--", found.path)
    if not found.theirs:
        return Conflict(found.path, "was changed here, and the seed no longer has it. It is kept")
    beside = f"{found.path}{_suffix(release)}"
    (clone.folder / beside).write_bytes(clone.blob(found.theirs))
    clone.git("add", "--force", "--", beside)
    return Conflict(found.path, f"was changed here and in the seed. Yours is kept, the seed's is beside it: {beside}")


def _suffix(release: str) -> str:
    return f".seed-{release}"
