"""A project whose versions are on their way into production, and out of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fake_aws import REGION, Document, FakeAws
from moto.sns.models import sns_backends
from scene import GROUP, NOON, PREFIX, PRODUCTION, CodePipelines, SageMaker, Stacks, done, package_arn

DEPLOY = f"{PREFIX}-modeldeploy"
STAGING_STACK = f"{PREFIX}-deploy-staging"
LATER = NOON + timedelta(minutes=5)


class Project:
    """A project with versions 1 (was live), 2 (is live) and 3 (new); one of them is rejected."""

    def __init__(self, account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker) -> None:
        self.account, self.pipelines, self.sagemaker = account, pipelines, sagemaker
        self.stacks = Stacks(account, pipelines.clock)
        self.topic = account.client("sns").create_topic(Name="notifications")["TopicArn"]
        pipelines.executions[DEPLOY] = []
        for version in (1, 2, 3):
            sagemaker.register(version)
        sagemaker.serve(PRODUCTION, 2)

    def execution(self, *actions: Document, **more: Any) -> str:
        return self.pipelines.execution(DEPLOY, done("Source"), *actions, **more)

    def staging(self, keep: str | None = "false", status: str = "UPDATE_COMPLETE") -> Document:
        """The staging stack, as a deployment leaves it."""
        stack = self.stacks.stack(STAGING_STACK, status)
        stack["Tags"] = [{"Key": "keep-after-tests", "Value": keep}] if keep else []
        return stack

    def reject(self, version: int, why: str = "") -> Document:
        """Reject a version in the registry, five minutes after all that is there; the event of that."""
        self.pipelines.clock.now = LATER.timestamp()
        package = self.sagemaker.packages[package_arn(version)]
        package.update(ModelApprovalStatus="Rejected", LastModifiedTime=LATER)
        if why:
            package["ApprovalDescription"] = why
        return {
            "source": "aws.sagemaker",
            "detail-type": "SageMaker Model Package State Change",
            "detail": {
                "ModelPackageGroupName": GROUP,
                "ModelPackageVersion": version,
                "ModelPackageArn": package_arn(version),
                "ModelApprovalStatus": "Rejected",
                "UpdatedModelPackageFields": ["ModelApprovalStatus"],
                "LastModifiedTime": LATER.isoformat(),
            },
        }

    @property
    def stopped(self) -> dict[str, Document]:
        return self.pipelines.stopped()

    @property
    def rollbacks(self) -> list[str]:
        return [each["id"] for each in self.pipelines.executions[DEPLOY] if each["asked_for"] == "rollback"]

    @property
    def messages(self) -> list[tuple[str, str]]:
        sent = sns_backends["123456789012"][REGION].topics[self.topic].sent_notifications
        return [(subject, text) for _, text, subject, _, _ in sent]

    def only_message(self) -> tuple[str, str]:
        (message,) = self.messages
        return message

    def set_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the template gives the functions."""
        monkeypatch.setenv("DEPLOY_PIPELINE", DEPLOY)
        monkeypatch.setenv("MODEL_PACKAGE_GROUP_NAME", GROUP)
        monkeypatch.setenv("PRODUCTION_ENDPOINT_NAME", PRODUCTION)
        monkeypatch.setenv("STAGING_STACK_NAME", STAGING_STACK)
        monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", self.topic)
