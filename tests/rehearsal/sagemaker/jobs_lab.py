"""A bench for jobs and pipelines: a bucket, roles with named grants, and short programs in real containers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.sagemaker.pipelines import Pipelines
from rehearsal.cloud.sagemaker.registry import Registry
from rehearsal.cloud.service import Credentials
from tests.rehearsal.images import IMAGE
from tests.waiting import until

REPOSITORY = "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-xgboost"
BUCKET = "lab-data"
LOGS = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/*"
JOBS = "arn:aws:sagemaker:us-east-1:123456789012:*"
ENDED = {"Completed", "Failed", "Stopped", "Succeeded"}

JOB_GRANTS: dict[str, tuple[list[str], list[str]]] = {
    "read": (["s3:GetObject"], [f"arn:aws:s3:::{BUCKET}/*"]),
    "list": (["s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}"]),
    "write": (["s3:PutObject"], [f"arn:aws:s3:::{BUCKET}/*"]),
    "login": (["ecr:GetAuthorizationToken"], ["*"]),
    "image": (["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"], [REPOSITORY]),
    "metrics": (["cloudwatch:PutMetricData"], ["*"]),
    "logs": (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"], [LOGS]),
}
PIPELINE_GRANTS: dict[str, tuple[list[str], list[str]]] = {
    **JOB_GRANTS,
    "create": (
        ["sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob"],
        [f"{JOBS}-job/pipelines-*".replace(":*-job", f":{kind}-job") for kind in ("processing", "training")],
    ),
    "describe": (["sagemaker:DescribeProcessingJob", "sagemaker:DescribeTrainingJob"], ["*"]),
    "stop": (["sagemaker:StopProcessingJob", "sagemaker:StopTrainingJob"], ["*"]),
    "tags": (["sagemaker:AddTags"], ["*"]),
    "pass": (["iam:PassRole"], ["arn:aws:iam::123456789012:role/lab-*"]),
    "register": (
        ["sagemaker:CreateModelPackageGroup", "sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"],
        ["*"],
    ),
}


class Lab(Pipelines, Registry):
    """The part of the SageMaker API that these tests need."""

    name = "sagemaker"


class Bench:
    """Sets scenes as the account's root and runs jobs and pipelines."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        root = cloud.identity.root
        self.s3, self.iam = cloud.client("s3", root), cloud.client("iam", root)
        self.sagemaker, self.logs = cloud.client("sagemaker", root), cloud.client("logs", root)
        self.s3.create_bucket(Bucket=BUCKET)
        self._roles: dict[tuple[str, ...], str] = {}

    # ---- roles

    def job_role(self, without: Iterable[str] = ()) -> str:
        """A role with every grant a job needs, except those left out."""
        return self._role("job", JOB_GRANTS, tuple(without))

    def pipeline_role(self, without: Iterable[str] = ()) -> str:
        """A role with every grant a pipeline and its jobs need, except those left out."""
        return self._role("pipeline", PIPELINE_GRANTS, tuple(without))

    def _role(self, kind: str, grants: dict[str, tuple[list[str], list[str]]], without: tuple[str, ...]) -> str:
        if (kind, *without) not in self._roles:
            statements = [
                {"Effect": "Allow", "Action": actions, "Resource": resources}
                for name, (actions, resources) in grants.items()
                if name not in without
            ]
            self._roles[(kind, *without)] = self.new_role("sagemaker.amazonaws.com", statements)
        return self._roles[(kind, *without)]

    def new_role(self, trusted: str, statements: list[dict[str, Any]]) -> str:
        name = f"lab-{uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": statements}
        self.iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(policy))
        return arn

    def person(self, *statements: dict[str, Any]) -> Any:
        """A SageMaker client of somebody who may do these things and nothing else."""
        arn = self.new_role("sagemaker.amazonaws.com", list(statements))
        person: Credentials = self.cloud.identity.session_of(arn, "person")
        return self.cloud.client("sagemaker", person)

    # ---- data

    def put(self, key: str, text: str) -> str:
        """An object in the lab's bucket; returns its URI."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        return f"s3://{BUCKET}/{key}"

    def text(self, uri: str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content.decode()

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def lines(self, group: str, job: str) -> list[str]:
        """What a job printed, as CloudWatch Logs has it."""
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=job)["logStreams"]
        assert len(streams) == 1, streams
        name = streams[0]["logStreamName"]
        return [e["message"] for e in self.logs.get_log_events(logGroupName=group, logStreamName=name)["events"]]

    # ---- jobs

    def process(self, shell: str, wait: bool = True, **changes: Any) -> dict[str, Any]:
        """Run a shell line as a processing job and describe it when it ended."""
        name = changes.pop("ProcessingJobName", f"job-{uuid4().hex[:8]}")
        self.sagemaker.create_processing_job(
            **{**processing(shell, self.job_role()), "ProcessingJobName": name} | changes
        )
        return self.processed(name) if wait else self.sagemaker.describe_processing_job(ProcessingJobName=name)

    def processed(self, name: str) -> dict[str, Any]:
        return self.until(lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")

    def train(self, shell: str, **changes: Any) -> dict[str, Any]:
        """Run a shell line as a training job and describe it when it ended."""
        name = changes.pop("TrainingJobName", f"job-{uuid4().hex[:8]}")
        self.sagemaker.create_training_job(**{**training(shell, self.job_role()), "TrainingJobName": name} | changes)
        return self.until(lambda: self.sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")

    # ---- pipelines

    def pipeline(self, steps: list[dict[str, Any]], parameters: Iterable[dict[str, Any]] = (), **more: Any) -> str:
        """Create a pipeline; returns its name."""
        name: str = more.pop("PipelineName", f"Lab-{uuid4().hex[:8]}")
        self.sagemaker.create_pipeline(
            PipelineName=name,
            PipelineDefinition=definition(steps, parameters),
            RoleArn=more.pop("RoleArn", None) or self.pipeline_role(),
            **more,
        )
        return name

    def play(self, name: str, **parameters: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Run an execution to its end; returns it and its steps by name."""
        arn = self.start(name, **parameters)
        return self.ended(arn), self.steps(arn)

    def start(self, name: str, **parameters: str) -> str:
        given = [{"Name": key, "Value": value} for key, value in parameters.items()]
        arn: str = self.sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)[
            "PipelineExecutionArn"
        ]
        return arn

    def ended(self, arn: str) -> dict[str, Any]:
        return self.until(
            lambda: self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus"
        )

    def steps(self, arn: str) -> dict[str, dict[str, Any]]:
        answer = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}

    @staticmethod
    def until(describe: Any, member: str, wanted: Iterable[Any] = ENDED) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            answer: dict[str, Any] = describe()
            return answer if answer[member] in wanted else None

        return until(reached, f"{member} {wanted}")


def processing(shell: str, role: str) -> dict[str, Any]:
    """Arguments of a processing job that runs a shell line."""
    return {
        "RoleArn": role,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", shell]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }


def training(shell: str, role: str) -> dict[str, Any]:
    """Arguments of a training job that runs a shell line."""
    return {
        "RoleArn": role,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sh", "-c", shell],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def taken(name: str, uri: Any, path: str) -> dict[str, Any]:
    """A processing input."""
    given = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": given}


def left(name: str, uri: Any, path: str) -> dict[str, Any]:
    """A processing output."""
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}}


def definition(steps: list[dict[str, Any]], parameters: Iterable[dict[str, Any]] = ()) -> str:
    """A pipeline definition."""
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": steps})
