"""The linter that a template passes before it is deployed: cfn-lint, with the rules that can refuse one.

cfn-lint left to itself makes all of its rules anew for every template, with 60 MiB of data: half of that for warnings,
which nobody hears here, the rest nearly all for the instance classes of databases. Here the rules are made once and
kept, those on databases only when a template has one. So is what was found of a template (`found_in`).
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfnlint.rules import CloudFormationLintRule, Rules

ERROR = "E"
"""What the ids of rules begin with that a template must not break; "W" and "I" are advice."""
ONLY_FOR = {"E3025": "AWS::RDS::DBInstance", "E3062": "AWS::RDS::DBInstance"}
"""Rules with much data (25 MiB), and the resource type that they are about."""
ONE_AT_A_TIME = threading.Lock()
"""The rules are shared by everybody in the process, and note what they look at in themselves."""

KEPT = 64
"""Of so many templates it is remembered what was found. The largest has a megabyte."""


@lru_cache(KEPT)
def found_in(template: str, region: str) -> tuple[str, ...]:
    """What `errors_in` finds, looked for once in a process: the same template goes to account after account."""
    return tuple(errors_in(template, region))


def errors_in(template: str, region: str) -> list[str]:
    """What is wrong with a template, each error with its line and rule; nothing for one that may be deployed.

    https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md
    """
    from cfnlint.config import ConfigMixIn  # 1 s of imports: only when a stack needs it
    from cfnlint.decode.decode import decode_str
    from cfnlint.runner import run_template_by_data

    types = frozenset(name for name in ONLY_FOR.values() if name in template)
    with ONE_AT_A_TIME:
        document, unreadable = decode_str(template)
        return [
            f"line {match.linenumber}: {match.message} ({match.rule.id})"
            for match in unreadable or run_template_by_data(document, ConfigMixIn(regions=[region]), rules(types))
            if match.rule.id.startswith(ERROR)
        ]


@cache
def rules(types: frozenset[str]) -> Rules:
    """cfn-lint's rules on errors, with those that are only for these resource types."""
    from cfnlint.rules import Rules

    found = Rules()
    for rule in _rules_on_errors():
        if rule.id not in ONLY_FOR or ONLY_FOR[rule.id] in types:
            found[rule.id] = rule()
    return found


def _rules_on_errors() -> Iterator[type[CloudFormationLintRule]]:
    from cfnlint import rules as package
    from cfnlint.rules import CloudFormationLintRule

    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        for rule in vars(importlib.import_module(module.name)).values():
            if isinstance(rule, type) and issubclass(rule, CloudFormationLintRule) and rule.__module__ == module.name:
                kind: type[CloudFormationLintRule] = rule
                if kind.id.startswith(ERROR):
                    yield kind
