"""The staging tests run in an environment of their own, which holds little: what they import must be in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions

from rehearsal.person import REPOSITORY_ROOT

DEPLOY_REPO = REPOSITORY_ROOT / "deploy_repo"
LOCK = DEPLOY_REPO / "requirements" / "staging-test.lock"
TAKEN_WHERE_IT_IS = {"certifi"}
"""botocore imports it when it is there."""
IMPORTED = """\
import json, sys
sys.path[:0] = [".", "test"]
before = set(sys.modules)
import conftest, test_staging
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_the_staging_tests_import_nothing_that_their_lock_does_not_hold() -> None:
    command = [sys.executable, "-c", IMPORTED]
    imported = subprocess.run(command, cwd=DEPLOY_REPO, capture_output=True, text=True, check=True)
    homes = packages_distributions()
    distributions = {home.lower() for name in json.loads(imported.stdout) for home in homes.get(name, [])}
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.M))
    assert "boto3" in distributions & locked, "the imports or the lock were not read"
    assert {name.replace("_", "-") for name in distributions} - locked == TAKEN_WHERE_IT_IS & distributions
