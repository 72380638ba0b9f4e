"""Jobs: actions that somebody else does and reports on.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
"""

from __future__ import annotations

from rehearsal.cloud.codepipeline.records import InvokeJob
from rehearsal.cloud.codepipeline.room import Room
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

LARGEST_VARIABLES = 122_880
"""Bytes of all output variables of an action.

https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
"""


def _needs(action: str) -> Needs:
    """Jobs have no ARN: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html"""

    def needs(_room: Jobs, _request: Document) -> list[Call]:
        return [Call(f"codepipeline:{action}")]

    return needs


class Jobs(Room):
    """The operations on jobs."""

    jobs: dict[str, InvokeJob]

    def open_job(self, job: InvokeJob) -> None:
        """Let somebody report on a job."""
        with self.changed:
            self.jobs[job.job_id] = job

    def close_job(self, job: InvokeJob) -> None:
        """The action is over: reports that come now are too late."""
        with self.changed:
            job.over = True

    def _waiting(self, job_id: str) -> InvokeJob:
        job = self.jobs.get(job_id)
        if job is None:
            raise AwsError("JobNotFoundException", f"Job not found: {job_id}")
        if job.over:
            raise AwsError("InvalidJobStateException", f"Job {job_id} is already in a terminal state.")
        return job

    @operation("PutJobSuccessResult", _needs("PutJobSuccessResult"))
    def put_job_success_result(self, request: Document, caller: Credentials) -> Document:
        for member in ("continuationToken", "currentRevision"):
            if member in request:
                raise NotImplementedHere(f"{member} of codepipeline:PutJobSuccessResult")
        variables = dict(request.get("outputVariables") or {})
        if sum(len(f"{key}{value}".encode()) for key, value in variables.items()) > LARGEST_VARIABLES:
            raise AwsError(
                "OutputVariablesSizeExceededException",
                "Exceeded the total size limit for all variables in the pipeline.",
            )
        details = request.get("executionDetails") or {}
        with self.changed:
            job = self._waiting(request["jobId"])
            job.succeeded, job.variables = True, variables
            job.message, job.external_id = details.get("summary", ""), details.get("externalExecutionId", "")
            job.over = True
            self.changed.notify_all()
        return {}

    @operation("PutJobFailureResult", _needs("PutJobFailureResult"))
    def put_job_failure_result(self, request: Document, caller: Credentials) -> Document:
        details = request["failureDetails"]
        with self.changed:
            job = self._waiting(request["jobId"])
            job.failure_type, job.message = details["type"], details["message"]
            job.external_id = details.get("externalExecutionId", "")
            job.over = True
            self.changed.notify_all()
        return {}
