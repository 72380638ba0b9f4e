"""Stage conditions: may an execution enter a stage, and was the stage really a success?

A condition is met when all its rules succeed; its result (SKIP, FAIL) engages when one does not.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works-conditions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.cloud.codepipeline.records import ConditionRun, Execution, RuleRun
from rehearsal.cloud.codepipeline.variables import Unresolvable, resolve_all
from rehearsal.cloud.service import Document

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "EQ": lambda variable, value: variable == value,
    "NE": lambda variable, value: variable != value,
    "CONTAINS": lambda variable, value: value in variable,
    "MATCHES": lambda variable, value: re.fullmatch(value, variable) is not None,
}
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-VariableCheck.html

AWS reads the expression of MATCHES as a Java regular expression; Python's dialect differs in rare corners only.
"""

VARIABLE_CHECK = "VariableCheck"
VARIABLE_CHECK_KEYS = frozenset({"Variable", "Value", "Operator"})


def evaluate(
    condition: Document, stage: str, execution: Execution, namespaces: dict[str, dict[str, str]]
) -> ConditionRun:
    """Evaluate every rule of a condition, in order.

    Never raises: a rule that cannot be evaluated has failed, and its condition is `Errored` instead of `Failed`. An
    errored condition fails the stage whatever its result says: a mistyped variable must not skip a deployment.
    """
    rules = [_evaluate_rule(rule, stage, execution, namespaces) for rule in condition["rules"]]
    execution.rule_runs += rules
    failed = [rule for rule in rules if rule.status != "Succeeded"]
    if not failed:
        return ConditionRun("Succeeded", "All rules succeeded.", rules)
    names = ", ".join(rule.declaration["name"] for rule in failed)
    errored = any(rule.error_code for rule in failed)
    return ConditionRun("Errored" if errored else "Failed", f"Rule failed: {names}. {failed[0].summary}", rules)


def _evaluate_rule(rule: Document, stage: str, execution: Execution, namespaces: dict[str, dict[str, str]]) -> RuleRun:
    run = RuleRun(execution.execution_id, execution.version, stage, rule)
    try:
        run.configuration = resolve_all(rule["configuration"], namespaces)
        variable, value = run.configuration["Variable"], run.configuration["Value"]
        operator = run.configuration["Operator"]
        passed = OPERATORS[operator](variable, value)
        run.status = "Succeeded" if passed else "Failed"
        run.summary = f"Variable value '{variable}' {operator} '{value}' is {'true' if passed else 'false'}."
    except Unresolvable as problem:
        run.status, run.error_code = "Failed", "ConfigurationError"
        run.summary = f"One or more variables could not be resolved: {problem}."
    except re.error as problem:
        run.status, run.error_code = "Failed", "ConfigurationError"
        run.summary = f"The regular expression of rule {rule['name']} is not valid: {problem}."
    return run
