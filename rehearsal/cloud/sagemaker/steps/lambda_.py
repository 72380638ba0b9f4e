"""The Lambda step: a function is invoked as the pipeline's role and its answer becomes the step's output parameters.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-lambda
"""

from __future__ import annotations

import json
import time
from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.expressions import text
from rehearsal.cloud.sagemaker.step_run import StepFailed, StepRun, exception_type_of

TYPES: dict[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Float": (float, int), "Boolean": (bool,)}
"""https://sagemaker.readthedocs.io/en/v2/workflows/pipelines/sagemaker.workflow.pipelines.html#lambda-step"""
LONGEST_SECONDS = 600
"""Of real time, as the function's work takes real time. The function itself goes on.
https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-lambda"""
LONGEST_VALUE = 1024
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputParameter.html"""


def run_lambda(run: StepRun) -> None:
    """A function that runs cannot be stopped: a stopped execution waits for its answer.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopPipelineExecution.html
    """
    scope = run.scope()
    arn = text(scope.resolve(run.step.function_arn))
    event = json.dumps(run.arguments()).encode()
    run.executing()
    began = time.monotonic()
    request = {"FunctionName": arn, "InvocationType": "RequestResponse", "Payload": event}
    try:
        answer = run.execution.cloud.call(run.credentials, "lambda", "Invoke", request)
    except AwsError as error:
        reason = f"ClientError: Failed to invoke lambda:Invoke. Error Details: {error.message}"
        raise StepFailed(reason, exception_type_of(error)) from error
    if time.monotonic() - began > LONGEST_SECONDS:
        raise StepFailed(f"ClientError: Lambda function {arn} ran longer than {LONGEST_SECONDS} seconds.")
    payload = bytes(answer.get("Payload") or b"null")
    if "FunctionError" in answer:
        raise StepFailed(f"ClientError: Lambda function {arn} failed: {payload.decode(errors='replace')}")
    outputs = _outputs(run, arn, json.loads(payload))
    run.properties = {"OutputParameters": outputs}
    told = [{"Name": name, "Value": text(value)[:LONGEST_VALUE]} for name, value in outputs.items()]
    run.metadata = {"Lambda": {"Arn": arn, "OutputParameters": told}}


def _outputs(run: StepRun, arn: str, answer: Any) -> dict[str, Any]:  # noqa: ANN401 - what a function answers
    """The declared output parameters; each must be in the answer, with its type."""
    found: dict[str, Any] = {}
    for declared in run.step.outputs:
        name, kind = declared["OutputName"], declared["OutputType"]
        if not isinstance(answer, dict) or name not in answer:
            raise StepFailed(f"ClientError: Lambda function {arn} answered no output parameter '{name}'.")
        value = answer[name]
        if not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "Boolean"):
            raise StepFailed(f"ClientError: Output parameter '{name}' of function {arn} is not of type {kind}.")
        found[name] = value
    return found
