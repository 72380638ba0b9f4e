"""Lambda as invoke action: a function is started and reports back by itself.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html
"""

from __future__ import annotations

import json
import time
from typing import Protocol, cast

from rehearsal.cloud.codepipeline.actions.base import Action, ActionFailed, Job, Shape
from rehearsal.cloud.codepipeline.records import Artifact, InvokeJob, without_empty
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.lambda_.patience import Patience
from rehearsal.cloud.service import Document
from rehearsal.cloud.service_calls import CODEPIPELINE_LAMBDA

LOOK_EVERY = 0.05  # seconds between two looks at a job
REPLY_SECONDS = 20 * 60
""""If the Lambda function has sent no reply after 20 minutes, the action times out."

https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
"""
CREDENTIALS_SECONDS = 3600
SILENT = (
    "The AWS Lambda function {} failed to return a result. Check the function to verify that it has permission to send "
    "a result to AWS CodePipeline, and that it calls PutJobSuccessResult or PutJobFailureResult."
)


class Jobs(Protocol):
    """What this action needs of the CodePipeline room."""

    def open_job(self, job: InvokeJob) -> None:
        """Let a function report on a job."""

    def close_job(self, job: InvokeJob) -> None:
        """Take no more reports."""


class LambdaInvoke(Action):
    """Invokes a function with the pipeline's role and waits for PutJobSuccessResult or PutJobFailureResult."""

    shape = Shape(
        categories=frozenset({"Invoke"}),
        provider="Lambda",
        required=frozenset({"FunctionName"}),
        optional=frozenset({"UserParameters"}),
        inputs=(0, 5),
        outputs=(0, 5),
    )

    def run(self, job: Job) -> None:
        function = job.configuration["FunctionName"]
        job.run.outputs = [job.new_artifact(each["name"]) for each in job.run.declaration["outputArtifacts"]]
        room = cast(Jobs, job.cloud.services["codepipeline"])
        record = InvokeJob(job.run.action_execution_id)
        event = self._event(job, record.job_id)
        room.open_job(record)
        try:
            self._invoke(job, function, event)
            job.progress(
                external_id=record.job_id,
                external_url=f"https://console.aws.amazon.com/lambda/home?region={job.cloud.region}#/functions/{function}",
            )
            patience = Patience(job.cloud, function, REPLY_SECONDS)
            while not record.over:
                if patience.over():
                    raise ActionFailed(SILENT.format(function))
                job.pause(LOOK_EVERY)
        except ActionFailed:
            job.run.outputs = []
            raise
        finally:
            room.close_job(record)
        self._take(job, record)

    @staticmethod
    def _take(job: Job, record: InvokeJob) -> None:
        """What the function reported."""
        if record.external_id:
            job.progress(external_id=record.external_id)
        if not record.succeeded:
            job.run.outputs = []
            raise ActionFailed(record.message, record.failure_type)
        job.run.summary = record.message
        job.run.variables = dict(record.variables)

    @staticmethod
    def _invoke(job: Job, function: str, event: Document) -> None:
        """CodePipeline invokes asynchronously: https://docs.aws.amazon.com/lambda/latest/dg/services-codepipeline.html"""
        arguments = {
            "FunctionName": function,
            "InvocationType": "Event",
            "Payload": json.dumps(event).encode(),
        }
        try:
            job.cloud.identity.require_service_calls(job.credentials, CODEPIPELINE_LAMBDA)
            job.cloud.call(job.credentials, "lambda", "Invoke", arguments)
        except AccessDenied as problem:
            raise ActionFailed(
                f"The provided role does not have permissions to invoke the Lambda function {function}: "
                f"{problem.message}",
                "PermissionError",
            ) from problem
        except AwsError as problem:
            code = "ConfigurationError" if problem.code == "ResourceNotFoundException" else "JobFailed"
            raise ActionFailed(
                f"The AWS Lambda function {function} was not invoked: {problem.message}", code
            ) from problem

    # ---- the event

    def _event(self, job: Job, job_id: str) -> Document:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html"""
        key = job.store.encryption_key
        data = {
            "actionConfiguration": {"configuration": dict(job.configuration)},
            "inputArtifacts": [_artifact(each, each.revision or None) for each in job.run.inputs],
            "outputArtifacts": [_artifact(each, None) for each in job.run.outputs],
            "artifactCredentials": self._credentials(job),
            **without_empty({"encryptionKey": {"id": key, "type": "KMS"} if key else {}}),
        }
        return {"CodePipeline.job": {"id": job_id, "accountId": job.cloud.account, "data": data}}

    @staticmethod
    def _credentials(job: Job) -> Document:
        """Keys of the pipeline's role that reach the artifacts of this action and nothing else."""
        artifacts = {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{each.bucket}/{each.key}" for each in (*job.run.inputs, *job.run.outputs)]
            or f"arn:aws:s3:::{job.store.bucket}/{job.execution.pipeline_name[:20]}/*",
        }
        key = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [artifacts, key]})
        keys = job.cloud.identity.narrowed(job.store.role_arn, job.execution.execution_id, policy)
        return {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
            "expirationTime": int((time.time() + CREDENTIALS_SECONDS) * 1000),
        }


def _artifact(artifact: Artifact, revision: str | None) -> Document:
    return {
        "name": artifact.name,
        "revision": revision,
        "location": {"type": "S3", "s3Location": {"bucketName": artifact.bucket, "objectKey": artifact.key}},
    }
