"""The stack behind a project that was made from a template in S3.

SageMaker has CloudFormation make it in the name of whoever creates the project, with the role they hand over:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CfnCreateTemplateProvider.html. What the samples of AWS
grant to the people who create such projects is what is asked of them here, all of it, because no page tells which part
is needed when: to assume the role, to pass it, and to manage stacks named ``SP-``.
https://github.com/aws-samples/sagemaker-custom-project-templates/tree/main/s3_templates

Not documented either: whether SageMaker acknowledges what a template does with IAM. It does here, as Service Catalog
does it, unless the cloud's settings say otherwise.
"""

from __future__ import annotations

import threading
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.tags import passing
from rehearsal.cloud.service import Call, Document
from rehearsal.cloud.stack_failures import first_failure

POLL_SECONDS = 0.05
LONGEST_MESSAGE = 4096
MACROS = ["CAPABILITY_AUTO_EXPAND"]
ROLES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


def provider_calls(request: Document) -> list[Call]:
    """What handing over the roles of a request's templates needs."""
    roles = [each.get("CfnTemplateProvider", {}).get("RoleARN") for each in request.get("TemplateProviders", [])]
    return [call for role in roles if role for call in (Call("sts:AssumeRole", role), passing(role))]


class TemplateStack:
    """One stack. `theirs` is a CloudFormation client of whoever changes it, `own` one of SageMaker, which watches."""

    def __init__(
        self,
        name: str,
        own: Any,  # noqa: ANN401 - boto3
        stopping: threading.Event,
        *,
        acknowledge_roles: bool,
    ) -> None:
        self.name = name
        self._acknowledged = [*MACROS, *(ROLES if acknowledge_roles else [])]
        self.id = ""
        self._own = own
        self._stopping = stopping

    def create(self, theirs: Any, provider: Document, parameters: list[Document]) -> str:  # noqa: ANN401 - boto3
        """Create the stack; how it ended. Raises AwsError with the first cause when it fails."""
        role = {"RoleARN": provider["RoleARN"]} if "RoleARN" in provider else {}
        try:
            self.id = theirs.create_stack(
                StackName=self.name,
                TemplateURL=provider["TemplateURL"],
                Parameters=_given(parameters),
                Capabilities=self._acknowledged,
                **role,
            )["StackId"]
        except ClientError as refusal:
            raise AwsError("ValidationException", refusal.response["Error"]["Message"]) from refusal
        return self._ended("CREATE")

    def update(self, theirs: Any, template_url: str, parameters: list[Document]) -> str:  # noqa: ANN401 - boto3
        """Update the stack with the role it was made with; how it ended. Raises AwsError when it is rolled back."""
        try:
            theirs.update_stack(
                StackName=self.name,
                TemplateURL=template_url,
                Parameters=_given(parameters),
                Capabilities=self._acknowledged,
            )
        except ClientError as refusal:
            raise AwsError("ValidationException", refusal.response["Error"]["Message"]) from refusal
        return self._ended("UPDATE")

    def delete(self, theirs: Any) -> str:  # noqa: ANN401 - boto3
        """Delete the stack with the role it was made with. Raises AwsError with the first cause if something stays."""
        if not self.id:
            return "There was no stack."  # its creation was refused
        try:
            theirs.delete_stack(StackName=self.id)
        except ClientError as refusal:
            raise AwsError("ValidationException", refusal.response["Error"]["Message"]) from refusal
        return self._ended("DELETE")

    def _ended(self, operation: str) -> str:
        while True:
            [found] = self._own.describe_stacks(StackName=self.id)["Stacks"]
            status: str = found["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                break
            if self._stopping.wait(POLL_SECONDS):
                raise AwsError("ServiceUnavailable", "the cloud is stopping")
        if status != f"{operation}_COMPLETE":
            raise AwsError("ValidationException", first_failure(self._own, self.id, operation) or status)
        return status


def _given(parameters: list[Document]) -> list[Document]:
    return [{"ParameterKey": each["Key"], "ParameterValue": each.get("Value", "")} for each in parameters]
