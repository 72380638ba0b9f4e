"""Whoever names the SageMaker image names the same one, with the same packages; docs/new-image.md says what to edit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from checks.support import in_knobs
from checks.template_file import ROOT
from new_model.repositories import image_python
from rehearsal.cloud.runtimes import RUNTIMES, Runtime, runtime_for

REQUIREMENTS = ROOT / "requirements"
SEED = ROOT / "build_repo" / "requirements" / "build"
STEPS_IMPORT = {"numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "xgboost-cpu", "flask"}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.M)


def pins(path: Path) -> dict[str, set[str]]:
    """A package's versions: more than one where they depend on the Python."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(path.read_text(encoding="utf-8")):
        found.setdefault(name.lower(), set()).add(version)
    return found


def differing(those: Iterable[str], one: dict[str, set[str]], other: dict[str, set[str]]) -> list[str]:
    return [f"{name}: {one[name]} and {other.get(name)}" for name in those if one[name] != other.get(name)]


@pytest.fixture(scope="module")
def image() -> Runtime:
    """The image of the seeds, as a rehearsal plays it."""
    (named,) = in_knobs()
    _, version = named.name.split()
    return runtime_for(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{version}")


def test_every_image_that_is_played_has_a_lock_and_every_lock_an_image() -> None:
    for suffix in ("in", "lock"):
        assert {path.stem for path in REQUIREMENTS.glob(f"xgboost-*.{suffix}")} == {each.name for each in RUNTIMES}


def test_a_new_model_is_made_in_the_seeds_image(image: Runtime) -> None:
    assert image_python(ROOT).parent == image.python(ROOT / ".venvs").parent


def test_make_local_computes_with_the_images_packages(image: Runtime) -> None:
    seed, whole = pins(SEED.with_suffix(".in")), pins(REQUIREMENTS / f"{image.name}.in")

    assert seed.keys() >= STEPS_IMPORT
    assert not differing(seed.keys() & whole.keys(), seed, whole)
    assert seed.keys() - whole.keys() == {"sagemaker-mlops"}


def test_the_locks_were_made_after_the_last_edit(image: Runtime) -> None:
    for made_from in (SEED, REQUIREMENTS / image.name):
        wanted, locked = pins(Path(f"{made_from}.in")), pins(Path(f"{made_from}.lock"))
        assert not differing(wanted.keys(), wanted, locked)


def test_the_version_in_the_image_s_name_is_xgboost_s(image: Runtime) -> None:
    version = image.name.removeprefix("xgboost-").replace("-", ".")

    assert pins(REQUIREMENTS / f"{image.name}.in")["xgboost-cpu"] == {version}
