"""Copies the seeds, and replaces what belongs to the example problem."""

from __future__ import annotations

import ast
import csv
import io
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from new_model import ModelError, contract, golden
from new_model.columns import Column
from new_model.contract import Words
from new_model.label import Label
from new_model.table import Table
from seed_code import SEEDS
from seed_code.worktree import tracked_files

TEMPLATES = Path(__file__).parent / "templates"
BUILD, DEPLOY = (seed.folder for seed in SEEDS)
REPLACED = {
    "features.py": f"{BUILD}/steps/features.py",
    "generate_claims.py": f"{BUILD}/steps/generate_claims.py",
    "test_claims_contract.py": f"{BUILD}/tests/test_claims_contract.py",
    "test_claims.py": f"{DEPLOY}/tests/test_claims.py",
}
CONTRACT = Path(BUILD, "steps", "claims_contract.py")
KNOBS = Path(BUILD, "pipelines", "knobs.py")
EXAMPLES = Path(BUILD, "steps", "examples.csv")
"""Among the steps, because the pipeline is compiled anew when a file there changes."""
NAME = re.compile(r"^[a-z](-*[a-z0-9])*$")
LONGEST_NAME = 32


def check_name(name: str) -> None:
    """Raise ModelError unless a project could be called that: the same rule as on the launch form."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ModelError(
            f"NAME={name} cannot be a project's name: 1 to {LONGEST_NAME} characters, lower-case letters, digits and "
            "hyphens, starting with a letter and not ending with a hyphen."
        )


def image_python(root: Path) -> Path:
    """The interpreter that has what SageMaker's image has: the one of the image that the seeds train and serve in."""
    version = ast.literal_eval(_assignment((root / KNOBS).read_text(encoding="utf-8"), "IMAGE_VERSION", KNOBS).value)
    return root / ".venvs" / f"xgboost-{version}" / "bin" / "python"


def copy_seeds(root: Path, target: Path) -> None:
    """Everything git tracks of both seeds, and the templates' files in the place of the example's."""
    for seed in SEEDS:
        for file in tracked_files(root, seed.folder):
            there = target / seed.folder / file.name
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, there)
            there.chmod(file.mode)
    for name, place in REPLACED.items():
        if not (target / place).is_file():
            raise ModelError(f"the seeds have no {place} any more: new_model/repositories.py must learn where it went.")
        shutil.copyfile(TEMPLATES / name, target / place)


def write_contract(target: Path, table: str, label: Label, columns: Sequence[Column]) -> None:
    (target / CONTRACT).write_text(contract.source(table, label, columns), encoding="utf-8")


def write_examples(target: Path, table: Table, rows: Sequence[int], label: Label, columns: Sequence[Column]) -> None:
    """The chosen rows with the columns of the contract, label first and as 0 and 1."""
    names = [column.name for column in columns if not column.dropped]
    places = [table.header.index(name) for name in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([label.column, *names])
    writer.writerows([label.classes[row], *(table.rows[row][place] for place in places)] for row in rows)
    (target / EXAMPLES).write_text(text.getvalue(), encoding="utf-8")


def write_knobs(target: Path, rows: int, minimums: Mapping[str, float]) -> None:
    """How many examples there are, and the gate."""
    parameters = {"accuracy": "MinAccuracy", "recall": "MinRecall", "top_decile_lift": "MinTopDecileLift"}
    gate = "".join(
        f'    Threshold("{metric}", "{parameters[metric]}", {minimum:.2f}),\n' for metric, minimum in minimums.items()
    )
    text = (target / KNOBS).read_text(encoding="utf-8")
    text = assigned(text, "GATE", f"GATE = (\n{gate})", KNOBS)
    text = assigned(text, "SYNTHETIC_ROWS", f"SYNTHETIC_ROWS = {rows}  # all rows of steps/examples.csv", KNOBS)
    (target / KNOBS).write_text(text, encoding="utf-8")


def write_deploy_tests(
    target: Path, words: Words, records: Sequence[Mapping[str, object]], bad: Sequence[Mapping[str, object]]
) -> None:
    answer = {"probability": words.probability, "decisions": list(words.decisions)}
    for name, value in (("answer", answer), ("golden_records", records), ("bad_records", bad)):
        (target / DEPLOY / "test" / f"{name}.json").write_text(golden.as_json(value), encoding="utf-8")
    # As wide as the example's: nobody knows yet which shares are usual.
    shares = {"shares": {words.decisions[0]: [0.0, 1.0], words.decisions[1]: [0.0, 0.75]}}
    (target / DEPLOY / "batch-checks.json").write_text(golden.as_json(shares), encoding="utf-8")


def finish(target: Path, page: str, ruff: Path) -> None:
    """Write MODEL.md, put what was written into the house style, and hand everything to git, uncommitted."""
    (target / "MODEL.md").write_text(page, encoding="utf-8")
    readme = target / BUILD / "README.md"
    text = readme.read_text(encoding="utf-8")
    example = "The example problem is insurance-claim fraud."
    own = f"MODEL.md of `{target.name}` says what it was made from; where this page says claims, it means your records."
    readme.write_text(text.replace(example, own), encoding="utf-8")
    written = [str(place) for place in (CONTRACT, KNOBS, *REPLACED.values())]
    repaired = [str(ruff), "check", "--quiet", "--exit-zero", "--fix", *written]
    commands: tuple[list[str], ...] = (
        repaired,
        [str(ruff), "format", "--quiet", *written],
        repaired,  # an exception for long lines is only superfluous once they are broken
        ["git", "init", "--quiet", "--initial-branch=main"],
        ["git", "add", "--all"],
    )
    for command in commands:
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ModelError(f"'{' '.join(command[:2])}' failed in {target}: {done.stderr.strip()}")


def assigned(source: str, name: str, replacement: str, where: Path) -> str:
    """A module's text with the whole statement that assigns ``name`` at its top level replaced.

    Raises ModelError when there is no such statement.
    """
    node = _assignment(source, name, where)
    lines = source.splitlines(keepends=True)
    return "".join([*lines[: node.lineno - 1], replacement + "\n", *lines[node.end_lineno :]])


def _assignment(source: str, name: str, where: Path) -> ast.Assign:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            return node
    raise ModelError(f"{where} has no {name} any more: new_model/repositories.py must learn where it went.")
