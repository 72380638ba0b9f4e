"""Whatever people choose in the stages' configurations, the repository's own tests go on passing in the build.

They are part of the deploy pipeline: a test that holds the shipped configuration would refuse every other one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal.person import REPOSITORY_ROOT

DEPLOY = REPOSITORY_ROOT / "deploy_repo"
OTHER = {
    "staging": {"DeploymentMode": "serverless", "TrafficRouting": "ALL_AT_ONCE", "EnableNetworkIsolation": False},
    "prod": {"DeploymentMode": "batch"},
}
"""As unlike what is shipped as can be."""


def test_the_repository_s_tests_pass_whatever_the_stages_are_configured_as(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(DEPLOY, clone, ignore=shutil.ignore_patterns("__pycache__", ".tools", "reports", "exports"))
    for stage, parameters in OTHER.items():
        (clone / f"{stage}-config.json").write_text(json.dumps({"Parameters": parameters, "Tags": {"team": "claims"}}))
    concerned = [
        str(path.relative_to(clone))
        for path in sorted(clone.glob("tests/test_*.py"))
        if re.search(r"\bcheckout\b|-config\.json", path.read_text(encoding="utf-8"))
    ]
    assert "tests/test_build.py" in concerned
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *concerned],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
