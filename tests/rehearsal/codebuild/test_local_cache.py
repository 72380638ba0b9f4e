"""What stays on the build host between two builds of a project, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.cloud.codebuild.local_cache import kept_folders
from tests.rehearsal.codebuild.conftest import Lab
from tests.rehearsal.codebuild.test_builds import source

LOCAL = {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}
COUNTS = "mkdir -p .tools/deep && echo built >> .tools/deep/builds && cat .tools/deep/builds > builds.txt"
CACHE = "cache:\n  paths: [.tools/**/*]\nartifacts:\n  files: [builds.txt]\n"


def builds_seen(lab: Lab, project: str, folder: Path) -> int:
    build = lab.play(project, folder, ["Out"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    return lab.artifact(project, "Out")["builds.txt"].count("built")


def test_a_folder_of_the_cache_section_is_there_again_in_the_next_build(lab: Lab, tmp_path: Path) -> None:
    folder = source(tmp_path / "source", COUNTS, more=CACHE)
    project = lab.project("keeps", cache=LOCAL)
    assert [builds_seen(lab, project, folder) for _ in range(3)] == [1, 2, 3]


def test_each_project_keeps_its_own(lab: Lab, tmp_path: Path) -> None:
    folder = source(tmp_path / "source", COUNTS, more=CACHE)
    assert builds_seen(lab, lab.project("one", cache=LOCAL), folder) == 1
    assert builds_seen(lab, lab.project("other", cache=LOCAL), folder) == 1


@pytest.mark.parametrize("cache", [{"type": "NO_CACHE"}, {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}])
def test_without_the_custom_cache_mode_nothing_is_kept(lab: Lab, tmp_path: Path, cache: dict[str, object]) -> None:
    folder = source(tmp_path / "source", COUNTS, more=CACHE)
    project = lab.project("forgets", cache=cache)
    assert [builds_seen(lab, project, folder) for _ in range(2)] == [1, 1]


def test_a_folder_of_the_source_goes_before_a_kept_one(lab: Lab, tmp_path: Path) -> None:
    folder = source(tmp_path / "source", COUNTS, more=CACHE)
    (folder / ".tools").mkdir()
    (folder / ".tools" / "README").write_text("the project's own\n")
    project = lab.project("own-folder", cache=LOCAL)
    assert [builds_seen(lab, project, folder) for _ in range(2)] == [1, 1]


def test_a_path_outside_the_source_is_not_kept_and_the_log_says_so(lab: Lab, tmp_path: Path) -> None:
    more = "cache:\n  paths: [/root/.cache/pip/**/*, ../../elsewhere/**/*]\n"
    build = lab.play(lab.project("outside", cache=LOCAL), source(tmp_path / "source", "echo done", more=more))
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    for path in ("/root/.cache/pip/**/*", "../../elsewhere/**/*"):
        assert f"Not kept between builds of this rehearsal: {path}" in lab.log(build)


def test_a_build_beside_another_finds_its_folders_empty(tmp_path: Path) -> None:
    project = {"name": "busy", "cache": LOCAL}
    with kept_folders(project, tmp_path, tmp_path) as first, kept_folders(project, tmp_path, tmp_path) as second:
        assert second is not None
        assert second != first
        assert not list(second.iterdir())
    with kept_folders(project, tmp_path, tmp_path) as again:
        assert again == first
