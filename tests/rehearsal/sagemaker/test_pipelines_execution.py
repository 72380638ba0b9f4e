"""An execution runs its steps as the pipeline's role, in the order their data asks for, and tells what happened."""

from __future__ import annotations

import functools
import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, Lab, left, processing, taken, training

OUT = "/opt/ml/processing/out"
EXECUTION = {"Get": "Execution.PipelineExecutionId"}
CACHE: dict[str, Any] = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([Lab]))


def process(bench: Bench, name: str, shell: str, inputs: tuple[Any, ...] = (), **more: Any) -> dict[str, Any]:
    """A processing step whose output `out` lies under the execution's id."""
    uri = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/runs", EXECUTION, name]}}
    arguments = {
        **processing(shell, more.pop("role", None) or bench.pipeline_role()),
        "ProcessingOutputConfig": {"Outputs": [left("out", uri, OUT)]},
        **({"ProcessingInputs": list(inputs)} if inputs else {}),
        **more.pop("arguments", {}),
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def output_of(step: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}


def fail(name: str, message: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def gate(bench: Bench, accuracy: float) -> list[dict[str, Any]]:
    """Evaluate, then decide by a number from the evaluation's property file."""
    report = {"metrics": {"accuracy": {"value": accuracy}}}
    evaluate = process(
        bench,
        "Evaluate",
        f"echo '{json.dumps(report)}' > {OUT}/evaluation.json",
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "evaluation.json"}],
    )
    number = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
            "Path": "metrics.accuracy.value",
        }
    }
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "lab-models",
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelApprovalStatus": "PendingManualApproval",
        },
    }
    message = {"Std:Join": {"On": " ", "Values": ["accuracy", number, "is below", {"Get": "Parameters.MinAccuracy"}]}}
    decide = {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {"Type": "GreaterThanOrEqualTo", "LeftValue": number, "RightValue": {"Get": "Parameters.MinAccuracy"}}
            ],
            "IfSteps": [register],
            "ElseSteps": [fail("Refused", message)],
        },
    }
    return [evaluate, decide]


MIN_ACCURACY = [{"Name": "MinAccuracy", "Type": "Float", "DefaultValue": 0.85}]


def test_data_flows_from_step_to_step(bench: Bench) -> None:
    bench.put("claims/claims.csv", "7")
    prepare = process(
        bench,
        "Prepare",
        f"cp /opt/ml/processing/raw/claims.csv {OUT}/",
        (taken("raw", {"Get": "Parameters.Claims"}, "/opt/ml/processing/raw"),),
    )
    train_arguments = training(
        "cat /opt/ml/input/data/train/claims.csv > /opt/ml/model/m; echo depth=$(cat /opt/ml/input/config/*hyper*)",
        bench.pipeline_role(),
    )
    train_arguments["HyperParameters"] = {"depth": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Depth"}]}}}
    train_arguments["InputDataConfig"] = [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": output_of("Prepare")}},
        }
    ]
    train = {"Name": "Train", "Type": "Training", "Arguments": train_arguments}
    model = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    check = process(
        bench,
        "Check",
        f"tar xzf /opt/ml/processing/model/model.tar.gz -C {OUT}",
        (taken("model", model, "/opt/ml/processing/model"),),
    )
    name = bench.pipeline(
        [check, train, prepare],
        [
            {"Name": "Claims", "Type": "String", "DefaultValue": f"s3://{BUCKET}/claims/claims.csv"},
            {"Name": "Depth", "Type": "Integer", "DefaultValue": 4},
        ],
    )

    execution, steps = bench.play(name, Depth="6")

    assert execution["PipelineExecutionStatus"] == "Succeeded", [step.get("FailureReason") for step in steps.values()]
    identifier = execution["PipelineExecutionArn"].split("/")[-1]
    assert bench.text(f"s3://{BUCKET}/runs/{identifier}/Check/m") == "7"
    assert steps["Prepare"]["EndTime"] <= steps["Train"]["StartTime"] <= steps["Check"]["StartTime"]
    arn = steps["Train"]["Metadata"]["TrainingJob"]["Arn"]
    assert f":training-job/pipelines-{identifier}-train-" in arn
    job = bench.sagemaker.list_training_jobs(NameContains=f"pipelines-{identifier}-Train-")["TrainingJobSummaries"][0]
    assert bench.lines("/aws/sagemaker/TrainingJobs", job["TrainingJobName"]) == ['depth={"depth": "6"}']


def test_a_good_model_is_registered_by_the_branch_that_holds(bench: Bench) -> None:
    execution, steps = bench.play(bench.pipeline(gate(bench, 0.9), MIN_ACCURACY))

    assert execution["PipelineExecutionStatus"] == "Succeeded", [step.get("FailureReason") for step in steps.values()]
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert set(steps) == {"Evaluate", "Gate", "Register"}
    arn = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    package = bench.sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_bad_model_fails_the_execution_with_the_message_of_the_fail_step(bench: Bench) -> None:
    execution, steps = bench.play(bench.pipeline(gate(bench, 0.7), MIN_ACCURACY))

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert steps["Refused"]["FailureReason"] == "accuracy 0.7 is below 0.85"
    assert steps["Refused"]["Metadata"] == {"Fail": {"ErrorMessage": "accuracy 0.7 is below 0.85"}}
    assert "Register" not in steps


def test_a_property_file_of_more_than_2_mb_fails_the_step_that_reads_it(bench: Bench) -> None:
    large = {"PropertyFileName": "Large", "OutputName": "out", "FilePath": "large.json"}
    write = process(bench, "Write", f"head -c 2097153 /dev/zero > {OUT}/large.json", PropertyFiles=[large])
    read = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Write.PropertyFiles.Large"}, "Path": "a"}}

    _, steps = bench.play(bench.pipeline([write, fail("Read", read)]))

    assert steps["Write"]["StepStatus"] == "Succeeded"
    assert "large.json has 2097153 bytes, and a property file can have 2097152" in steps["Read"]["FailureReason"]


def test_independent_steps_run_at_the_same_time(bench: Bench, tmp_path: Path) -> None:
    def meets(mine: str, other: str) -> str:
        return f"cd {tmp_path}; touch {mine}; until test -e {other}; do sleep 0.01; done"

    name = bench.pipeline([process(bench, "Left", meets("l", "r")), process(bench, "Right", meets("r", "l"))])

    _, steps = bench.play(name)

    assert steps["Left"]["StartTime"] < steps["Right"]["EndTime"]
    assert steps["Right"]["StartTime"] < steps["Left"]["EndTime"]


def test_parallelism_is_limited_when_the_pipeline_says_so(bench: Bench) -> None:
    steps = [process(bench, name, "true") for name in ("A", "B", "C")]
    name = bench.pipeline(steps, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})

    _, done = bench.play(name)

    ordered = sorted(done.values(), key=lambda step: step["StartTime"])
    assert all(earlier["EndTime"] <= later["StartTime"] for earlier, later in itertools.pairwise(ordered))


def test_a_failed_job_fails_its_step_and_nothing_after_it_starts(bench: Bench) -> None:
    broken = process(bench, "Broken", "exit 3")
    after = process(bench, "After", "true", (taken("in", output_of("Broken"), "/opt/ml/processing/in"),))

    execution, steps = bench.play(bench.pipeline([broken, after]))

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Broken"]["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 3"
    assert set(steps) == {"Broken"}


def test_constraints_of_arguments_are_checked_when_the_step_starts(bench: Bench) -> None:
    wrong = process(bench, "Wrong", "true", arguments={"RoleArn": "nobody"})

    _, steps = bench.play(bench.pipeline([wrong]))

    reason = steps["Wrong"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "Value 'nobody' at 'roleArn' failed to satisfy constraint" in reason


def test_a_number_where_the_api_wants_text_fails_the_step_as_on_aws(bench: Bench) -> None:
    arguments = {**training("true", bench.pipeline_role()), "HyperParameters": {"depth": {"Get": "Parameters.Depth"}}}
    parameters = [{"Name": "Depth", "Type": "Integer", "DefaultValue": 4}]

    _, steps = bench.play(bench.pipeline([{"Name": "Train", "Type": "Training", "Arguments": arguments}], parameters))

    assert "Failed to invoke sagemaker:CreateTrainingJob" in steps["Train"]["FailureReason"]


# ---- rights


@pytest.mark.parametrize(
    ("grant", "action"),
    [
        ("create", "sagemaker:CreateProcessingJob"),
        ("tags", "sagemaker:AddTags"),
        ("pass", "iam:PassRole"),
        ("describe", "sagemaker:DescribeProcessingJob"),
        ("read", "s3:GetObject"),
        ("register", "sagemaker:CreateModelPackageGroup"),
    ],
)
def test_every_grant_of_the_pipelines_role_is_needed(bench: Bench, grant: str, action: str) -> None:
    steps = gate(bench, 0.9)
    name = bench.pipeline(steps, MIN_ACCURACY, RoleArn=bench.pipeline_role(without=[grant]))

    execution, done = bench.play(name)

    assert execution["PipelineExecutionStatus"] == "Failed"
    (failed,) = [step for step in done.values() if step["StepStatus"] == "Failed"]
    assert action in failed["FailureReason"]
    if grant in ("create", "tags", "pass"):
        identifier = execution["PipelineExecutionArn"].split("/")[-1]
        assert f"/sagemaker-pipeline-{identifier}-Evaluate" in failed["FailureReason"]


def test_jobs_and_groups_carry_the_pipelines_tags_and_the_executions_name(bench: Bench) -> None:
    tag = {"Key": "sagemaker:project-name", "Value": "claims"}
    name = bench.pipeline(gate(bench, 0.9), MIN_ACCURACY, Tags=[tag])

    execution, steps = bench.play(name)

    tags = bench.sagemaker.list_tags(ResourceArn=steps["Evaluate"]["Metadata"]["ProcessingJob"]["Arn"])["Tags"]
    assert {item["Key"]: item["Value"] for item in tags} == {
        "sagemaker:project-name": "claims",
        "sagemaker:pipeline-execution-arn": execution["PipelineExecutionArn"],
    }


def test_making_a_pipeline_needs_passrole_for_its_role(bench: Bench) -> None:
    person = bench.person({"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"})

    with pytest.raises(ClientError, match=r"AccessDeniedException.*iam:PassRole"):
        person.create_pipeline(
            PipelineName="mine",
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [fail("A", "no")]}),
            RoleArn=bench.pipeline_role(),
        )


def test_starting_is_authorised_on_the_pipelines_arn_in_lower_case(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "A", "true")], PipelineName="Mixed-Case")
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/mixed-case"
    allowed = bench.person({"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": arn})
    other = bench.person({"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": f"{arn}-2"})

    assert allowed.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"].startswith(f"{arn}/execution/")
    with pytest.raises(ClientError, match="sagemaker:StartPipelineExecution"):
        other.start_pipeline_execution(PipelineName=name)


# ---- caching


def test_an_untouched_step_is_not_run_again_and_its_outputs_are_reused(bench: Bench) -> None:
    prepare = process(bench, "Prepare", f"date +%N > {OUT}/moment", **CACHE)
    inputs = (taken("in", output_of("Prepare"), "/opt/ml/processing/in"),)
    copy = process(bench, "Copy", f"cp /opt/ml/processing/in/moment {OUT}/", inputs)
    name = bench.pipeline([prepare, copy])

    first, before = bench.play(name)
    second, after = bench.play(name)

    assert after["Prepare"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first["PipelineExecutionArn"]}
    assert after["Prepare"]["Metadata"] == before["Prepare"]["Metadata"]
    assert "CacheHitResult" not in after["Copy"]
    moments = [
        bench.text(f"s3://{BUCKET}/runs/{execution['PipelineExecutionArn'].split('/')[-1]}/Copy/moment")
        for execution in (first, second)
    ]
    assert moments[0] == moments[1]


def test_another_input_runs_the_step_again(bench: Bench) -> None:
    uri = {"Get": "Parameters.Data"}
    inputs = (taken("in", uri, "/opt/ml/processing/in"),)
    parameters = [{"Name": "Data", "Type": "String", "DefaultValue": bench.put("v1/a", "1")}]
    name = bench.pipeline([process(bench, "Prepare", "true", inputs, **CACHE)], parameters)

    bench.play(name)
    _, steps = bench.play(name, Data=bench.put("v2/a", "2"))

    assert "CacheHitResult" not in steps["Prepare"]


def test_a_failed_run_is_never_reused(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "Prepare", "exit 1", **CACHE)])

    for _ in range(2):
        _, steps = bench.play(name)
        assert (steps["Prepare"]["StepStatus"], "CacheHitResult" in steps["Prepare"]) == ("Failed", False)


def test_an_expired_run_is_not_reused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    name = bench.pipeline([process(bench, "Prepare", "true", **CACHE)])
    bench.play(name)
    now = bench.cloud.clock.now
    monkeypatch.setattr(bench.cloud.clock, "now", lambda: now() + timedelta(days=31))

    _, steps = bench.play(name)

    assert "CacheHitResult" not in steps["Prepare"]


# ---- retries


LIMIT = AwsError("ResourceLimitExceeded", "The account-level service limit is 0 Instances.")


def limited(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    policy: dict[str, Any] | None,
    error: AwsError = LIMIT,
) -> dict[str, Any]:
    """Play one step whose first calls meet a resource limit, or another error; returns the step."""
    room = bench.cloud.services["sagemaker"]
    create, calls = room.operations["CreateProcessingJob"], []

    @functools.wraps(create)
    def sometimes(request: Any, caller: Any) -> Any:
        calls.append(request["ProcessingJobName"])
        if len(calls) <= times:
            raise error
        return create(request, caller)

    monkeypatch.setitem(room.operations, "CreateProcessingJob", sometimes)
    _, steps = bench.play(
        bench.pipeline([process(bench, "Busy", "true", **({"RetryPolicies": [policy]} if policy else {}))])
    )
    return steps["Busy"]


def test_a_matching_retry_policy_tries_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3}

    step = limited(bench, monkeypatch, 2, policy)

    assert (step["StepStatus"], step["AttemptCount"]) == ("Succeeded", 3)


def test_retries_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}

    step = limited(bench, monkeypatch, 9, policy)

    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", 3)


def test_another_policy_does_not_retry_and_the_reason_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = limited(bench, monkeypatch, 9, {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2})

    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", 1)
    assert "No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT" in step["FailureReason"]


def test_a_policy_without_numbers_tries_five_times_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = limited(bench, monkeypatch, 9, {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "BackoffRate": 1})

    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", 6)


def test_a_policy_that_expires_has_no_number_of_attempts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "BackoffRate": 1, "ExpireAfterMin": 14_400}

    step = limited(bench, monkeypatch, 7, policy)

    assert (step["StepStatus"], step["AttemptCount"]) == ("Succeeded", 8)


def test_a_policy_of_no_attempts_never_retries(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = limited(bench, monkeypatch, 1, {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "MaxAttempts": 0})

    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", 1)


@pytest.mark.parametrize(
    "error", [AwsError("ThrottlingException", "Rate exceeded"), AwsError("InternalFailure", "Try again", 500)]
)
def test_throttling_and_faults_of_services_are_retried_without_a_policy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: AwsError
) -> None:
    step = limited(bench, monkeypatch, 1, None, error)

    assert (step["StepStatus"], step["AttemptCount"]) == ("Succeeded", 2)


def test_a_policy_replaces_the_automatic_retries(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    never = {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 0}

    step = limited(bench, monkeypatch, 1, never, AwsError("ThrottlingException", "Rate exceeded"))

    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", 1)


# ---- stopping, events, looking


def test_stopping_an_execution_stops_its_job(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "Long", "sleep 600")])
    arn = bench.start(name)
    bench.until(lambda: bench.steps(arn).get("Long", {"StepStatus": ""}), "StepStatus", {"Executing"})

    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)

    assert bench.ended(arn)["PipelineExecutionStatus"] == "Stopped"
    assert bench.steps(arn)["Long"]["StepStatus"] == "Stopped"
    job = bench.sagemaker.list_processing_jobs(NameContains=arn.split("/")[-1])["ProcessingJobSummaries"][0]
    assert job["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="ConflictException"):
        bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_every_change_is_an_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    name = bench.pipeline([process(bench, "Only", "exit 1")])

    def note(_source: str, kind: str, detail: dict[str, Any], _arns: Any) -> None:
        if str(detail.get("pipelineArn", "")).endswith(f"/{name.lower()}"):
            events.append((kind, detail))

    monkeypatch.setattr(bench.cloud.events, "emit", note)

    arn = bench.start(name)
    bench.ended(arn)
    bench.until(lambda: {"n": len(events)}, "n", {5})

    executions = [detail for kind, detail in events if kind.endswith("Pipeline Execution Status Change")]
    steps = [detail for kind, detail in events if kind.endswith("Pipeline Execution Step Status Change")]
    assert [item["currentPipelineExecutionStatus"] for item in executions] == ["Executing", "Failed"]
    assert [item["currentStepStatus"] for item in steps] == ["Starting", "Executing", "Failed"]
    assert executions[-1]["pipelineExecutionArn"] == arn
    assert steps[-1]["failureReason"].startswith("AlgorithmError")
    assert steps[-1]["metadata"]["processingJob"]["arn"].startswith("arn:aws:sagemaker:")


def test_the_same_token_starts_one_execution(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "A", "true")])
    token = "t" * 32

    arns = {
        bench.sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"]
        for _ in range(2)
    }

    assert len(arns) == 1
    assert len(bench.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]) == 1


def test_an_execution_keeps_the_definition_and_parameters_it_started_with(bench: Bench) -> None:
    parameters = [{"Name": "Colour", "Type": "String", "DefaultValue": "red"}]
    name = bench.pipeline([fail("A", {"Get": "Parameters.Colour"})], parameters)
    before = bench.sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"]
    execution, _ = bench.play(name, Colour="blue")
    arn = execution["PipelineExecutionArn"]

    bench.sagemaker.update_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [fail("B", "new")]})
    )

    kept = bench.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineDefinition"] == before
    given = bench.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert given == [{"Name": "Colour", "Value": "blue"}]


def test_a_definition_may_lie_in_s3(bench: Bench) -> None:
    bench.put("definition.json", json.dumps({"Version": "2020-12-01", "Steps": [fail("FromS3", "no")]}))

    bench.sagemaker.create_pipeline(
        PipelineName="from-s3",
        PipelineDefinitionS3Location={"Bucket": BUCKET, "ObjectKey": "definition.json"},
        RoleArn=bench.pipeline_role(),
    )

    assert set(bench.play("from-s3")[1]) == {"FromS3"}


def test_a_second_pipeline_of_the_same_name_is_refused_as_the_sdk_expects(bench: Bench) -> None:
    name = bench.pipeline([fail("A", "no")])

    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        bench.pipeline([fail("A", "no")], PipelineName=name)


def test_a_pipeline_that_runs_is_not_deleted(bench: Bench) -> None:
    name = bench.pipeline([process(bench, "Long", "sleep 600")])
    arn = bench.start(name)

    with pytest.raises(ClientError, match="ConflictException"):
        bench.sagemaker.delete_pipeline(PipelineName=name)

    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    bench.ended(arn)
    bench.until(lambda: {"gone": _deleted(bench, name)}, "gone", {True})
    with pytest.raises(ClientError, match="ResourceNotFound"):
        bench.sagemaker.describe_pipeline(PipelineName=name)


def _deleted(bench: Bench, name: str) -> bool:
    try:
        bench.sagemaker.delete_pipeline(PipelineName=name)
    except ClientError:
        return False
    return True
