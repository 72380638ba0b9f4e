"""Whoever follows the guide and gives Studio users MLOpsProjectUser has given them all that `make why` reads."""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase

from cfnlint.decode import cfn_yaml

from .conftest import ROOT, SEEDS

ASKING = {"ask", "items"}


def asked() -> set[str]:
    """Every `service:Operation` that the package asks AWS for; they are named like the rights they take."""
    found = set()
    for path in (SEEDS[0] / "project_tools").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
                words = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                if len(words) == 2:
                    found.add(":".join(words))
    return found


def granted() -> set[str]:
    template = cfn_yaml.load(str(ROOT / "cloudformation" / "account-setup.yaml"))
    policy = template["Resources"]["ProjectUserPolicy"]["Properties"]["PolicyDocument"]
    return {action for each in policy["Statement"] if each.get("Effect") == "Allow" for action in each["Action"]}


def test_a_studio_user_may_read_everything_that_is_asked_for() -> None:
    rights, needed = granted(), asked()

    assert len(needed) > 10
    assert [each for each in sorted(needed) if not any(fnmatchcase(each, right) for right in rights)] == []
