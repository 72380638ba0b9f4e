"""What each type of pipeline step does."""

from collections.abc import Callable

from rehearsal.cloud.sagemaker.step_run import StepRun
from rehearsal.cloud.sagemaker.steps.decisions import run_condition, run_fail
from rehearsal.cloud.sagemaker.steps.jobs import run_processing, run_training, run_transform
from rehearsal.cloud.sagemaker.steps.lambda_ import run_lambda
from rehearsal.cloud.sagemaker.steps.model import run_model
from rehearsal.cloud.sagemaker.steps.register_model import run_register_model

RUNNERS: dict[str, Callable[[StepRun], None]] = {
    "Processing": run_processing,
    "Training": run_training,
    "Transform": run_transform,
    "Model": run_model,
    "RegisterModel": run_register_model,
    "Condition": run_condition,
    "Fail": run_fail,
    "Lambda": run_lambda,
}

__all__ = ["RUNNERS"]
