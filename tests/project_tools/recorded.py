"""A project on AWS, as its services answer about it. Tests change what they are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from project_tools.project import Project

PROJECT = Project("claims", "p-abc123def456")
ACCOUNT = "arn:aws:{}:eu-west-1:123456789012:"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EXECUTION = ACCOUNT.format("sagemaker") + "pipeline/claims-p-abc123def456/execution/abcdef123456"
JOB = "pipelines-abcdef123456-Preprocess-Xy12Zw34Qr"
STACK = ACCOUNT.format("cloudformation") + f"stack/{PROJECT.staging_stack}/11111111-2222-3333-4444-555555555555"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def execution(number: int, status: str, minutes: float = 0, **more: Any) -> dict[str, Any]:
    return {
        "pipelineExecutionId": f"00000000-0000-0000-0000-{number:012d}",
        "status": status,
        "startTime": at(minutes),
        "lastUpdateTime": at(minutes + 5),
        **more,
    }


def executions(build: list[dict[str, Any]], deploy: list[dict[str, Any]] | None = None) -> Any:
    """ListPipelineExecutions; each list the newest first."""

    def answer(pipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return {"pipelineExecutionSummaries": build if pipelineName == PROJECT.build_pipeline else deploy or []}

    return answer


def action(provider: str, category: str = "Build", **more: Any) -> dict[str, Any]:
    result = more.pop("result", {})
    configuration = more.pop("configuration", {})
    return {
        "stageName": more.pop("stage", "Build"),
        "actionName": more.pop("name", "TrainAndRegister"),
        "actionExecutionId": "a",
        "startTime": at(0),
        "lastUpdateTime": at(4),
        "status": "Failed",
        "input": {
            "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
            "configuration": configuration,
        },
        "output": {"executionResult": result},
        **more,
    }


def failing_build(log: str, **build: Any) -> dict[str, Any]:
    """Answers about a build pipeline whose CodeBuild action failed with this log."""
    identifier = f"{PROJECT.build_pipeline}:12345678"
    command = {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: make pipeline. Reason: exit status 2",
    }
    document = {
        "id": identifier,
        "buildStatus": "FAILED",
        "phases": [
            {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED"},
            {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [command]},
        ],
        "logs": {
            "groupName": f"/aws/codebuild/{PROJECT.build_pipeline}",
            "streamName": "12345678",
            "deepLink": "https://example.com/log",
        },
        **build,
    }
    failed = {"externalExecutionId": identifier, "errorDetails": {"code": "JobFailed", "message": "Build terminated"}}
    return {
        "codepipeline:ListPipelineExecutions": executions([execution(1, "Failed")]),
        "codepipeline:ListActionExecutions": {"actionExecutionDetails": [action("CodeBuild", result=failed)]},
        "codebuild:BatchGetBuilds": {"builds": [document]},
        "logs:GetLogEvents": events(log),
    }


def events(log: str) -> dict[str, Any]:
    return {"events": [{"timestamp": 1, "message": f"{line}\n"} for line in log.splitlines()]}


def failing_training(*steps: dict[str, Any], job_log: str = "") -> dict[str, Any]:
    """Answers about an execution of the SageMaker pipeline that a build started, and whose steps failed."""
    answers = failing_build(
        "[Container] 2026/11/20 12:00:01.000000 Running command make pipeline\n"
        f"Started {EXECUTION}\n"
        "make: *** [Makefile:60: pipeline] Error 1\n"
        "[Container] 2026/11/20 12:04:01.000000 Command did not exit successfully make pipeline exit status 2\n"
    )
    of_build = answers["logs:GetLogEvents"]

    def log_events(logGroupName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return events(job_log) if logGroupName.startswith("/aws/sagemaker/") else of_build

    def streams(logStreamNamePrefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        names = [f"{JOB}/algo-1-1", "pipelines-abcdef123456-Other-1/algo-1-1"]
        return {"logStreams": [{"logStreamName": name} for name in names if name.startswith(logStreamNamePrefix)]}

    return answers | {
        "sagemaker:DescribePipelineExecution": {
            "PipelineExecutionArn": EXECUTION,
            "PipelineExecutionStatus": "Failed",
            "FailureReason": "Step failure: One or multiple steps failed.",
        },
        "sagemaker:ListPipelineExecutionSteps": {"PipelineExecutionSteps": list(steps)},
        "logs:GetLogEvents": log_events,
        "logs:DescribeLogStreams": streams,
    }


def failed_step(reason: str, **metadata: Any) -> dict[str, Any]:
    return {
        "StepName": "Preprocess",
        "StepStatus": "Failed",
        "EndTime": at(3),
        "FailureReason": reason,
        "Metadata": metadata,
    }


def processing_job() -> dict[str, Any]:
    """SageMaker writes a job's ARN in lower case, its log under the job's name."""
    return {"ProcessingJob": {"Arn": ACCOUNT.format("sagemaker") + f"processing-job/{JOB.lower()}"}}


def stack_event(minutes: float, resource: str, kind: str, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    event = {
        "StackId": STACK,
        "EventId": f"{resource}-{status}-{minutes}",
        "StackName": PROJECT.staging_stack,
        "LogicalResourceId": resource,
        "ResourceType": kind,
        "ResourceStatus": status,
        "Timestamp": at(minutes),
        **more,
    }
    return event | ({"ResourceStatusReason": reason} if reason else {})


def own_event(minutes: float, status: str, reason: str = "") -> dict[str, Any]:
    return stack_event(
        minutes, PROJECT.staging_stack, "AWS::CloudFormation::Stack", status, reason, PhysicalResourceId=STACK
    )


def failing_stack(*events: dict[str, Any], message: str = "Stack was not created") -> dict[str, Any]:
    """Answers about a deployment whose CloudFormation action failed; `events` the newest first."""
    failed = action(
        "CloudFormation",
        "Deploy",
        stage="DeployStaging",
        name="DeployStaging",
        configuration={"StackName": PROJECT.staging_stack},
        result={"externalExecutionId": STACK, "errorDetails": {"code": "JobFailed", "message": message}},
    )
    return {
        "codepipeline:ListPipelineExecutions": executions([], [execution(1, "Failed")]),
        "codepipeline:ListActionExecutions": {"actionExecutionDetails": [failed]},
        "cloudformation:DescribeStackEvents": {"StackEvents": list(events)},
    }
