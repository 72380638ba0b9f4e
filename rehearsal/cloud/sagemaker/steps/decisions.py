"""Steps that call nothing: Condition and Fail."""

from __future__ import annotations

from rehearsal.cloud.sagemaker.conditions import holds
from rehearsal.cloud.sagemaker.expressions import text
from rehearsal.cloud.sagemaker.step_run import StepFailed, StepRun


def run_condition(run: StepRun) -> None:
    """All conditions must hold for IfSteps to run, otherwise ElseSteps do.

    https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-condition
    """
    run.executing()
    scope = run.scope()
    outcome = str(all(holds(condition, scope) for condition in run.step.arguments["Conditions"]))
    run.properties = {"Outcome": outcome}
    run.metadata = {"Condition": {"Outcome": outcome}}


def run_fail(run: StepRun) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-fail"""
    run.executing()
    message = text(run.scope().resolve(run.step.arguments.get("ErrorMessage", "")))
    run.metadata = {"Fail": {"ErrorMessage": message}}
    raise StepFailed(message)
