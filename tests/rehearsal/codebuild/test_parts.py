"""Buildspecs, patterns, reports and the outside world, each by itself."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import pytest

from rehearsal.cloud.codebuild.artifacts import collect, pattern, unpack
from rehearsal.cloud.codebuild.buildspec import Artifacts, Reports, parse
from rehearsal.cloud.codebuild.environment import passed_on
from rehearsal.cloud.codebuild.errors import NotPlayedError, YamlFileError
from rehearsal.cloud.codebuild.images import chosen_runtimes
from rehearsal.cloud.codebuild.junit import NotJUnitError, read

HEAD = "version: 0.2\nphases:\n  build:\n    commands: [echo hi]\n"
SIX = "aws/codebuild/amazonlinux-x86_64-standard:6.0"


def test_a_buildspec_is_read_as_it_is_written() -> None:
    spec = parse(
        """
version: 0.2
env:
  shell: bash
  variables: {A: yes, B: 3.10, C: "1"}
  parameter-store: {D: /d}
  exported-variables: [A]
phases:
  install:
    runtime-versions: {python: 3.10}
  build:
    on-failure: CONTINUE
    commands: ["echo a: b"]
    finally: [echo done]
reports:
  unit: {files: [a.xml], base-directory: out, discard-paths: yes}
artifacts:
  files: ['**/*']
  exclude-paths: ['*.tmp']
  discard-paths: yes
cache:
  paths: [.cache]
proxy: {upload-artifacts: no, logs: no}
""",
        "buildspec.yml",
    )
    assert spec.variables == {"A": "yes", "B": "3.10", "C": "1"}
    assert (spec.shell, spec.parameters, spec.exported) == ("bash", {"D": "/d"}, ("A",))
    assert spec.runtimes == {"python": "3.10"}
    build = spec.phases["build"]
    assert (build.commands, build.finally_commands, build.on_failure) == (("echo a: b",), ("echo done",), "CONTINUE")
    assert spec.reports == (Reports("unit", ("a.xml",), "out"),)
    assert spec.artifacts == Artifacts(("**/*",), ".", True, ("*.tmp",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "ci/spec.yml is empty"),
        ("- a\n", "Expected the buildspec to be a mapping (line 1 of ci/spec.yml)"),
        ("version: 0.2\n", "ci/spec.yml has no phases"),
        ("version: 1\nphases: {}\n", "Invalid buildspec version '1' in ci/spec.yml"),
        (HEAD + "evn:\n  variables: {}\n", "unknown key 'evn' (line 6 of ci/spec.yml)"),
        (HEAD + "env:\n  varables: {}\n", "unknown key 'env/varables' (line 6 of ci/spec.yml)"),
        (HEAD + "env:\n  shell: fish\n", "Unsupported shell 'fish'"),
        (HEAD + "env:\n  exported-variables: [AWS_KEY]\n", "AWS_KEY cannot be exported"),
        ("version: 0.2\nphases:\n  test:\n    commands: [a]\n", "unknown key 'phases/test'"),
        (
            "version: 0.2\nphases:\n  build:\n    commands: make\n",
            "Expected phases/build/commands to be a list (line 4",
        ),
        (
            "version: 0.2\nphases:\n  build:\n    runtime-versions: {python: 3.12}\n    commands: [a]\n",
            "unknown key 'phases/build/runtime-versions'",
        ),
        (
            "version: 0.2\nphases:\n  build:\n    on-failure: STOP\n    commands: [a]\n",
            "on-failure of phase build in ci/spec.yml is 'STOP'; it must be ABORT, CONTINUE, RETRY or RETRY-count",
        ),
        (
            "version: 0.2\nphases:\n  build:\n    on-failure: RETRY-101\n    commands: [a]\n",
            "on-failure of phase build in ci/spec.yml is 'RETRY-101'; the count must be 0 to 100",
        ),
        (HEAD + "artifacts:\n  file: [a]\n", "artifacts in ci/spec.yml (line 6) names no files"),
        (HEAD + "artifacts:\n  files: [a]\n  discard-paths: maybe\n", "'maybe'; it must be yes or no"),
        (HEAD + "reports:\n  unit: {files: [a], format: X}\n", "unknown key 'reports/unit/format'"),
        (HEAD + "reports:\n  unit: {files: [a], file-format: TAP}\n", "Unknown file-format 'TAP' of report unit"),
        (
            HEAD + "reports: {a: {files: [x]}, b: {files: [x]}, c: {files: [x]}, d: {files: [x]}, e: {files: [x]}, "
            "f: {files: [x]}}\n",
            "6 report groups; a build can have at most 5",
        ),
        (HEAD + "env:\n  variables: {A-B: c}\n", "'A-B' cannot be a variable's name (env/variables in ci/spec.yml)"),
        (HEAD + "env:\n  parameter-store: {1A: c}\n", "'1A' cannot be a variable's name (env/parameter-store in"),
        (HEAD + "env:\n  parameter-store:\n    A:\n", "env/parameter-store/A in ci/spec.yml names no parameter"),
        (HEAD + "cache: {paths: [a], action: keep}\n", "'keep'; it must be restore or save"),
        (HEAD + "version: 0.2\n", "version is given twice (line 5 of ci/spec.yml)"),
    ],
)
def test_a_wrong_buildspec_says_what_and_where(text: str, complaint: str) -> None:
    with pytest.raises(YamlFileError, match=re.escape(complaint)):
        parse(text, "ci/spec.yml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version: 0.1\nphases: {}\n", "buildspec version 0.1"),
        ("run-as: me\n" + HEAD, "'run-as'"),
        (HEAD + "batch: {fast-fail: true}\n", "'batch'"),
        (HEAD + "env:\n  secrets-manager: {A: b}\n", "env/secrets-manager"),
        (HEAD + "env:\n  git-credential-helper: yes\n", "env/git-credential-helper"),
        (HEAD + "proxy: {logs: yes}\n", "proxy/logs"),
        (HEAD + "reports:\n  unit: {files: [a], file-format: COBERTURAXML}\n", "file-format COBERTURAXML"),
        (HEAD + "artifacts: {files: [a], s3-prefix: p}\n", "artifacts/s3-prefix"),
        (HEAD + "artifacts: {files: [a], enable-symlinks: yes}\n", "artifacts/enable-symlinks"),
    ],
)
def test_a_right_buildspec_that_is_not_played_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(NotPlayedError, match=re.escape(named)):
        parse(text, "ci/spec.yml")


@pytest.mark.parametrize(
    ("wanted", "variables", "version"),
    [
        ({"python": "3.12"}, {}, "3.12"),
        ({"python": "3.x"}, {}, "3.14"),
        ({"python": "latest"}, {}, "3.14"),
        ({"python": "$MY_PYTHON"}, {"MY_PYTHON": "3.11"}, "3.11"),
        ({}, {}, "3.14"),
    ],
)
def test_a_runtime_is_chosen_as_the_image_offers_it(
    wanted: dict[str, str], variables: dict[str, str], version: str
) -> None:
    assert chosen_runtimes(SIX, wanted, variables, "f")[0].version == version


def test_a_runtime_nobody_has_is_named() -> None:
    with pytest.raises(YamlFileError, match="Unknown runtime named 'pyhton'"):
        chosen_runtimes(SIX, {"pyhton": "3.12"}, {}, "f")


@pytest.mark.parametrize(
    ("location", "matching", "other"),
    [
        ("a.txt", ["a.txt"], ["b/a.txt", "aXtxt"]),
        ("*.txt", ["a.txt", ".txt"], ["b/a.txt"]),
        ("**/*", ["a", "b/a", ".hidden", "b/c/d"], []),
        ("**/*.txt", ["a.txt", "b/c/a.txt"], ["a.md"]),
        ("b/*", ["b/a"], ["b/c/a", "a"]),
        ("b/**/*", ["b/a", "b/c/a"], ["a"]),
        ("./b/a?.txt", ["b/a1.txt"], ["b/a.txt"]),
    ],
)
def test_a_location_means_what_aws_says_it_means(location: str, matching: list[str], other: list[str]) -> None:
    assert [name for name in matching + other if pattern(location).fullmatch(name)] == matching


def test_artifacts_are_laid_out_as_in_awss_examples(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.artifacts.base-directory"""
    for name in ("my-build-1/my-file-1.txt", "my-build-2/my-file-2.txt", "my-build-2/my-subdirectory/my-file-3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    one = collect(tmp_path, Artifacts(("*/my-file-3.txt",), "my-build-2"))
    assert [name for _, name in one] == ["my-subdirectory/my-file-3.txt"]
    two = collect(tmp_path, Artifacts(("**/*",), "my-build*", discard_paths=True))
    assert sorted(name for _, name in two) == ["my-file-1.txt", "my-file-2.txt", "my-file-3.txt"]
    three = collect(tmp_path, Artifacts(("**/*",), exclude_paths=("my-build-1/**/*", "**/my-file-2.txt")))
    assert [name for _, name in three] == ["my-build-2/my-subdirectory/my-file-3.txt"]


def test_a_source_keeps_permissions_and_links(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name, mode, content in (("link", 0o120777, "bin/run"), ("bin/run", 0o100755, "x"), ("plain", 0, "y")):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    unpack(tmp_path / "s.zip", tmp_path / "out")
    assert (tmp_path / "out" / "link").readlink() == Path("bin/run")
    assert (tmp_path / "out" / "link").read_text() == "x"
    assert os.access(tmp_path / "out" / "bin" / "run", os.X_OK)
    assert not os.access(tmp_path / "out" / "plain", os.X_OK)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not xml", "it is not XML"),
        ("<html/>", "it starts with <html>"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>', "document type"),
    ],
)
def test_what_is_no_junit_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "r.xml").write_text(content)
    with pytest.raises(NotJUnitError, match=complaint):
        read(tmp_path / "r.xml")


def test_nested_suites_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(
        '<testsuite name="outer"><testcase name="a" time="1,000.5"/><testsuite name="inner"><testcase name="b"/>'
        "</testsuite></testsuite>"
    )
    assert [(case.suite, case.name, case.nanoseconds) for case in read(tmp_path / "r.xml")] == [
        ("outer", "a", 1_000_500_000_000),
        ("inner", "b", 0),
    ]


def test_only_package_managers_settings_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").touch()
    machine = {
        "HOME": "/home/jo",
        "AWS_PROFILE": "private",
        "PIP_USER": "1",
        "PIP_TARGET": "/elsewhere",
        "PIP_INDEX_URL": "https://pypi.example.com",
        "UV_PROJECT_ENVIRONMENT": "/elsewhere",
        "UV_INDEX_URL": "https://pypi.example.com",
        "https_proxy": "http://proxy:3128",
    }
    assert passed_on(machine, tmp_path) == {
        "PIP_INDEX_URL": "https://pypi.example.com",
        "UV_INDEX_URL": "https://pypi.example.com",
        "PIP_CACHE_DIR": str(tmp_path / ".cache" / "pip"),
        "UV_CACHE_DIR": str(tmp_path / ".cache" / "uv"),
        "PIP_CONFIG_FILE": str(tmp_path / ".config" / "pip" / "pip.conf"),
    }
