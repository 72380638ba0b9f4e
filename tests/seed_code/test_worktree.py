"""What is not committed is named, so that nobody publishes by accident what only their own machine has."""

import subprocess
from pathlib import Path

from seed_code.worktree import Uncommitted, commit, uncommitted


def test_a_clean_tree_has_nothing_to_report(repository: Path) -> None:
    assert uncommitted(repository, "build_repo", "deploy_repo") == Uncommitted((), ())
    assert len(commit(repository)) == 12


def test_edits_deletions_renames_and_untracked_files_are_told_apart(repository: Path) -> None:
    (repository / "build_repo" / "Makefile").write_text("edited\n")
    (repository / "build_repo" / "notes").mkdir()
    (repository / "build_repo" / "notes" / "todo.txt").write_text("later\n")
    subprocess.run(["git", "-C", str(repository), "mv", "build_repo/README.md", "build_repo/READ.md"], check=True)

    found = uncommitted(repository, "build_repo")

    assert found.changed == ("build_repo/Makefile", "build_repo/READ.md")
    assert found.untracked == ("build_repo/notes/todo.txt",)


def test_ignored_files_and_other_folders_do_not_count(repository: Path) -> None:
    (repository / "build_repo" / "module.pyc").write_bytes(b"")
    (repository / "deploy_repo" / "new.txt").write_text("")

    assert uncommitted(repository, "build_repo") == Uncommitted((), ())


def test_before_the_first_commit_there_is_no_commit_to_name(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert commit(tmp_path) == ""
