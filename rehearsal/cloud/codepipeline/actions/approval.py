"""Manual approval: wait for a person.

https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

from botocore.exceptions import ClientError

from rehearsal.cloud.codepipeline.actions.base import Action, ActionFailed, Job, Shape
from rehearsal.cloud.codepipeline.records import Approval, new_id, without_empty
from rehearsal.cloud.codepipeline.variables import REFERENCE
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

EXPIRES_SECONDS = 7 * 24 * 3600
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""
ARN = re.compile(r"arn:aws[\w-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):\d{12}:.+")


class ManualApproval(Action):
    """Publishes a request to a topic, when there is one, and waits for PutApprovalResult."""

    shape = Shape(
        categories=frozenset({"Approval"}),
        provider="Manual",
        required=frozenset(),
        optional=frozenset({"CustomData", "ExternalEntityLink", "NotificationArn"}),
    )

    def check(self, declaration: Document, stage: str) -> None:
        """A topic's ARN must be one, of SNS."""
        topic = declaration["configuration"].get("NotificationArn", "")
        if not topic or REFERENCE.search(topic):
            return
        parts = ARN.fullmatch(topic)
        if parts is None:
            raise AwsError(
                "InvalidActionDeclarationException",
                f"The ARN {topic} you specified for sending notifications for the approval action "
                f"{declaration['name']} contains a format error.",
            )
        if parts["service"] != "sns":
            raise AwsError(
                "InvalidActionDeclarationException",
                f"The ARN {topic} has been specified for sending notifications for the approval action "
                f"{declaration['name']}, but the AWS service for this ARN cannot be used to send approval requests.",
            )

    def run(self, job: Job) -> None:
        seconds = float(job.run.declaration.get("timeoutInMinutes", EXPIRES_SECONDS // 60)) * 60
        approval = Approval(new_id(), job.cloud.clock.timestamp() + seconds)

        def ask() -> None:
            job.run.approval = approval
            job.run.external_url = job.configuration.get("ExternalEntityLink", "")

        job.changed(ask)
        if "NotificationArn" in job.configuration:
            self._notify(job, approval)
        job.wait_for_approval(job.run, seconds)
        if not approval.status:
            raise ActionFailed(
                f"The approval action timed out: nobody approved or rejected it within {seconds / 60:.0f} minutes",
                "JobFailed",
            )
        job.run.updated_by = approval.approver
        # ListActionExecutions shows who decided; the state shows what they wrote.
        job.run.summary = approval.summary or f"{approval.status} by {approval.approver}"
        if approval.status == "Rejected":
            said = f": {approval.summary}" if approval.summary else ""
            raise ActionFailed(f"Rejected by {approval.approver}{said}")

    @staticmethod
    def _notify(job: Job, approval: Approval) -> None:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-json-format.html"""
        pipeline, stage, action = job.execution.pipeline_name, job.run.stage, job.run.name
        console = f"https://console.aws.amazon.com/codepipeline/home?region={job.cloud.region}#/view/{quote(pipeline)}"
        message = {
            "region": job.cloud.region,
            "consoleLink": console,
            "approval": without_empty(
                {
                    "pipelineName": pipeline,
                    "stageName": stage,
                    "actionName": action,
                    "token": approval.token,
                    "expires": datetime.fromtimestamp(approval.expires, UTC).strftime("%Y-%m-%dT%H:%MZ"),
                    "externalEntityLink": job.configuration.get("ExternalEntityLink", ""),
                    "approvalReviewLink": f"{console}/{quote(stage)}/{quote(action)}/approve/{approval.token}",
                    "customData": job.configuration.get("CustomData", ""),
                }
            ),
        }
        topic = job.configuration["NotificationArn"]
        try:
            job.cloud.client("sns", job.credentials).publish(
                TopicArn=topic,
                Subject=f"APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {action}"[:100],
                Message=json.dumps(message),
            )
        except ClientError as problem:
            error = problem.response["Error"]
            raise ActionFailed(
                f"The approval request could not be published to {topic}: {error['Code']}: {error['Message']}. "
                "Grant the pipeline's service role sns:Publish on the topic, or correct NotificationArn",
                "PermissionError" if error["Code"].startswith(("AccessDenied", "Authorization")) else "JobFailed",
            ) from problem
