"""The deploy repository's own template on a light cloud: one stack of one stage, and versions to deploy with it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from tests.rehearsal.sagemaker.hosting import CODE, IMAGE, Stage
from tests.waiting import until

TEMPLATE = Path(__file__).parents[3] / "deploy_repo" / "endpoint-config-template.yml"
QUICK = {
    "EndpointInstanceCount": 2,
    "EndpointMaxInstanceCount": 2,
    "TrafficWaitSeconds": 120,
    "TerminationWaitSeconds": 120,
    "ServerErrorsAlarmCount": 1,
    "EnableDataCapture": "false",
}
"""What all these stacks are made with, unless a test says otherwise."""


@cache
def _of_deploy_repo(name: str) -> ModuleType:
    """A module of the deploy repository's own package, which is found without a place on the path for all the rest."""
    package = TEMPLATE.parent / "deployment"
    if "deployment" not in sys.modules:
        spec = importlib.util.spec_from_file_location("deployment", package / "__init__.py")
        assert spec is not None
        sys.modules["deployment"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"deployment.{name}")


@cache
def _document(template: Path) -> dict[str, Any]:
    document: dict[str, Any] = _of_deploy_repo("template").load(template)
    return document


def with_update_digest(parameters: Mapping[str, object], template: Path = TEMPLATE) -> dict[str, str]:
    """The parameters with what build.py adds to them in the end."""
    texts, rendering = {name: str(value) for name, value in parameters.items()}, _of_deploy_repo("rendering")
    return {**texts, rendering.UPDATE_DIGEST: rendering.update_digest(_document(template), texts)}


class DeployedStage:
    """One stage's stack. `deploy` ends when CloudFormation has, well or not."""

    def __init__(self, stage: Stage, **parameters: object) -> None:
        self.stage = stage
        mark = uuid4().hex[:8]
        self.stack = f"deployment-of-{mark}"
        self.endpoint = f"claims-{mark}"
        self.group = f"claims-{mark}"
        self._role = stage.role()
        self._parameters = QUICK | parameters
        self._stacks = stage.client("cloudformation")
        stage.sagemaker.create_model_package_group(ModelPackageGroupName=self.group)

    def package(self, answer: str, **more: Any) -> str:
        """The ARN of a new approved version that always gives this answer."""
        container = {"Image": IMAGE, "ModelDataUrl": self.stage.artefact(answer, **more), "Environment": CODE}
        arn: str = self.stage.sagemaker.create_model_package(
            ModelPackageGroupName=self.group,
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )["ModelPackageArn"]
        until(lambda: self._package_status(arn) == "Completed")
        return arn

    def _package_status(self, arn: str) -> str:
        found: str = self.stage.sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"]
        return found

    def deploy(self, answer: str, **parameters: object) -> str:
        """Deploy a version that gives this answer, with these parameters this once. Answers the stack's status."""
        self.begin(answer, **parameters)
        return self.settled()

    def begin(self, answer: str, **parameters: object) -> None:
        """Start a deployment."""
        self.change(self.package(answer), **parameters)

    def deploy_again(self, package: str, **parameters: object) -> str:
        """Deploy a version that there is, with these parameters this once. Answers the stack's status."""
        self.change(package, **parameters)
        return self.settled()

    def change(self, package: str, **parameters: object) -> None:
        """Start a deployment of a version that there is."""
        given = {
            **self._parameters,
            **parameters,
            "SageMakerProjectName": "claims",
            "SageMakerProjectId": "p-1",
            "StageName": "prod",
            "EndpointName": self.endpoint,
            "ModelPackageName": package,
            "ModelExecutionRoleArn": self._role,
            "DataCaptureS3Uri": "s3://models/captured",
            "AsyncS3Uri": "s3://models/async",
            "KmsKeyArn": "",
            "VpcSubnetIds": "",
            "VpcSecurityGroupIds": "",
        }
        arguments = {
            "StackName": self.stack,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in with_update_digest(given).items()
            ],
        }
        if self.status() is None:
            self._stacks.create_stack(**arguments)
        else:
            self._stacks.update_stack(**arguments)

    def settled(self) -> str:
        """The stack's status once nothing is under way."""

        def at_rest() -> str | None:
            status = self.status() or ""
            return None if status.endswith("IN_PROGRESS") else status

        return until(at_rest, f"an end of what {self.stack} does")

    def status(self) -> str | None:
        try:
            found: str = self._stacks.describe_stacks(StackName=self.stack)["Stacks"][0]["StackStatus"]
        except ClientError:
            return None
        return found

    def reasons(self) -> str:
        """Everything CloudFormation said."""
        events = self._stacks.describe_stack_events(StackName=self.stack)["StackEvents"]
        return " | ".join(event.get("ResourceStatusReason", "") for event in events)

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.sagemaker.describe_endpoint(EndpointName=self.endpoint)
        return found

    def serves(self) -> str:
        """The answer of the version that serves."""
        return self.stage.prediction(self.endpoint)
