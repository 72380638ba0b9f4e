"""Seed archives hold exactly what git tracks, byte for byte the same wherever and whenever they are packed."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seed_code import FUNCTIONS, SEEDS, SeedError, Source, archive
from seed_code.archive import pack

Git = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]
BUILD, DEPLOY = SEEDS


def entries(data: bytes) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(data)).infolist()


def test_an_archive_holds_what_git_tracks_files_without_extension_and_dotfiles_included(repository: Path) -> None:
    (repository / "build_repo" / "__pycache__").mkdir()
    (repository / "build_repo" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    (repository / "build_repo" / "untracked.txt").write_text("forgotten")

    packed = pack(repository, BUILD)

    expected = ["Makefile", "README.md", "pipelines/step_preprocess.py", ".gitignore", "run"]
    assert sorted(packed.files) == sorted(expected)
    assert [entry.filename for entry in entries(packed.data)] == sorted(expected)


def test_the_files_lie_at_the_top_of_the_archive_with_their_content_and_mode(repository: Path, tmp_path: Path) -> None:
    packed = pack(repository, BUILD)
    with zipfile.ZipFile(io.BytesIO(packed.data)) as zipped:
        zipped.extractall(tmp_path / "out")

    assert (tmp_path / "out" / "Makefile").read_bytes() == (repository / "build_repo" / "Makefile").read_bytes()
    modes = {entry.filename: oct(entry.external_attr >> 16) for entry in entries(packed.data)}
    assert modes["run"] == "0o100755"
    assert modes["Makefile"] == "0o100644"


def test_packing_twice_gives_the_same_bytes_elsewhere_later_and_from_another_folder(
    repository: Path, tmp_path: Path, make_repository: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack(repository, BUILD)
    elsewhere = make_repository(tmp_path / "elsewhere")
    for path in elsewhere.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.chdir(elsewhere / "build_repo" / "pipelines")

    second = pack(elsewhere, BUILD)

    assert second.data == first.data
    assert second.key == f"seed/modelbuild-{hashlib.sha256(first.data).hexdigest()}.zip"


def test_an_archive_depends_on_no_compression_library_and_streams_in_any_reader(repository: Path) -> None:
    for entry in entries(pack(repository, BUILD).data):
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.flag_bits & 0x08 == 0, "sizes stand before the data, not after it"
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_an_uncommitted_edit_is_packed_and_changes_the_key(repository: Path) -> None:
    before = pack(repository, BUILD)
    (repository / "build_repo" / "Makefile").write_text("test:\n\tpytest -q\n")

    after = pack(repository, BUILD)

    assert after.key != before.key
    assert zipfile.ZipFile(io.BytesIO(after.data)).read("Makefile") == b"test:\n\tpytest -q\n"


def test_names_beyond_ascii_survive(repository: Path, git: Git) -> None:
    (repository / "deploy_repo" / "größe.txt").write_text("ü")
    git(repository, "add", ".")

    assert "größe.txt" in [entry.filename for entry in entries(pack(repository, DEPLOY).data)]


def test_packing_works_while_git_runs_a_hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")

    assert pack(repository, BUILD).files


def test_a_tracked_file_that_is_missing_is_refused_by_name_with_both_ways_out(repository: Path) -> None:
    (repository / "build_repo" / "Makefile").unlink()

    with pytest.raises(SeedError, match=r"build_repo/Makefile is tracked.*git restore.*git rm"):
        pack(repository, BUILD)


def test_a_symbolic_link_is_refused(repository: Path, git: Git) -> None:
    (repository / "build_repo" / "link").symlink_to("Makefile")
    git(repository, "add", ".")

    with pytest.raises(SeedError, match="build_repo/link is a symbolic link"):
        pack(repository, BUILD)


def test_a_merge_conflict_is_refused(repository: Path, git: Git) -> None:
    makefile = repository / "build_repo" / "Makefile"
    git(repository, "checkout", "--quiet", "-b", "other")
    makefile.write_text("theirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "theirs")
    git(repository, "checkout", "--quiet", "main")
    makefile.write_text("ours\n")
    git(repository, "commit", "--quiet", "--all", "--message", "ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")

    with pytest.raises(SeedError, match="build_repo/Makefile has a merge conflict"):
        pack(repository, BUILD)


def test_a_folder_that_git_does_not_know_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SeedError, match=r"git tracks no file in .*nothing_repo"):
        pack(repository, Source("nothing", "nothing_repo", "seed/nothing"))
    (tmp_path / "bare").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))  # temporary folders may lie in a repository
    with pytest.raises(SeedError, match=r"'git ls-files' failed in .*bare: .*not a git repository"):
        pack(tmp_path / "bare", BUILD)


def test_without_git_the_message_says_why_git_is_needed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SeedError, match="git was not found"):
        pack(repository, BUILD)


def test_an_archive_that_codecommit_would_refuse_names_its_largest_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch, git: Git
) -> None:
    (repository / "build_repo" / "data.csv").write_bytes(b"1" * 5000)
    git(repository, "add", ".")
    monkeypatch.setattr(archive, "SIZE_LIMIT", 5000)

    with pytest.raises(SeedError, match=r"The largest file is build_repo/data\.csv"):
        pack(repository, BUILD)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_the_real_seeds_are_packed_as_git_lists_them(seed: Source, git: Git) -> None:
    listed = git(ROOT, "ls-files", "-z", "--", seed.folder).split("\0")[:-1]

    packed = pack(ROOT, seed)

    assert sorted(packed.files) == sorted(path.removeprefix(f"{seed.folder}/") for path in listed)
    assert "README.md" in packed.files
    assert "Makefile" in packed.files


# ---- functions


def test_of_the_functions_only_the_modules_are_packed_at_the_top(repository: Path, git: Git) -> None:
    functions = repository / FUNCTIONS.folder
    for name in ("tests/test_answer.py", "__pycache__/answer.cpython-313.pyc", "README.md", "notes.txt"):
        (functions / name).parent.mkdir(exist_ok=True)
        (functions / name).write_text("")
    git(repository, "add", "--force", ".")

    packed = pack(repository, FUNCTIONS)

    assert packed.files == ("answer.py", "shared.py")
    assert packed.key == f"functions/project-{hashlib.sha256(packed.data).hexdigest()}.zip"
    assert [entry.external_attr >> 16 for entry in entries(packed.data)] == [0o100644, 0o100644]  # Lambda reads them


def test_a_note_beside_the_functions_does_not_change_their_key(repository: Path, git: Git) -> None:
    before = pack(repository, FUNCTIONS)
    (repository / FUNCTIONS.folder / "README.md").write_text("# Functions\n")
    git(repository, "add", ".")

    assert pack(repository, FUNCTIONS).key == before.key


def test_a_folder_without_a_module_is_refused(repository: Path, git: Git) -> None:
    git(repository, "rm", "--quiet", f"{FUNCTIONS.folder}/*.py")
    (repository / FUNCTIONS.folder).mkdir(parents=True, exist_ok=True)
    (repository / FUNCTIONS.folder / "README.md").write_text("")
    git(repository, "add", ".")

    with pytest.raises(SeedError, match=r"No Python module lies directly in .*cloudformation/functions"):
        pack(repository, FUNCTIONS)


def test_the_real_functions_are_packed_without_anything_else() -> None:
    packed = pack(ROOT, FUNCTIONS)
    assert {"clean_up.py", "discard_failed_creation.py", "follow_rejection.py", "record_deployment.py"} <= set(
        packed.files
    )
    assert all(name.isidentifier() and kind == "py" for name, _, kind in (file.partition(".") for file in packed.files))


def test_the_packer_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, seed_code.archive, seed_code.render; print('boto3' in sys.modules, 'botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]
