"""The stack behind a provisioned product, made, updated and removed as the launch role."""

from __future__ import annotations

import threading
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document
from rehearsal.cloud.stack_failures import first_failure

POLL_SECONDS = 0.05
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class ProductStack:
    """One stack. `cloudformation` is a client with the credentials that the launch acts with."""

    def __init__(self, cloudformation: Any, name: str, stopping: threading.Event) -> None:  # noqa: ANN401 - boto3
        self._cloudformation = cloudformation
        self._name = name
        self._stopping = stopping

    def create(self, template_url: str, parameters: list[Document], tags: list[Document]) -> list[Document]:
        """Create the stack; its outputs, and its ARN. Raises AwsError with the first cause when it fails.

        The role needs what AWS lists for launch constraints:
        https://docs.aws.amazon.com/servicecatalog/latest/adminguide/constraints-launch.html
        """
        self._cloudformation.get_template_summary(TemplateURL=template_url)
        self._cloudformation.create_stack(
            StackName=self._name,
            TemplateURL=template_url,
            Parameters=parameters,
            Capabilities=CAPABILITIES,
            Tags=tags,
        )
        return self._made(self._settled(self._name), "CREATE")

    def update(self, template_url: str, parameters: list[Document]) -> list[Document]:
        """Update the stack; its outputs, and its ARN. Raises AwsError with the first cause when it is rolled back."""
        self._cloudformation.get_template_summary(TemplateURL=template_url)
        self._cloudformation.update_stack(
            StackName=self._name, TemplateURL=template_url, Parameters=parameters, Capabilities=CAPABILITIES
        )
        return self._made(self._settled(self._name), "UPDATE")

    def _made(self, stack: Document, operation: str) -> list[Document]:
        if stack["StackStatus"] != f"{operation}_COMPLETE":
            raise AwsError("ResourceOperationFailed", self._cause(stack, operation))
        outputs = [
            {
                "OutputKey": each["OutputKey"],
                "OutputValue": each["OutputValue"],
                "Description": each.get("Description", ""),
            }
            for each in stack.get("Outputs", [])
        ]
        arn = {"OutputKey": "CloudformationStackARN", "OutputValue": stack["StackId"], "Description": "The stack's ARN"}
        return [*outputs, arn]

    def delete(self) -> None:
        """Delete the stack. Raises AwsError with the first cause when something stays."""
        try:
            stack = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]
        except ClientError as problem:
            if "does not exist" in problem.response["Error"]["Message"]:
                return  # the launch failed before there was one
            raise
        self._cloudformation.delete_stack(StackName=stack["StackId"])
        stack = self._settled(stack["StackId"])  # by its id: the name is gone with the stack
        if stack["StackStatus"] != "DELETE_COMPLETE":
            raise AwsError("ResourceOperationFailed", self._cause(stack, "DELETE"))

    def _settled(self, name: str) -> Document:
        while True:
            found: Document = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                return found
            if self._stopping.wait(POLL_SECONDS):
                raise AwsError("ServiceUnavailable", "the cloud is stopping")

    def _cause(self, stack: Document, operation: str) -> str:
        cause = first_failure(self._cloudformation, stack["StackId"], operation)
        return (
            cause or f"the stack ended as {stack['StackStatus']}: {stack.get('StackStatusReason', 'no reason given')}"
        )
