"""From a pipeline down to the cause, with the answers AWS gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from project_tools.aws import Aws, CannotLookError
from project_tools.explain import look
from project_tools.findings import Answer, Failure

from .fake_aws import FakeAws, refused
from .recorded import (
    ACCOUNT,
    EXECUTION,
    JOB,
    PROJECT,
    STACK,
    action,
    at,
    events,
    execution,
    executions,
    failed_step,
    failing_build,
    failing_stack,
    failing_training,
    own_event,
    processing_job,
    stack_event,
)

ENDPOINT = "AWS::SageMaker::Endpoint"


def answer(answers: dict[str, Any], chosen: str = "") -> Answer:
    return look(FakeAws(answers).aws(), PROJECT, chosen)


def failure(answers: dict[str, Any]) -> Failure:
    found = answer(answers).failure
    assert found is not None
    return found


def station(found: Failure, what: str) -> str:
    return next(place.name for place in found.where if place.what == what)


# ---- which failure


def test_nothing_failed() -> None:
    found = answer({"codepipeline:ListPipelineExecutions": executions([execution(1, "Succeeded")])})

    assert (found.failure, found.not_read) == (None, ())


def test_a_failure_before_the_newest_success_is_history() -> None:
    runs = [execution(3, "Succeeded", 60), execution(2, "InProgress", 30), execution(1, "Failed")]

    found = failure(failing_build("") | {"codepipeline:ListPipelineExecutions": executions(runs)})

    assert not found.current
    assert found.since == "A later execution succeeded at 2026-11-20 13:05 UTC, so this is history."


def test_a_current_failure_comes_before_a_newer_one_that_is_history() -> None:
    deploy = [execution(5, "Succeeded", 90), execution(4, "Failed", 60)]
    answers = failing_build("") | {
        "codepipeline:ListPipelineExecutions": executions([execution(1, "Failed")], deploy),
    }

    found = failure(answers)

    assert (found.title, found.current, found.when) == ("the model build", True, at(5))


def test_both_pipelines_failing_is_told() -> None:
    answers = failing_build("") | {
        "codepipeline:ListPipelineExecutions": executions([execution(2, "Failed", 9)], [execution(1, "Failed")]),
    }

    assert answer(answers).notes == ("Also failed: the model deployment, 2026-11-20 12:05 UTC.",)


def test_a_superseded_execution_is_no_failure_but_can_be_asked_for() -> None:
    runs = [execution(2, "Succeeded", 9), execution(1, "Superseded")]
    answers = {"codepipeline:ListPipelineExecutions": executions([], runs)}

    assert answer(answers).failure is None
    asked = answer(answers, runs[1]["pipelineExecutionId"]).failure
    assert asked is not None
    assert f"superseded: execution {runs[0]['pipelineExecutionId']} came after it" in asked.line


BY_CALL = {"triggerType": "StartPipelineExecution"}


def started_with(value: str) -> dict[str, Any]:
    return {"pipelineExecution": {"variables": [{"name": "MODEL_PACKAGE_ARN", "resolvedValue": value}]}}


def test_a_rollback_that_was_superseded_is_a_failure_to_tell() -> None:
    """Production may go on serving what was rejected."""
    runs = [execution(2, "InProgress", 9), execution(1, "Superseded", trigger=BY_CALL)]
    found = failure(
        {
            "codepipeline:ListPipelineExecutions": executions([], runs),
            "codepipeline:GetPipelineExecution": started_with("rollback"),
        }
    )

    assert found.line == f"The way back was superseded: execution {runs[0]['pipelineExecutionId']} came after it" + (
        " and took its place"
    )
    assert (found.cause, found.current) == ("way back superseded", True)


def test_another_execution_that_a_person_started_may_be_superseded() -> None:
    runs = [execution(2, "InProgress", 9), execution(1, "Superseded", trigger=BY_CALL)]
    answers = {
        "codepipeline:ListPipelineExecutions": executions([], runs),
        "codepipeline:GetPipelineExecution": started_with("auto"),
    }

    assert answer(answers).failure is None


def test_an_execution_that_stopped_because_another_does_the_same_is_no_failure() -> None:
    reason = {"reason": "Nothing to do: execution 7 deploys version 3 already"}
    runs = [execution(2, "Stopped", 9, stopTrigger=reason), execution(1, "Succeeded")]

    assert answer({"codepipeline:ListPipelineExecutions": executions([], runs)}).failure is None


def test_an_execution_nobody_knows_is_refused() -> None:
    words = "Neither the pipelines of claims nor the newest 50 batch runs of staging and production have execution 42"
    with pytest.raises(CannotLookError, match=words):
        answer({"codepipeline:ListPipelineExecutions": executions([execution(1, "Failed")])}, "42")


def test_a_stopped_execution_says_why_it_was_stopped() -> None:
    stopped = execution(1, "Stopped", stopTrigger={"reason": "Version 3 was rejected in the Model Registry"})

    found = failure({"codepipeline:ListPipelineExecutions": executions([], [stopped])})

    assert found.line == "The execution was stopped: Version 3 was rejected in the Model Registry"
    assert found.cause == "stopped"


def test_of_a_retried_stage_the_last_attempt_counts() -> None:
    first = action("Lambda", "Invoke", name="Record", result={"errorDetails": {"message": "first"}})
    again = {**first, "startTime": at(10), "lastUpdateTime": at(11), "status": "Succeeded"}
    other = action("Lambda", "Invoke", name="Notify", startTime=at(12), lastUpdateTime=at(13))
    other["output"]["executionResult"] = {"errorDetails": {"message": "second"}}

    found = failure(
        {
            "codepipeline:ListPipelineExecutions": executions([], [execution(1, "Failed")]),
            "codepipeline:ListActionExecutions": {"actionExecutionDetails": [other, again, first]},
        }
    )

    assert found.line == "second"


# ---- actions


def test_who_rejected_production_and_with_which_words() -> None:
    rejected = action(
        "Manual",
        "Approval",
        stage="ApproveProduction",
        name="ApproveProduction",
        updatedBy="arn:aws:sts::123456789012:assumed-role/Studio/ada",
        result={"externalExecutionSummary": "Recall is too low for pensioners"},
    )

    found = failure(
        {
            "codepipeline:ListPipelineExecutions": executions([], [execution(1, "Failed")]),
            "codepipeline:ListActionExecutions": {"actionExecutionDetails": [rejected]},
        }
    )

    assert found.line == "Rejected by assumed-role/Studio/ada: Recall is too low for pensioners"
    assert found.cause == "rejected before production"


def test_a_function_that_failed_is_told_with_what_it_wrote_to_the_log() -> None:
    failed = action(
        "Lambda",
        "Invoke",
        stage="DeployProduction",
        name="RecordDeployment",
        configuration={"FunctionName": "record"},
        result={"errorDetails": {"code": "JobFailed", "message": "The function did not return in time"}},
    )
    asked: list[str] = []

    def streams(logGroupName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        asked.append(logGroupName)
        return {"logStreams": [{"logStreamName": "2026/11/20/record[$LATEST]1"}]}

    found = failure(
        {
            "codepipeline:ListPipelineExecutions": executions([], [execution(1, "Failed")]),
            "codepipeline:ListActionExecutions": {"actionExecutionDetails": [failed]},
            "logs:DescribeLogStreams": streams,
            "logs:GetLogEvents": events(
                "[ERROR] KeyError: 'modelPackageArn'\nTraceback (most recent call last):\n  File"
            ),
        }
    )

    assert found.line == "The function did not return in time"
    assert found.more == ("[ERROR] KeyError: 'modelPackageArn'",)
    assert asked == [f"/aws/sagemaker-projects/{PROJECT.prefix}-functions"]
    assert [place.what for place in found.where] == ["pipeline", "action", "function", "log"]


def test_a_condition_that_was_not_met_is_named_with_its_values() -> None:
    rule = {
        "stageName": "DeployStaging",
        "ruleName": "SomethingToDeploy",
        "lastUpdateTime": at(3),
        "status": "Failed",
        "input": {"resolvedConfiguration": {"Variable": "maybe", "Operator": "EQ", "Value": "yes"}},
        "output": {"executionResult": {"errorDetails": {"code": "x", "message": "maybe is not yes"}}},
    }

    found = failure(
        {
            "codepipeline:ListPipelineExecutions": executions([], [execution(1, "Failed")]),
            "codepipeline:ListActionExecutions": {"actionExecutionDetails": []},
            "codepipeline:ListRuleExecutions": {"ruleExecutionDetails": [rule]},
        }
    )

    assert found.line == "A condition of stage DeployStaging was not met: maybe is not yes"
    assert found.more == ("Variable = maybe", "Operator = EQ", "Value = yes")
    assert found.cause == "condition of a stage"


def test_a_build_that_never_started_says_what_codepipeline_was_told() -> None:
    message = (
        "Error calling startBuild: User: arn:aws:sts::123456789012:assumed-role/DeployPipelineRole/1 is not authorized "
        "to perform: codebuild:StartBuild on resource: arn:aws:codebuild:eu-west-1:123456789012:project/x because no "
        "identity-based policy allows the codebuild:StartBuild action"
    )
    failed = action("CodeBuild", result={"errorDetails": {"code": "PermissionError", "message": message}})

    found = failure(
        failing_build("") | {"codepipeline:ListActionExecutions": {"actionExecutionDetails": [failed]}},
    )

    assert found.line == message
    assert found.to_try[0].startswith(
        "The role DeployPipelineRole lacks codebuild:StartBuild on arn:aws:codebuild:eu-west-1:123456789012:project/x."
    )


# ---- builds


def test_a_build_that_took_too_long_says_so() -> None:
    slow = {
        "buildStatus": "TIMED_OUT",
        "timeoutInMinutes": 240,
        "phases": [{"phaseType": "BUILD", "phaseStatus": "TIMED_OUT"}],
    }

    found = failure(failing_build("still training\n", **slow))

    assert found.line == "The build was TIMED_OUT after 240 minutes"
    assert found.cause == "timed out"


def test_a_buildspec_that_cannot_be_read_shows_codebuilds_words() -> None:
    context = {"statusCode": "YAML_FILE_ERROR", "message": "wrong yaml tag at line 7"}
    phases = [{"phaseType": "DOWNLOAD_SOURCE", "phaseStatus": "FAILED", "contexts": [context]}]

    found = failure(failing_build("Phase is DOWNLOAD_SOURCE\n", phases=phases))

    assert (found.line, found.cause) == ("YAML_FILE_ERROR: wrong yaml tag at line 7", "buildspec")


# ---- training


def test_the_quality_gate_names_the_metric_and_what_it_lacks() -> None:
    message = "The model does not pass the quality gate: accuracy=0.91 (at least 0.85); recall=0.41 (at least 0.6)"

    found = failure(failing_training(failed_step(message, Fail={"ErrorMessage": message})))

    assert found.line == message
    assert found.more == ("recall is 0.41: 0.19 below the 0.6 required",)
    assert found.cause == "below the quality gate"
    assert station(found, "execution") == "abcdef123456 of SageMaker pipeline claims-p-abc123def456, Failed"


def test_a_script_that_failed_is_explained_by_its_own_log_although_the_arn_is_in_lower_case() -> None:
    step = failed_step("AlgorithmError: See job logs for more information, exit code: 1", **processing_job())
    log = "reading\nclaims.csv breaks the data contract (steps/claims_contract.py).\nrecord 3: is -4"

    found = failure(failing_training(step, job_log=log))

    assert found.line == "claims.csv breaks the data contract (steps/claims_contract.py)."
    assert found.more == ("record 3: is -4",)
    assert found.cause == "data breaks the contract"
    assert station(found, "log") == f"/aws/codebuild/{PROJECT.build_pipeline}, stream 12345678" or JOB in station(
        found, "log"
    )
    assert JOB in found.where[-1].name
    assert "/log-events/pipelines-abcdef123456-Preprocess-Xy12Zw34Qr$252Falgo-1-1" in found.link


def test_a_job_that_never_ran_is_explained_by_sagemakers_words() -> None:
    reason = (
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: The account-level service limit "
        "'ml.m5.xlarge for processing job usage' is 0 Instances, with current utilization of 0 Instances"
    )

    found = failure(failing_training(failed_step(reason, **processing_job()), job_log="KeyError: 'not this'"))

    assert (found.line, found.cause) == (reason, "quota")
    assert "`ml.m5.xlarge for processing job usage`" in found.to_try[0]


def test_what_fails_after_the_training_is_the_builds_own() -> None:
    answers = failing_training() | {
        "sagemaker:DescribePipelineExecution": {
            "PipelineExecutionArn": EXECUTION,
            "PipelineExecutionStatus": "Succeeded",
        }
    }

    found = failure(answers)

    assert found.line == "make: *** [Makefile:60: pipeline] Error 1"
    assert "execution" not in [place.what for place in found.where]


def test_an_execution_started_by_hand_is_seen_too() -> None:
    answers = failing_training(failed_step("CapacityError: Unable to provision requested ML compute capacity.")) | {
        "codepipeline:ListPipelineExecutions": executions([execution(1, "Succeeded")]),
        "sagemaker:ListPipelineExecutions": {
            "PipelineExecutionSummaries": [
                {
                    "PipelineExecutionArn": EXECUTION,
                    "PipelineExecutionStatus": "Failed",
                    "StartTime": at(90),
                }
            ]
        },
    }

    found = failure(answers)

    assert (found.title, found.cause) == ("the SageMaker pipeline", "no capacity")


# ---- batch runs

RUN = ACCOUNT.format("sagemaker") + "pipeline/claims-prod/execution/abcdef123456"
UNPUBLISHED = (
    "ClientError: Lambda function arn:aws:lambda:eu-west-1:123456789012:function:check failed: "
    '{"errorMessage": "Nothing is published. s3://b/unchecked/abcdef123456/ stays for you to look at.\\n0.8000 of the '
    '20 decisions are \\"investigate\\"", "errorType": "BadAnswersError", "stackTrace": ["File \\"/var/task/check'
)
"""As a step tells it; its end is cut off."""
TRANSFORM_JOB = "pipelines-abcdef123456-Transform-Xy12Zw34Qr"


def run_step(name: str, reason: str, **metadata: Any) -> dict[str, Any]:
    return {**failed_step(reason, **metadata), "StepName": name, "StartTime": at(2)}


def transform_step(reason: str) -> dict[str, Any]:
    arn = ACCOUNT.format("sagemaker") + f"transform-job/{TRANSFORM_JOB.lower()}"
    return run_step("Transform", reason, TransformJob={"Arn": arn})


def batch_runs(step: dict[str, Any], *statuses: str, logs: dict[str, str] | None = None) -> dict[str, Any]:
    """Answers about a project whose production answers files; the statuses of its runs, the newest first.

    `logs` is what each stream holds.
    """
    found = [
        {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": status, "StartTime": at(90 - number)}
        for number, status in enumerate(statuses)
    ]

    def runs(PipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return {"PipelineExecutionSummaries": found if PipelineName == PROJECT.production_endpoint else []}

    def log_events(logStreamName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return events((logs or {})[logStreamName])

    return {
        "codepipeline:ListPipelineExecutions": executions([execution(1, "Succeeded")]),
        "sagemaker:ListPipelineExecutions": runs,
        "sagemaker:DescribePipelineExecution": {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": "Failed"},
        "sagemaker:ListPipelineExecutionSteps": {"PipelineExecutionSteps": [step]},
        "logs:DescribeLogStreams": {"logStreams": [{"logStreamName": name} for name in logs or {}]},
        "logs:GetLogEvents": log_events,
    }


def test_a_run_whose_answers_were_not_published_tells_what_the_check_found() -> None:
    found = failure(batch_runs(run_step("CheckAndPublish", UNPUBLISHED), "Failed", "Succeeded"))

    assert (found.title, found.current, found.since) == ("the batch runs of production", True, "")
    assert found.line == "Nothing is published. s3://b/unchecked/abcdef123456/ stays for you to look at."
    assert found.more == ('0.8000 of the 20 decisions are "investigate"',)
    assert station(found, "step") == "CheckAndPublish"
    assert station(found, "execution") == "abcdef123456 of SageMaker pipeline claims-prod, Failed"
    assert found.cause == "answers not published"
    assert "s3://b/unchecked/abcdef123456/" in found.to_try[0]
    assert "`make rollback`" in found.to_try[0]
    assert found.to_try[1].endswith("start-pipeline-execution --pipeline-name claims-prod")


def test_the_pipeline_to_start_is_written_as_the_project_writes_it_although_the_arn_is_in_lower_case() -> None:
    shouting = replace(PROJECT, name="Claims")
    answers = batch_runs(run_step("CheckAndPublish", UNPUBLISHED), "Failed")
    listed = {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": "Failed", "StartTime": at(90)}

    def runs(PipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return {"PipelineExecutionSummaries": [listed] if PipelineName == "Claims-prod" else []}

    found = look(FakeAws(answers | {"sagemaker:ListPipelineExecutions": runs}).aws(), shouting).failure

    assert found is not None
    assert found.to_try[1].endswith("start-pipeline-execution --pipeline-name Claims-prod")


def test_a_file_that_the_model_refused_is_named_with_what_the_model_said() -> None:
    data_log = (
        "2026-11-20T12:00:01.000:[sagemaker logs]: b/input/claims.jsonl: ClientError: 400\n"
        "2026-11-20T12:00:01.000:[sagemaker logs]: b/input/claims.jsonl: Bad HTTP status received from algorithm: 400\n"
        "2026-11-20T12:00:01.000:[sagemaker logs]: b/input/claims.jsonl: \n"
        "2026-11-20T12:00:01.000:[sagemaker logs]: b/input/claims.jsonl: Message:\n"
        '2026-11-20T12:00:01.000:[sagemaker logs]: b/input/claims.jsonl: {"error": "record 0: age is missing"}\n'
        "2026-11-20T12:00:02.000:[sagemaker logs]: b/input/more.jsonl: ClientError: 400\n"
    )
    logs = {f"{TRANSFORM_JOB}/i-0abc": "started", f"{TRANSFORM_JOB}/data-log": data_log}

    step = transform_step("ClientError: See job logs for more information")
    found = failure(batch_runs(step, "Failed", logs=logs))

    assert found.line == "s3://b/input/claims.jsonl: Bad HTTP status received from algorithm: 400"
    assert found.more == ("ClientError: 400", '{"error": "record 0: age is missing"}')
    assert found.cause == "record refused in a batch run"
    assert station(found, "log") == f"/aws/sagemaker/TransformJobs, stream {TRANSFORM_JOB}/data-log"


def test_a_model_that_falls_over_a_file_is_explained_by_its_own_log() -> None:
    own = "Traceback (most recent call last):\n  File \"inference.py\", line 3, in transform_fn\nKeyError: 'age'"
    refused_by = "[sagemaker logs]: b/input/claims.jsonl: Bad HTTP status received from algorithm: 500"
    logs = {f"{TRANSFORM_JOB}/i-0abc": own, f"{TRANSFORM_JOB}/data-log": refused_by}

    step = transform_step("AlgorithmError: See job logs for more information")
    found = failure(batch_runs(step, "Failed", logs=logs))

    assert found.line == "KeyError: 'age'"
    assert found.cause == "model failed in a batch run"


def test_a_function_whose_words_are_not_in_the_step_is_explained_by_its_log() -> None:
    step = run_step("LookAtInput", "ClientError: Lambda function failed", Lambda={"Arn": "arn:aws:lambda:check"})
    own = "[ERROR] UnusableInputError: s3://b/x.jsonl, line 3: each line has to be a request as the endpoint takes it"

    found = failure(batch_runs(step, "Failed", logs={"2026/11/20/check[$LATEST]1": own}))

    assert found.line == own
    assert found.cause == "unusable batch input"


def test_of_runs_the_newest_that_has_ended_counts() -> None:
    step = run_step("CheckAndPublish", UNPUBLISHED)

    assert answer(batch_runs(step, "Succeeded", "Failed")).failure is None
    assert failure(batch_runs(step, "Executing", "Failed")).since == "A newer run is under way."


def test_one_run_of_either_stage_can_be_asked_for() -> None:
    step = run_step("CheckAndPublish", UNPUBLISHED)
    answers = batch_runs(step, "Succeeded")
    for stage in ("prod", "staging"):
        run = RUN.replace("claims-prod", f"claims-{stage}").replace("abcdef123456", f"run{stage}")
        there = {"PipelineExecutionArn": run, "PipelineExecutionStatus": "Failed", "StartTime": at(1)}

        def runs(PipelineName: str, of: str = stage, there: Any = there, **_: Any) -> dict[str, Any]:  # noqa: N803
            return {"PipelineExecutionSummaries": [there] if PipelineName == f"claims-{of}" else []}

        found = answer(answers | {"sagemaker:ListPipelineExecutions": runs}, f"run{stage}").failure
        assert found is not None
        assert found.cause == "answers not published"
        assert found.title == f"the batch runs of {'production' if stage == 'prod' else 'staging'}"
        assert ("`make rollback`" in " ".join(found.to_try)) is (stage == "prod")


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_a_run_that_has_not_ended_is_not_explained(status: str) -> None:
    answers = batch_runs({"StepName": "Transform", "StepStatus": "Executing"}, status)
    running = {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": status}

    found = answer(answers | {"sagemaker:DescribePipelineExecution": running}, "abcdef123456").failure

    assert found is not None
    assert found.line == f"The execution abcdef123456 of the SageMaker pipeline is still running ({status})"
    assert found.to_try == ("Run this again when it has ended.",)


def test_a_run_that_outlived_the_build_that_waited_for_it_is_not_what_failed() -> None:
    slow = {"buildStatus": "TIMED_OUT", "timeoutInMinutes": 240, "phases": []}
    running = {"PipelineExecutionArn": EXECUTION, "PipelineExecutionStatus": "Executing"}

    found = failure(
        failing_build(f"Started {EXECUTION}\n", **slow)
        | {
            "sagemaker:DescribePipelineExecution": running,
            "sagemaker:ListPipelineExecutionSteps": {"PipelineExecutionSteps": []},
        }
    )

    assert (found.line, found.cause) == ("The build was TIMED_OUT after 240 minutes", "timed out")
    assert station(found, "execution").endswith(", Executing")


def succeeded(steps: Any) -> Answer:
    """What is said of a run of production that was asked for and succeeded with these steps."""
    answers = batch_runs({"StepName": "LookAtInput"}, "Succeeded")
    described = {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": "Succeeded"}
    told = {"sagemaker:DescribePipelineExecution": described, "sagemaker:ListPipelineExecutionSteps": steps}
    return answer(answers | told, "abcdef123456")


def test_a_run_that_succeeded_says_so_and_what_it_published() -> None:
    manifest = "s3://b/published/2026-11-20/abcdef123456/manifest.json"
    output = [{"Name": "Records", "Value": "20"}, {"Name": "Manifest", "Value": manifest}]
    step = {"StepName": "CheckAndPublish", "Metadata": {"Lambda": {"Arn": "a", "OutputParameters": output}}}

    found = succeeded({"PipelineExecutionSteps": [{"StepName": "LookAtInput"}, step]})

    assert found.failure is None
    assert found.success is not None
    assert found.success.title == "the batch runs of production"
    assert found.success.line == "The execution abcdef123456 succeeded and published the answers to 20 records"
    assert found.success.more == (manifest,)
    assert [place.name for place in found.success.where] == [
        "abcdef123456 of SageMaker pipeline claims-prod, Succeeded",
        "CheckAndPublish",
    ]


def test_a_run_that_succeeded_and_found_nothing_to_answer_says_so() -> None:
    found = succeeded({"PipelineExecutionSteps": [{"StepName": "LookAtInput"}, {"StepName": "AnythingToAnswer"}]})

    assert found.success is not None
    assert found.success.line == (
        "The execution abcdef123456 succeeded and published nothing: there was nothing to answer in its input"
    )


def test_a_run_that_succeeded_whose_steps_may_not_be_read_says_no_more_than_that() -> None:
    denied = "User: arn:aws:iam::1:user/x is not authorized to perform: sagemaker:ListPipelineExecutionSteps"

    found = succeeded(refused("AccessDeniedException", denied))

    assert found.success is not None
    assert found.success.line == "The execution abcdef123456 succeeded"
    assert any("ListPipelineExecutionSteps" in sentence for sentence in found.not_read)


def test_an_execution_of_a_pipeline_that_succeeded_or_has_not_ended_is_no_failure_without_a_cause() -> None:
    runs = [execution(2, "InProgress", 9), execution(1, "Succeeded")]
    answers = {
        "codepipeline:ListPipelineExecutions": executions([], runs),
        "codepipeline:ListActionExecutions": {"actionExecutionDetails": []},
    }

    ended, running = (answer(answers, run["pipelineExecutionId"]) for run in reversed(runs))

    assert (ended.failure, ended.success and ended.success.line) == (None, "The execution succeeded")
    assert running.failure is not None
    assert (running.failure.line, running.failure.cause) == ("The execution is still running", "still running")
    assert running.failure.to_try == ("Run this again when it has ended.",)


def test_a_run_that_the_tests_of_staging_could_not_use_is_followed_from_their_build() -> None:
    run = RUN.replace("claims-prod", "claims-staging")
    log = (
        f"E   AssertionError: The run {run} is Failed.\n"
        "E     CheckAndPublish: ClientError: Lambda function ...\n"
        f"FAILED test/test_batch.py::test_a_golden_record - AssertionError: The run {run[:-6]}...\n"
    )
    step = run_step("CheckAndPublish", UNPUBLISHED)
    asked: list[str] = []

    def steps(PipelineExecutionArn: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        asked.append(PipelineExecutionArn)
        return {"PipelineExecutionSteps": [step]}

    found = failure(
        failing_build(log)
        | {
            "sagemaker:DescribePipelineExecution": {"PipelineExecutionArn": run, "PipelineExecutionStatus": "Failed"},
            "sagemaker:ListPipelineExecutionSteps": steps,
        }
    )

    assert asked == [run]
    assert found.cause == "answers not published"
    assert "production was not touched" in found.to_try[0]


# ---- stacks


def test_the_cause_of_a_stack_is_its_first_failure_and_not_what_followed_from_it() -> None:
    denied = (
        "User: arn:aws:sts::1:assumed-role/EndpointDeploymentRole/x is not authorized to perform: "
        'sagemaker:CreateModel on resource: "arn:aws:sagemaker:eu-west-1:1:model/m"'
    )
    found = failure(
        failing_stack(
            own_event(4, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Alarm, Model]."),
            stack_event(3, "Alarm", "AWS::CloudWatch::Alarm", "CREATE_FAILED", "Resource creation cancelled"),
            stack_event(2, "Model", "AWS::SageMaker::Model", "CREATE_FAILED", denied),
            own_event(1, "CREATE_IN_PROGRESS", "User Initiated"),
        )
    )

    assert found.line == denied
    assert station(found, "resource") == "Model (AWS::SageMaker::Model), CREATE_FAILED"
    assert found.to_try[0].startswith("The role EndpointDeploymentRole lacks sagemaker:CreateModel on arn:aws:sage")
    assert found.link.endswith(f"stackId={STACK.replace(':', '%3A').replace('/', '%2F')}")


def test_an_older_failure_of_the_same_stack_is_not_taken_for_this_one() -> None:
    refusal = f"Stack:{STACK} is in ROLLBACK_COMPLETE state and can not be updated."
    found = failure(
        failing_stack(
            own_event(-50, "ROLLBACK_COMPLETE"),
            stack_event(-55, "Model", "AWS::SageMaker::Model", "CREATE_FAILED", "an old reason"),
            own_event(-60, "CREATE_IN_PROGRESS", "User Initiated"),
            message=refusal,
        )
    )

    assert (found.line, found.cause) == (refusal, "stack cannot be updated")


def test_alarms_that_rolled_a_deployment_back_are_the_cause_and_the_containers_log_is_left_alone() -> None:
    reason = "Endpoint update was rolled back: alarms tripped during the baking period: claims-prod-errors."
    fake = FakeAws(
        failing_stack(
            own_event(4, "UPDATE_ROLLBACK_IN_PROGRESS"),
            stack_event(3, "Endpoint", ENDPOINT, "UPDATE_FAILED", reason, PhysicalResourceId="claims-staging"),
            own_event(1, "UPDATE_IN_PROGRESS", "User Initiated"),
        )
    )

    found = look(fake.aws(), PROJECT).failure

    assert found is not None
    assert (found.line, found.cause) == (reason, "alarm during the deployment")
    assert "logs:DescribeLogStreams" not in fake.asked


def test_a_container_that_did_not_come_up_is_explained_by_its_log() -> None:
    reason = "The primary container for production variant AllTraffic did not pass the ping health check."
    stack = failing_stack(
        own_event(4, "ROLLBACK_IN_PROGRESS"),
        stack_event(3, "Endpoint", ENDPOINT, "CREATE_FAILED", reason),
        own_event(1, "CREATE_IN_PROGRESS", "User Initiated"),
    )
    log = [{"message": "Traceback (most recent call last):"}, {"message": "  File"}, {"message": "KeyError: 'x'"}]
    answers = stack | {
        "logs:DescribeLogStreams": {"logStreams": [{"logStreamName": "AllTraffic/i-1"}]},
        "logs:GetLogEvents": {"events": log},
    }

    found = failure(answers)

    assert (found.line, found.more) == ("KeyError: 'x'", (reason,))
    assert station(found, "endpoint") == "claims-staging, now gone: the stack took it back"
    assert station(found, "log") == "/aws/sagemaker/Endpoints/claims-staging, stream AllTraffic/i-1"
    assert found.cause == "health check"


# ---- the project itself


def test_a_launch_that_failed_is_followed_into_its_stack() -> None:
    reason = "The bucket you tried to create already exists, and you own it."
    stack = "SC-123456789012-pp-abc"
    events = [
        stack_event(2, "ArtifactBucket", "AWS::S3::Bucket", "CREATE_FAILED", f"{reason} BucketAlreadyExists"),
        own_event(1, "CREATE_IN_PROGRESS"),
    ]
    asked: list[str] = []

    def describe(StackName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        asked.append(StackName)
        return {"StackEvents": events}

    answers = {
        "sagemaker:DescribeProject": {
            "ProjectArn": ACCOUNT.format("sagemaker") + "project/claims",
            "ProjectName": "claims",
            "ProjectId": PROJECT.id,
            "ProjectStatus": "CreateFailed",
            "CreationTime": at(0),
            "ServiceCatalogProvisionedProductDetails": {
                "ProvisionedProductId": "pp-abc",
                "ProvisionedProductStatusMessage": "The launch failed",
            },
        },
        "servicecatalog:DescribeProvisionedProduct": {"ProvisionedProductDetail": {"LastRecordId": "rec-1"}},
        "servicecatalog:DescribeRecord": {
            "RecordDetail": {"Status": "FAILED", "RecordErrors": [{"Code": "E", "Description": "ArtifactBucket"}]}
        },
        "cloudformation:DescribeStackEvents": describe,
    }

    found = failure(answers)

    assert found.title == "the launch of the project"
    assert found.line.startswith(reason)
    assert asked == [stack]
    assert [place.what for place in found.where] == ["project", "record", "stack", "resource"]
    assert found.cause == "already exists"


def test_another_project_of_the_same_name_is_not_ours() -> None:
    answers = {
        "sagemaker:DescribeProject": {
            "ProjectArn": ACCOUNT.format("sagemaker") + "project/claims",
            "ProjectName": "claims",
            "ProjectId": "p-other",
            "ProjectStatus": "CreateFailed",
            "CreationTime": at(0),
        },
        "codepipeline:ListPipelineExecutions": executions([execution(1, "Succeeded")]),
    }

    assert answer(answers).failure is None


# ---- rights


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ([("PermissionsBoundaryArn", "arn:aws:iam::1:policy/company/Theirs")], "arn:aws:iam::1:policy/company/Theirs"),
        ([("PermissionsBoundaryArn", "")], "MLOpsProjectBoundary"),
        ([], "MLOpsProjectBoundary"),
    ],
)
def test_the_boundary_that_denied_is_named(parameters: list[tuple[str, str]], named: str) -> None:
    denied = (
        "User: arn:aws:sts::1:assumed-role/EndpointDeploymentRole/x is not authorized to perform: "
        "sagemaker:CreateModel on resource: arn:aws:sagemaker:eu-west-1:1:model/m because no permissions boundary "
        "allows the sagemaker:CreateModel action"
    )
    stack = {
        "StackName": "SC-123456789012-pp-abc",
        "CreationTime": at(0),
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters],
    }
    project = {
        "ProjectArn": ACCOUNT.format("sagemaker") + "project/claims",
        "ProjectName": "claims",
        "ProjectId": PROJECT.id,
        "ProjectStatus": "CreateCompleted",
        "CreationTime": at(0),
        "ServiceCatalogProvisionedProductDetails": {"ProvisionedProductId": "pp-abc"},
    }
    described = {"sagemaker:DescribeProject": project, "cloudformation:DescribeStacks": {"Stacks": [stack]}}
    found = failure(
        failing_stack(
            stack_event(2, "Model", "AWS::SageMaker::Model", "CREATE_FAILED", denied),
            own_event(1, "CREATE_IN_PROGRESS", "User Initiated"),
        )
        | described
    )

    assert found.cause == "missing right"
    assert found.to_try[-1] == f"The boundary of this project's roles is {named}."


def test_a_log_that_may_not_be_read_is_named_and_the_rest_is_told() -> None:
    denied = (
        "User: arn:aws:sts::123456789012:assumed-role/Studio/ada is not authorized to perform: logs:GetLogEvents on "
        "resource: arn:aws:logs:eu-west-1:123456789012:log-group:x because no identity-based policy allows it"
    )
    answers = failing_build("") | {"logs:GetLogEvents": refused("AccessDeniedException", denied)}

    found = answer(answers)

    assert found.failure is not None
    assert found.failure.line.startswith("COMMAND_EXECUTION_ERROR: Error while executing command: make pipeline.")
    assert found.not_read == (
        f"You may not read the log events of /aws/codebuild/{PROJECT.build_pipeline}: that takes logs:GetLogEvents on "
        "arn:aws:logs:eu-west-1:123456789012:log-group:x.",
    )


def test_no_right_to_look_at_pipelines_is_not_taken_for_no_failure() -> None:
    with pytest.raises(CannotLookError, match="cannot be looked at"):
        answer({"codepipeline:ListPipelineExecutions": refused("AccessDeniedException", "no")})


def test_keys_that_have_expired_end_it_at_once() -> None:
    with pytest.raises(CannotLookError, match="ExpiredTokenException"):
        answer({"sagemaker:DescribeProject": refused("ExpiredTokenException", "The token has expired")})


def test_pages_are_followed_and_no_more_than_asked_for() -> None:
    def pages(nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        number = int(nextToken)
        return {"pipelineExecutionSummaries": [execution(number, "Succeeded")], "nextToken": str(number + 1)}

    fake = FakeAws({"codepipeline:ListPipelineExecutions": pages})
    aws: Aws = fake.aws()

    found = aws.items("codepipeline", "ListPipelineExecutions", "pipelineExecutionSummaries", most=3, pipelineName="p")

    assert len(found) == len(fake.asked) == 3
