"""The buildspecs call verbs that exist, and export and collect what those verbs write."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import build
from deployment.figures import Figures

from .conftest import ENVIRONMENT, ROOT
from .fake_registry import Registry

VERBS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
BUILDSPECS: dict[str, Any] = {
    path: yaml.safe_load((ROOT / path).read_text(encoding="utf-8")) for path in ("buildspec.yml", "test/buildspec.yml")
}


@pytest.mark.parametrize("path", BUILDSPECS)
def test_a_buildspec_only_calls_verbs_and_reads_the_variables_they_wrote(path: str) -> None:
    commands = [command for phase in BUILDSPECS[path]["phases"].values() for command in phase["commands"]]
    *verbs, source = commands
    for command in verbs:
        assert command.split()[0] == "make"
        assert set(command.split()[1:]) <= VERBS
    assert re.fullmatch(r"\. exports/[a-z-]+\.env", source)


def test_the_build_exports_exactly_what_build_py_writes(checkout: Path, registry: Registry) -> None:
    registry.register()
    build.main(checkout, ENVIRONMENT, registry.client)
    written = re.findall(r"^export ([A-Z_]+)=", (checkout / build.VARIABLES_FILE).read_text(), flags=re.MULTILINE)
    assert BUILDSPECS["buildspec.yml"]["env"]["exported-variables"] == written


def test_the_staging_test_exports_exactly_its_figures() -> None:
    assert set(BUILDSPECS["test/buildspec.yml"]["env"]["exported-variables"]) == Figures(1, 1).variables().keys()


@pytest.mark.parametrize("approval", ["Approved", "Rejected"])
def test_every_artifact_file_is_there_whether_something_is_deployed_or_not(
    checkout: Path, registry: Registry, approval: str
) -> None:
    registry.register(approval)
    build.main(checkout, ENVIRONMENT, registry.client)
    for name in BUILDSPECS["buildspec.yml"]["artifacts"]["files"]:
        assert (checkout / name).is_file()
