"""The folders builds work in are reused one at a time and keep nothing but bytecode of what is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rehearsal.cloud.codebuild.python_stand_in import make_python
from rehearsal.cloud.codebuild.slots import slot


def test_builds_one_after_the_other_work_at_the_same_place(tmp_path: Path) -> None:
    with slot(tmp_path) as first:
        pass
    with slot(tmp_path) as second:
        assert second == first


def test_builds_at_the_same_time_work_at_different_places(tmp_path: Path) -> None:
    with slot(tmp_path) as first, slot(tmp_path) as second:
        assert first.work != second.work
        assert first.bytecode != second.bytecode


def test_a_build_finds_its_place_empty_and_leaves_it_empty(tmp_path: Path) -> None:
    with slot(tmp_path) as place:
        (place.work / "left").write_text("behind")
    assert not place.work.exists()
    place.work.mkdir()
    (place.work / "killed").write_text("a cloud that was killed left this")
    with slot(tmp_path) as again:
        assert again.work == place.work
        assert list(again.work.iterdir()) == []


def test_only_the_bytecode_of_installed_packages_and_of_the_standard_library_stays(tmp_path: Path) -> None:
    with slot(tmp_path) as place:
        environment = {"PYTHONPYCACHEPREFIX": str(place.bytecode)}
        python = make_python(place.python, tmp_path / "no pip") / "python"
        subprocess.run([python, "-c", "import csv"], env=environment, check=True)
        (place.work / "knobs.py").touch()
        subprocess.run([python, "-c", "import knobs"], env=environment, cwd=place.work, check=True)
        assert {"csv", "knobs"} <= {file.name.partition(".")[0] for file in place.bytecode.rglob("*.pyc")}
        own = place.bytecode / "src" / "knobs.cpython-311.pyc"
        package = place.bytecode / ".venv" / "lib" / "site-packages" / "numpy" / "__init__.cpython-311.pyc"
        for file in (own, package):
            file.parent.mkdir(parents=True)
            file.write_bytes(b"compiled")
    names = {file.name.partition(".")[0] for file in place.bytecode.rglob("*.pyc")}
    assert "csv" in names
    assert "knobs" not in names
    assert package.exists()
    assert not own.exists(), "the same path may hold another source of the same size next time"
