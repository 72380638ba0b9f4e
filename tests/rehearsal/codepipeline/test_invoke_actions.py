"""Pipelines invoke functions, and wait for what these report."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_lab import BUCKET, PIPELINE_GRANTS, Lab, ScriptedBuilds, action, approve, stage

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.service import Document
from rehearsal.cloud.settings import CloudSettings
from tests.waiting import WAITER

ENVIRONMENTS = Path(__file__).parents[3] / ".venvs"
REPORTS = ["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"]
INVOKES = ["lambda:InvokeFunction", "lambda:ListFunctions"]
WORKER = """
import json

import boto3

def handler(event, context):
    job = event["CodePipeline.job"]
    wish = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
    pipelines = boto3.client("codepipeline")
    if "fail" in wish:
        pipelines.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "ConfigurationError", "message": wish["fail"]})
    elif "raise" in wish:
        raise RuntimeError(wish["raise"])
    elif "read" in wish:
        keys = job["data"]["artifactCredentials"]
        s3 = boto3.client("s3", aws_access_key_id=keys["accessKeyId"], aws_secret_access_key=keys["secretAccessKey"],
                          aws_session_token=keys["sessionToken"])
        place = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
        size = s3.head_object(Bucket=place["bucketName"], Key=place["objectKey"])["ContentLength"]
        try:
            s3.get_object(Bucket=place["bucketName"], Key="elsewhere")
            beyond = "read"
        except s3.exceptions.ClientError as problem:
            beyond = problem.response["Error"]["Code"]
        pipelines.put_job_success_result(jobId=job["id"], outputVariables={"SIZE": str(size > 0), "BEYOND": beyond})
    elif "twice" in wish:
        pipelines.put_job_success_result(jobId=job["id"])
        pipelines.put_job_success_result(jobId=job["id"])
    else:
        pipelines.put_job_success_result(
            jobId=job["id"], outputVariables={"SAID": wish["say"]}, executionDetails={"summary": "all is well"})
"""


@pytest.fixture(scope="module")
def invoking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose clock is fast (an action waits 20 minutes for a report), with the function `worker`."""
    settings = CloudSettings(tmp_path_factory.mktemp("invoking"), ENVIRONMENTS, speed=1200.0)
    with Cloud(settings, [CodeCommit, CodePipeline, Lambda, ScriptedBuilds], ()) as cloud:
        lab = Lab(cloud)
        role = lab.make_role("Worker", "lambda.amazonaws.com", REPORTS)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            entry = zipfile.ZipInfo("worker.py")
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, WORKER)
        lab.client("lambda").create_function(
            FunctionName="worker",
            Runtime="python3.13",
            Handler="worker.handler",
            Role=role,
            Timeout=60,
            Code={"ZipFile": code.getvalue()},
        )
        lab.client("lambda").get_waiter("function_active_v2").wait(FunctionName="worker", WaiterConfig=WAITER)
        lab.grant("PipelineRole", [*PIPELINE_GRANTS, *INVOKES])
        yield lab


def invoke(wish: Document | str, **more: object) -> Document:
    parameters = wish if isinstance(wish, str) else json.dumps(wish)
    configuration = {"FunctionName": "worker", "UserParameters": parameters}
    return action("Invoke", "Invoke", "Lambda", configuration=configuration, **more)


def outcome(lab: Lab, wish: Document | str, **more: object) -> tuple[str, Document]:
    """Run a pipeline that invokes the function; answers the status and the action's latest execution."""
    declaration = lab.declaration("invokes", stage("Work", invoke(wish, **more)))
    execution = lab.create(declaration)
    status = lab.finished(declaration["name"], execution)["status"]
    return status, lab.action(declaration["name"], "Work", "Invoke")


def test_a_function_reports_success_and_hands_variables_on(invoking: Lab) -> None:
    declaration = invoking.declaration(
        "hands-on",
        stage("Work", invoke('{"say": "#{SourceVariables.BranchName}"}', namespace="Work")),
        stage("Approve", approve(CustomData="it said #{Work.SAID}")),
    )
    invoking.create(declaration)
    invoking.token(declaration["name"])
    found = invoking.pipelines.list_action_executions(pipelineName=declaration["name"])["actionExecutionDetails"]
    by_name = {each["actionName"]: each for each in found}
    assert by_name["Approve"]["input"]["resolvedConfiguration"]["CustomData"] == "it said main"
    assert by_name["Invoke"]["output"]["outputVariables"] == {"SAID": "main"}
    assert by_name["Invoke"]["output"]["executionResult"]["externalExecutionSummary"] == "all is well"


def test_a_function_reports_failure_in_its_own_words(invoking: Lab) -> None:
    status, latest = outcome(invoking, {"fail": "no such model"})
    assert status == "Failed"
    assert latest["errorDetails"] == {"code": "ConfigurationError", "message": "no such model"}


def test_a_function_reads_the_artifacts_with_keys_for_nothing_else(invoking: Lab) -> None:
    invoking.s3.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"secret")
    declaration = invoking.declaration(
        "reads",
        stage("Work", invoke({"read": True}, namespace="Work", inputArtifacts=[{"name": "SourceCode"}])),
    )
    execution = invoking.create(declaration)
    assert invoking.finished(declaration["name"], execution)["status"] == "Succeeded"
    found = invoking.pipelines.list_action_executions(pipelineName=declaration["name"])["actionExecutionDetails"]
    said = next(each["output"]["outputVariables"] for each in found if each["actionName"] == "Invoke")
    assert said == {"SIZE": "True", "BEYOND": "AccessDenied"}


def test_a_function_that_never_reports_fails_the_action_in_the_end(invoking: Lab) -> None:
    status, latest = outcome(invoking, {"raise": "oh no"})
    assert status == "Failed"
    assert latest["errorDetails"]["code"] == "JobFailed"
    assert "failed to return a result" in latest["errorDetails"]["message"]


def test_a_job_is_reported_on_once(invoking: Lab) -> None:
    status, _ = outcome(invoking, {"twice": True})
    assert status == "Succeeded"
    job = next(iter(invoking.room.jobs))
    with pytest.raises(invoking.pipelines.exceptions.InvalidJobStateException):
        invoking.pipelines.put_job_success_result(jobId=job)
    with pytest.raises(invoking.pipelines.exceptions.JobNotFoundException):
        invoking.pipelines.put_job_success_result(jobId="00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize("missing", INVOKES)
def test_the_pipeline_needs_both_rights_to_invoke(invoking: Lab, missing: str) -> None:
    invoking.grant("PipelineRole", [*PIPELINE_GRANTS, *(each for each in INVOKES if each != missing)])
    try:
        status, latest = outcome(invoking, {"say": "hello"})
    finally:
        invoking.grant("PipelineRole", [*PIPELINE_GRANTS, *INVOKES])
    assert status == "Failed"
    assert latest["errorDetails"]["code"] == "PermissionError"
    assert missing in latest["errorDetails"]["message"]


def test_a_function_without_the_right_to_report_is_a_failure(invoking: Lab) -> None:
    invoking.grant("Worker", [])
    try:
        status, latest = outcome(invoking, {"say": "hello"})
    finally:
        invoking.grant("Worker", REPORTS)
    assert status == "Failed"
    assert "has permission to send a result" in latest["errorDetails"]["message"]
    assert any(denied.action == "codepipeline:PutJobSuccessResult" for denied in invoking.cloud.identity.denials())


def test_a_missing_function_fails_the_action_at_once(invoking: Lab) -> None:
    missing = action("Invoke", "Invoke", "Lambda", configuration={"FunctionName": "nobody"})
    declaration = invoking.declaration("misses", stage("Work", missing))
    execution = invoking.create(declaration)
    assert invoking.finished(declaration["name"], execution)["status"] == "Failed"
    latest = invoking.action(declaration["name"], "Work", "Invoke")
    assert "Function not found" in latest["errorDetails"]["message"]


def test_going_on_with_a_continuation_token_is_refused_by_name(invoking: Lab) -> None:
    with pytest.raises(invoking.pipelines.exceptions.ClientError, match="continuationToken"):
        invoking.pipelines.put_job_success_result(
            jobId="00000000-0000-0000-0000-000000000000", continuationToken="later"
        )
