"""What the deploy repository of a model of one's own asks and checks is in that model's words."""

import json
from pathlib import Path

from new_model.contract import Words
from new_model.repositories import DEPLOY, write_deploy_tests


def test_the_checks_of_batch_runs_name_the_decisions_of_the_answer(tmp_path: Path) -> None:
    (tmp_path / DEPLOY / "test").mkdir(parents=True)
    write_deploy_tests(tmp_path, Words("churn_probability", ("stays", "leaves")), [], [])
    answer = json.loads((tmp_path / DEPLOY / "test" / "answer.json").read_text())
    checks = json.loads((tmp_path / DEPLOY / "batch-checks.json").read_text())
    assert list(checks["shares"]) == answer["decisions"] == ["stays", "leaves"]
