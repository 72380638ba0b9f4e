"""The package is one package, carried twice: a seed is shipped on its own, so it cannot share files with the other."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from .conftest import SEEDS

ALLOWED = {"boto3", "botocore", "project_tools"}


def files(seed: Path) -> dict[str, bytes]:
    folder = seed / "project_tools"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}


def test_both_seeds_carry_the_same_bytes() -> None:
    build, deploy = map(files, SEEDS)

    assert sorted(build) == sorted(deploy)
    assert [name for name in build if build[name] != deploy[name]] == []


def test_it_needs_boto3_and_the_standard_library_alone() -> None:
    imported = set()
    for content in files(SEEDS[0]).values():
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    assert imported - sys.stdlib_module_names <= ALLOWED
    assert "boto3\n" in (SEEDS[0] / "requirements" / "build.in").read_text()
    assert "boto3\n" in (SEEDS[1] / "requirements" / "build.in").read_text()
