"""The buildspecs, the Makefiles and the Python of the model-build repository agree; a rename on one side fails here.

What the template hands to the seeds is held in tests/cloudformation/test_seeds_fit.py, what deploy_repo promises itself
in its own tests.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest
import yaml

from checks.support import BUILDSPECS
from checks.template_file import ROOT

BUILD_REPO = ROOT / "build_repo"


def tree(path: str) -> ast.Module:
    return ast.parse((BUILD_REPO / path).read_text(encoding="utf-8"))


def buildspec(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return found


def commands(path: str) -> list[str]:
    return [command for phase in buildspec(path)["phases"].values() for command in phase["commands"]]


def recipes(path: str) -> dict[str, str]:
    """The verbs of the Makefile that a buildspec runs beside, each with its recipe."""
    text = (ROOT / path.split("/")[0] / "Makefile").read_text(encoding="utf-8")
    (unit_tests,) = re.findall(r"^UNIT_TESTS := (.*)$", text, flags=re.M)
    text = text.replace("$(UNIT_TESTS)", unit_tests)
    return dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", text, flags=re.M))


def called(module: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
            yield node


def texts(nodes: Sequence[ast.AST]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.fixture
def knobs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BUILD_REPO))
    return importlib.import_module("pipelines.knobs")


@pytest.mark.parametrize("path", BUILDSPECS)
def test_a_buildspec_calls_verbs_that_its_makefile_has(path: str) -> None:
    verbs = {verb for command in commands(path) if command.startswith("make ") for verb in command.split()[1:]}
    assert verbs
    assert verbs <= set(recipes(path))


@pytest.mark.parametrize("path", BUILDSPECS)
def test_a_buildspec_collects_the_report_that_a_verb_it_calls_writes(path: str) -> None:
    run = "".join(recipes(path)[command.split()[1]] for command in commands(path) if command.startswith("make "))
    written = re.findall(r"--junitxml[ =](\S+)", run)
    collected = [
        f"{report['base-directory']}/{file}"
        for report in buildspec(path)["reports"].values()
        for file in report["files"]
    ]
    assert collected == written


@pytest.mark.parametrize("path", [path for path in BUILDSPECS if "make tested" in commands(path)])
def test_the_report_that_is_remembered_is_the_one_that_the_unit_tests_write(path: str) -> None:
    (remembered,) = re.findall(r"--report (\S+)", recipes(path)["tested"])
    assert re.findall(r"--junitxml[ =](\S+)", recipes(path)["test"]) == [remembered]


@pytest.mark.parametrize("path", [path for path in BUILDSPECS if "make tested" in commands(path)])
def test_passed_tests_are_remembered_where_the_build_keeps_its_cache(path: str) -> None:
    (kept,) = buildspec(path)["cache"]["paths"]
    (place,) = (
        node.value
        for node in tree("project_tools/tested.py").body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PASSED"
    )
    assert ast.unparse(place).startswith(f"Path('{kept.removesuffix('/**/*')}',")


def test_the_build_exports_exactly_what_its_run_writes() -> None:
    module = tree("pipelines/run.py")
    written = {keyword.arg for call in called(module, "export") for keyword in call.keywords}
    assert written == set(buildspec(BUILDSPECS[0])["env"]["exported-variables"])
    (file,) = (
        call.args[0].value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXPORTS"
        for call in called(ast.Module([node], []), "Path")
        if isinstance(call.args[0], ast.Constant)
    )
    assert any(f". {file};" in command for command in commands(BUILDSPECS[0]))


def test_the_split_gets_arguments_that_its_script_takes(knobs: ModuleType) -> None:
    takes = {text for call in called(tree("steps/preprocess.py"), "add_argument") for text in texts(call.args)}
    gives = {each for each in knobs.split_arguments() if str(each).startswith("--")}
    assert gives | {"--base-dir"} == takes


def test_training_gets_exactly_the_hyperparameters_that_its_script_reads(knobs: ModuleType) -> None:
    (dictionary,) = (
        keyword.value
        for call in called(tree("pipelines/pipeline.py"), "ModelTrainer")
        for keyword in call.keywords
        if keyword.arg == "hyperparameters"
    )
    assert isinstance(dictionary, ast.Dict)
    gives = texts([key for key in dictionary.keys if key is not None]) | set(knobs.hyperparameters())
    reads = {
        text
        for node in ast.walk(tree("steps/train.py"))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "given"
        for text in texts([node.slice])
    }
    assert gives == reads


def test_what_is_registered_is_what_the_steps_write() -> None:
    registered = {text for call in called(tree("pipelines/pipeline.py"), "json_file") for text in texts(call.args)}
    written = {
        node.value
        for script in ("steps/preprocess.py", "steps/evaluate.py")
        for node in ast.walk(tree(script))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {"evaluation.json", "statistics.json"} <= registered
    assert registered <= written


def test_the_gate_looks_its_figures_up_in_a_file_that_the_evaluation_writes() -> None:
    (file,) = called(tree("pipelines/pipeline.py"), "PropertyFile")
    path = {keyword.arg: keyword.value for keyword in file.keywords}["path"]
    writes = {text for call in called(tree("steps/evaluate.py"), "write") for text in texts(list(ast.walk(call)))}
    assert texts([path]) <= writes
