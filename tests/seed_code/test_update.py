"""A newer seed comes to a repository as a branch that keeps whatever people have done there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seed_code import SeedError
from seed_code.repository import Clone
from seed_code.update import MARKER, Conflict, Proposal, propose
from tests.seed_code.conftest import Git

OLD = {
    "a.py": "one\ntwo\nthree\nfour\n",
    "b.py": "b\n",
    "both.py": "x\n",
    "gone.py": "g\n",
    "old.py": "o\n",
    "run.sh": "run\n",
}
NEW = {
    "a.py": "one\ntwo\nthree\nFOUR\n",
    "b.py": "b\n",
    "both.py": "x of the seed\n",
    "gone.py": "g of the seed\n",
    "new.py": "n\n",
    "run.sh": "run faster\n",
}
NEWER = {**NEW, "new.py": "n, newer\n"}


def packed(files: dict[str, str], executable: str = "run.sh") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if name == executable else 0o100644) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


RELEASES: dict[str, Callable[[], bytes]] = {
    "1.0.0": lambda: packed(OLD),
    "1.1.0": lambda: packed(NEW),
    "1.2.0": lambda: packed(NEWER),
}


class Project:
    """A repository that began with the oldest seed, and the clone of somebody who works in it."""

    def __init__(self, folder: Path, git: Git) -> None:
        self._git, self.work, self.origin = git, folder / "work", folder / "origin.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.work))
        self.commit(OLD)

    def commit(self, files: dict[str, str | None]) -> None:
        """Write files, or remove those without a text, and push."""
        for name, text in files.items():
            if text is None:
                (self.work / name).unlink()
            else:
                (self.work / name).parent.mkdir(exist_ok=True)
                (self.work / name).write_text(text)
        self._git(self.work, "add", "--all")
        self._git(self.work, "commit", "--quiet", "--message", "Work")
        self._git(self.work, "push", "--quiet", "origin", "HEAD:main")

    def clone(self, folder: Path) -> Clone:
        self._git(folder.parent, "clone", "--quiet", str(self.origin), str(folder))
        for key in ("name", "email"):
            self._git(folder, "config", f"user.{key}", "jo@example.com")
        return Clone(folder)

    def take(self, clone: Clone, branch: str) -> None:
        """Merge a proposal as one commit, as a squash does: the seed's own commits are lost."""
        clone.git("push", "--quiet", "origin", branch)
        self._git(self.work, "fetch", "--quiet")
        self._git(self.work, "merge", "--quiet", "--squash", f"origin/{branch}")
        self._git(self.work, "commit", "--quiet", "--message", "Take it")
        self._git(self.work, "push", "--quiet", "origin", "HEAD:main")


@pytest.fixture
def project(tmp_path: Path, git: Git) -> Project:
    return Project(tmp_path, git)


def told(made: Proposal) -> str:
    return f"{made.before or 'unknown'} {len(made.conflicts)}\n"


def test_what_only_the_seed_changed_is_taken_over_and_the_rest_stays(project: Project, tmp_path: Path) -> None:
    project.commit({"a.py": "ONE\ntwo\nthree\nfour\n", "mine.py": "m\n"})
    clone = project.clone(tmp_path / "clone")

    made = propose(clone, "main", "modelbuild", "1.1.0", RELEASES, told)

    assert made == Proposal(
        "seed-update/1.1.0", "1.0.0", ("a.py", "both.py", "gone.py", "new.py", "old.py", "run.sh"), ()
    )
    files = {name: clone.file("HEAD", name) for name in clone.contents("HEAD")}
    assert files == {
        **NEW,
        "a.py": "ONE\ntwo\nthree\nFOUR\n",
        "mine.py": "m\n",
        MARKER: json.dumps({"seed": "modelbuild", "release": "1.1.0"}, indent=2) + "\n",
    }
    assert clone.line("show", "--no-patch", "--format=%s", "HEAD") == "1.0.0 0"
    assert clone.line("rev-parse", "HEAD^") == clone.line("rev-parse", "origin/main"), "one commit on what is there"
    assert clone.line("ls-tree", "HEAD", "run.sh").startswith("100755")
    assert project.origin.joinpath("refs/heads/seed-update").exists() is False, "nothing is pushed"


def test_what_both_changed_is_left_as_it_is_with_the_seeds_version_beside_it(project: Project, tmp_path: Path) -> None:
    project.commit({"both.py": "x of mine\n", "gone.py": None, "old.py": "o of mine\n", "new.py": "another\n"})
    clone = project.clone(tmp_path / "clone")

    made = propose(clone, "main", "modelbuild", "1.1.0", RELEASES, told)

    assert made is not None
    said = {each.path: each.what for each in made.conflicts}
    assert made.conflicts == tuple(Conflict(path, said[path]) for path in ("both.py", "gone.py", "new.py", "old.py"))
    assert said["both.py"].endswith("Yours is kept, the seed's is beside it: both.py.seed-1.1.0")
    assert said["gone.py"].startswith("is no longer in this repository")
    assert said["old.py"].endswith("the seed no longer has it. It is kept")
    files = {name: clone.file("HEAD", name) for name in clone.contents("HEAD") if name != MARKER}
    assert files == {
        "a.py": NEW["a.py"],
        "b.py": "b\n",
        "both.py": "x of mine\n",
        "both.py.seed-1.1.0": "x of the seed\n",
        "new.py": "another\n",
        "new.py.seed-1.1.0": "n\n",
        "old.py": "o of mine\n",
        "run.sh": "run faster\n",
    }
    assert made.changed == ("a.py", "run.sh")
    assert not [text for text in files.values() if text and "<<<<<<<" in text]
    assert clone.line("status", "--porcelain") == ""


def test_a_file_that_somebody_moved_is_improved_where_it_is_now(project: Project, tmp_path: Path) -> None:
    project.commit({"a.py": None, "lib/a.py": OLD["a.py"]})
    clone = project.clone(tmp_path / "clone")
    made = propose(clone, "main", "modelbuild", "1.1.0", RELEASES, told)
    assert made is not None
    assert made.conflicts == ()
    assert clone.file("HEAD", "lib/a.py") == NEW["a.py"]


def test_the_next_seed_goes_on_from_the_one_that_was_taken_however_it_was_merged(
    project: Project, tmp_path: Path
) -> None:
    project.commit({"both.py": "x of mine\n"})
    first = project.clone(tmp_path / "first")
    made = propose(first, "main", "modelbuild", "1.1.0", RELEASES, told)
    assert made is not None
    assert [each.path for each in made.conflicts] == ["both.py"]
    project.take(first, made.branch)
    project.commit({"both.py.seed-1.1.0": None})

    second = project.clone(tmp_path / "second")
    assert propose(second, "main", "modelbuild", "1.1.0", RELEASES, told) is None
    assert propose(second, "main", "modelbuild", "1.0.0", RELEASES, told) is None, "an older one is no improvement"
    made = propose(second, "main", "modelbuild", "1.2.0", RELEASES, told)

    assert made == Proposal("seed-update/1.2.0", "1.1.0", ("new.py",), ()), "what was decided is not asked again"


def test_a_repository_that_began_with_a_seed_of_no_release_can_be_brought_to_one(
    project: Project, tmp_path: Path
) -> None:
    known = {each: RELEASES[each] for each in ("1.1.0", "1.2.0")}
    made = propose(project.clone(tmp_path / "clone"), "main", "modelbuild", "1.2.0", known, told)
    assert made is not None
    assert (made.before, made.conflicts) == ("", ())


def test_the_same_seed_in_two_releases_is_nothing_to_propose(project: Project, tmp_path: Path) -> None:
    known = {"1.0.0": RELEASES["1.0.0"], "1.0.1": lambda: packed(OLD, executable="")}
    assert propose(project.clone(tmp_path / "clone"), "main", "modelbuild", "1.0.1", known, told) is None


def test_a_repository_with_two_beginnings_says_how_to_go_on(project: Project, tmp_path: Path, git: Git) -> None:
    git(project.work, "checkout", "--quiet", "--orphan", "other")
    git(project.work, "commit", "--quiet", "--message", "Another beginning")
    git(project.work, "merge", "--quiet", "--allow-unrelated-histories", "-m", "Both", "origin/main")
    git(project.work, "push", "--quiet", "origin", "HEAD:main")
    with pytest.raises(SeedError, match=r'2 first commits.*\.seed\.json.*"release": "1\.0\.0"'):
        propose(project.clone(tmp_path / "one"), "main", "modelbuild", "1.1.0", RELEASES, told)

    project.commit({MARKER: '{"seed": "modelbuild", "release": "1.0.0"}'})

    assert propose(project.clone(tmp_path / "two"), "main", "modelbuild", "1.1.0", RELEASES, told) is not None


@pytest.mark.parametrize("marker", ['{"release": "9.9.9"}', "no json", "[]"])
def test_a_marker_of_no_release_that_is_here_is_refused(project: Project, tmp_path: Path, marker: str) -> None:
    project.commit({MARKER: marker})
    with pytest.raises(SeedError, match=r"none of those here: 1\.0\.0, 1\.1\.0, 1\.2\.0"):
        propose(project.clone(tmp_path / "clone"), "main", "modelbuild", "1.1.0", RELEASES, told)


def test_what_git_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"'git clone' failed: fatal: repository .* does not exist"):
        Clone(tmp_path).git("clone", str(tmp_path / "nothing"), "x")
