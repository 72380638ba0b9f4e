"""Steps that make a model, run it over a batch, and ask a function: as the pipeline's role, with their outputs."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.sagemaker.pipeline_definition import parse
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.lambda_.lambda_lab import archive
from tests.rehearsal.sagemaker.batch_lab import BatchLab, model_request, transform
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, PIPELINE_GRANTS, Bench, definition
from tests.waiting import WAITER

GRANTS: dict[str, tuple[list[str], list[str]]] = {
    **PIPELINE_GRANTS,
    "model": (["sagemaker:CreateModel", "sagemaker:DescribeModel"], ["*"]),
    "batch": (["sagemaker:CreateTransformJob", "sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob"], ["*"]),
    "function": (["lambda:InvokeFunction"], ["*"]),
}
CACHE: dict[str, Any] = {"Enabled": True, "ExpireAfter": "P1D"}
HANDLER = """
import time

def handler(event, context):
    if "wait" in event:
        time.sleep(event["wait"])
    if "sum" in event:
        return {"total": sum(event["sum"]), "word": "yes", "fair": True, "share": 0.5}
    if "raise" in event:
        raise ValueError(event["raise"])
    return event
"""


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([BatchLab, Lambda]))


@pytest.fixture(scope="module")
def function(bench: Bench) -> str:
    """The ARN of a function."""
    client = bench.cloud.client("lambda", bench.cloud.identity.root)
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    answer = client.create_function(
        FunctionName="helper",
        Runtime="python3.12",
        Role=bench.new_role("lambda.amazonaws.com", [logs]),
        Handler="helper.handler",
        Timeout=30,
        Code={"ZipFile": archive({"helper.py": HANDLER})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="helper", WaiterConfig=WAITER)
    return str(answer["FunctionArn"])


def role(bench: Bench, without: str = "") -> str:
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": resources}
        for name, (actions, resources) in GRANTS.items()
        if name != without
    ]
    return bench.new_role("sagemaker.amazonaws.com", statements)


def play(
    bench: Bench, steps: list[dict[str, Any]], without: str = ""
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return bench.play(bench.pipeline(steps, RoleArn=role(bench, without)))


def ask(function: str, event: dict[str, Any], *outputs: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A Lambda step."""
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in outputs]
    step = {"Name": "Ask", "Type": "Lambda", "Arguments": event, "FunctionArn": function}
    return {**step, "OutputParameters": declared, **more}


def say(message: Any, name: str = "Say") -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def model_step(bench: Bench) -> dict[str, Any]:
    return {"Name": "Make", "Type": "Model", "Arguments": model_request(bench)}


def batch_step(bench: Bench, source: str, output: str, model: Any, **more: Any) -> dict[str, Any]:
    arguments = {**transform(source, output, SplitType="Line"), "ModelName": model}
    return {"Name": "Batch", "Type": "Transform", "Arguments": arguments, **more}


# ---- models and batches


def test_a_model_is_made_and_run_over_a_batch(bench: Bench) -> None:
    source, output = bench.put("claims/a.csv", "one\ntwo"), f"s3://{BUCKET}/piped/{uuid4().hex}"
    batch = batch_step(bench, source, output, {"Get": "Steps.Make.ModelName"})
    tell = say({"Get": "Steps.Batch.TransformOutput.S3OutputPath"})

    execution, steps = play(bench, [model_step(bench), batch, tell])

    assert steps["Say"]["FailureReason"] == output
    assert bench.text(f"{output}/a.csv.out") == "2:ONE|TWO"
    identifier = execution["PipelineExecutionArn"].split("/")[-1]
    assert steps["Make"]["Metadata"]["Model"]["Arn"].split("/")[1].startswith(f"pipelines-{identifier}-make-")
    assert f"transform-job/pipelines-{identifier}-batch-" in steps["Batch"]["Metadata"]["TransformJob"]["Arn"]
    tags = bench.sagemaker.list_tags(ResourceArn=steps["Make"]["Metadata"]["Model"]["Arn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "sagemaker:pipeline-execution-arn": execution["PipelineExecutionArn"]
    }


def test_a_batch_of_the_same_model_and_input_is_not_run_again_and_of_a_new_model_it_is(bench: Bench) -> None:
    name = f"kept-{uuid4().hex[:8]}"
    bench.sagemaker.create_model(ModelName=name, **model_request(bench))
    source, output = bench.put("claims/b.csv", "one"), f"s3://{BUCKET}/cached"
    same = bench.pipeline([batch_step(bench, source, output, name, CacheConfig=CACHE)], RoleArn=role(bench))
    new = [model_step(bench), batch_step(bench, source, output, {"Get": "Steps.Make.ModelName"}, CacheConfig=CACHE)]
    made = bench.pipeline(new, RoleArn=role(bench))

    first, _ = bench.play(same)
    _, again = bench.play(same)
    bench.play(made)
    _, remade = bench.play(made)

    source_arn = again["Batch"]["CacheHitResult"]["SourcePipelineExecutionArn"]
    assert source_arn == first["PipelineExecutionArn"]
    assert "CacheHitResult" not in remade["Batch"]


@pytest.mark.parametrize(
    ("grant", "action"), [("model", "sagemaker:CreateModel"), ("batch", "sagemaker:CreateTransformJob")]
)
def test_the_pipelines_role_needs_each_grant(bench: Bench, grant: str, action: str) -> None:
    source = bench.put("claims/c.csv", "one")
    batch = batch_step(bench, source, f"s3://{BUCKET}/denied", {"Get": "Steps.Make.ModelName"})

    _, steps = play(bench, [model_step(bench), batch], without=grant)

    failed = next(step for step in steps.values() if step["StepStatus"] == "Failed")
    assert action in failed["FailureReason"]


def test_a_batch_that_fails_fails_its_step_with_the_jobs_reason(bench: Bench) -> None:
    source = bench.put("claims/bad.csv", "bad")
    batch = batch_step(bench, source, f"s3://{BUCKET}/failed", {"Get": "Steps.Make.ModelName"})

    _, steps = play(bench, [model_step(bench), batch])

    assert steps["Batch"]["FailureReason"] == "ClientError: See job logs for more information"


# ---- functions


def test_a_functions_answer_is_what_later_steps_refer_to(bench: Bench, function: str) -> None:
    outputs = (("total", "Integer"), ("word", "String"), ("fair", "Boolean"), ("share", "Float"))
    values = [{"Get": f"Steps.Ask.OutputParameters['{name}']"} for name, _ in outputs]
    tell = say({"Std:Join": {"On": " ", "Values": values}})

    _, steps = play(bench, [ask(function, {"sum": [1, 2]}, *outputs), tell])

    assert steps["Say"]["FailureReason"] == "3 yes true 0.5"
    assert steps["Ask"]["Metadata"]["Lambda"] == {
        "Arn": function,
        "OutputParameters": [
            {"Name": "total", "Value": "3"},
            {"Name": "word", "Value": "yes"},
            {"Name": "fair", "Value": "true"},
            {"Name": "share", "Value": "0.5"},
        ],
    }


@pytest.mark.parametrize(
    ("event", "output", "reason"),
    [
        ({"raise": "no way"}, ("x", "String"), "no way"),
        ({"a": "b"}, ("x", "String"), "answered no output parameter 'x'"),
        ({"x": 3}, ("x", "String"), "Output parameter 'x' of function .* is not of type String"),
        ({"x": True}, ("x", "Integer"), "is not of type Integer"),
    ],
)
def test_a_function_that_fails_or_answers_something_else_fails_its_step(
    bench: Bench, function: str, event: dict[str, Any], output: tuple[str, str], reason: str
) -> None:
    _, steps = play(bench, [ask(function, event, output)])

    assert steps["Ask"]["StepStatus"] == "Failed"
    assert re.search(reason, steps["Ask"]["FailureReason"]), steps["Ask"]["FailureReason"]


def test_the_pipelines_role_must_be_allowed_to_invoke(bench: Bench, function: str) -> None:
    _, steps = play(bench, [ask(function, {})], without="function")

    assert "lambda:InvokeFunction" in steps["Ask"]["FailureReason"]


def test_a_stopped_execution_waits_for_the_function_that_runs(bench: Bench, function: str) -> None:
    later = {**ask(function, {"v": {"Get": "Steps.Ask.OutputParameters['wait']"}}), "Name": "Later"}
    name = bench.pipeline([ask(function, {"wait": 2}, ("wait", "Integer")), later], RoleArn=role(bench))
    arn = bench.start(name)
    bench.until(lambda: bench.steps(arn).get("Ask", {"StepStatus": ""}), "StepStatus", {"Executing"})

    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)

    assert (
        bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Stopping"
    )
    assert bench.ended(arn)["PipelineExecutionStatus"] == "Stopped"
    assert {step: told["StepStatus"] for step, told in bench.steps(arn).items()} == {"Ask": "Succeeded"}


def test_a_stopped_execution_whose_function_takes_too_long_is_failed(bench: Bench, function: str) -> None:
    client = bench.cloud.client("lambda", bench.cloud.identity.root)
    client.update_function_configuration(FunctionName="helper", Timeout=1)
    client.get_waiter("function_updated_v2").wait(FunctionName="helper", WaiterConfig=WAITER)
    arn = bench.start(bench.pipeline([ask(function, {"wait": 20})], RoleArn=role(bench)))
    bench.until(lambda: bench.steps(arn).get("Ask", {"StepStatus": ""}), "StepStatus", {"Executing"})

    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)

    ended = bench.ended(arn)
    client.update_function_configuration(FunctionName="helper", Timeout=30)
    client.get_waiter("function_updated_v2").wait(FunctionName="helper", WaiterConfig=WAITER)
    assert ended["PipelineExecutionStatus"] == "Failed"


def test_the_function_is_found_by_an_expression(bench: Bench, function: str) -> None:
    parameters = [{"Name": "Function", "Type": "String", "DefaultValue": function}]
    step = {**ask("", {"sum": [4]}, ("total", "Integer")), "FunctionArn": {"Get": "Parameters.Function"}}

    _, steps = bench.play(bench.pipeline([step], parameters, RoleArn=role(bench)))

    assert steps["Ask"]["Metadata"]["Lambda"]["OutputParameters"] == [{"Name": "total", "Value": "4"}]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([{"Name": "A", "Type": "Lambda", "Arguments": {}}], r"Step \[A\] has no FunctionArn"),
        ([ask("f", {}, ("x", "Date"))], "'Date' is not one of String, Integer, Float, Boolean"),
        ([ask("f", {}), say({"Get": "Steps.Ask.OutputParameters['x']"})], r"has no output parameter \[x\]"),
        ([ask("f", {}, CacheConfig=CACHE)], "of type Lambda cannot have a CacheConfig"),
        ([{**ask("f", {}), "Retries": 3}], r"unknown properties: \[Retries\]"),
        ([{**say("x"), "FunctionArn": "f"}], r"unknown properties: \[FunctionArn\]"),
        ([ask({"Get": "Parameters.F"}, {})], r"parameter \[F\] is not defined"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_lambda_step_is_refused_when_the_pipeline_is_made(steps: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(AwsError, match=problem):
        parse(definition(steps))
