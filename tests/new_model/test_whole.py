"""From a table to two repositories whose own code, gate and records fit together."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from new_model.__main__ import ROOT, RUFF, main
from new_model.repositories import image_python
from seed_code import SEEDS
from seed_code.archive import pack

from .tables import churn, numeric

ASK_ALL = Path(__file__).with_name("ask_all.py")


@pytest.mark.parametrize(
    ("table", "label", "options"),
    [(numeric, "target", []), (churn, "gekündigt?", ["--protected", "sex,Alter"])],
    ids=["numbers", "words and gaps"],
)
def test_a_table_becomes_repositories_that_hold_together(
    tmp_path: Path, table: Callable[[Path], Path], label: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "table.csv")

    assert main(["--data", str(data), "--label", label, "--name", "mine", "--folder", str(tmp_path), *options]) == 0

    mine, said = tmp_path / "mine", capsys.readouterr().out
    assert "4/4  Set the gate" in said
    assert not (mine / "build_repo" / "build").exists()
    python = image_python(ROOT)
    local = run([python, "-m", "pipelines.local", "--data", data], mine / "build_repo")  # what `make local` runs
    assert "Quality gate: passed" in local
    assert json.loads(run([python, ASK_ALL, mine / "deploy_repo"], mine / "build_repo")) == []
    for seed in SEEDS:
        run([RUFF, "check", "."], mine / seed.folder)
        run([RUFF, "format", "--check", "."], mine / seed.folder)
        assert pack(mine, seed).files
    about_records = ["tests/test_records.py", "tests/test_claims.py"]
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *about_records], mine / "deploy_repo")


def run(command: list[object], folder: Path) -> str:
    done = subprocess.run([str(each) for each in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
