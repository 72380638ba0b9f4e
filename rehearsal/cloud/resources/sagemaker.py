"""SageMaker's resource types in stacks, handled as AWS's handlers do: API calls as the stack's role.

Models, endpoint configurations and endpoints without a name get one of the form `<LogicalId>-<random>`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.properties import tag_changes, typed, without
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

LONGEST_NAME = 63
LOOK_SECONDS = 0.25
"""Real seconds between two DescribeEndpoint calls of a handler that waits."""
GONE = ("Could not find", "does not exist")


def _name_of(arn: str) -> str:
    """The name at the end of an ARN; SageMaker finds names whatever their case."""
    return arn.rpartition("/")[2]


class SageMakerResource(ResourceProvider):
    """A type whose properties are one create request, and whose `Ref` is its ARN."""

    kind: ClassVar[str]
    """As the operations spell it: `Model` for CreateModel, DeleteModel."""
    name_member: ClassVar[str]
    arn_member: ClassVar[str]
    only_in_templates: ClassVar[tuple[str, ...]] = ()
    """Properties that CreateX does not have."""

    def create(self, request: ResourceRequest) -> Resource:
        arguments = self._arguments(f"Create{self.kind}", without(request.properties, self.only_in_templates))
        name = arguments.setdefault(self.name_member, request.generated_name(LONGEST_NAME, with_stack=False))
        answer = self.call(request, "sagemaker", f"Create{self.kind}", arguments)
        return self._resource(str(answer[self.arn_member]), str(name))

    def update(self, request: ResourceRequest) -> Resource:
        """Everything but tags is create-only."""
        self._update_tags(request)
        name = request.properties.get(self.name_member) or _name_of(request.physical_id)
        return self._resource(request.physical_id, str(name))

    def delete(self, request: ResourceRequest) -> None:
        try:
            self.call(request, "sagemaker", f"Delete{self.kind}", {self.name_member: _name_of(request.physical_id)})
        except AwsError as problem:
            if not _gone(problem):
                raise

    def _resource(self, arn: str, name: str) -> Resource:
        return Resource(arn, {self.name_member: name, self.arn_member: arn})

    def _arguments(self, operation: str, properties: dict[str, Any]) -> Document:
        shape = self.cloud.shapes.model("sagemaker").operation_model(operation).input_shape
        arguments: Document = typed(properties, shape) if shape is not None else properties
        return arguments

    def _update_tags(self, request: ResourceRequest) -> None:
        changed, removed = tag_changes(request.previous_properties, request.properties)
        arn = request.physical_id
        if removed:
            self.call(request, "sagemaker", "DeleteTags", {"ResourceArn": arn, "TagKeys": removed})
        if changed:
            self.call(request, "sagemaker", "AddTags", {"ResourceArn": arn, "Tags": changed})


def _gone(problem: AwsError) -> bool:
    return problem.code == "ValidationException" and any(words in problem.message for words in GONE)


class ModelPackageGroup(SageMakerResource):
    type_name = "AWS::SageMaker::ModelPackageGroup"
    kind = "ModelPackageGroup"
    name_member = "ModelPackageGroupName"
    arn_member = "ModelPackageGroupArn"

    def create(self, request: ResourceRequest) -> Resource:
        if request.properties.get("ModelPackageGroupPolicy"):
            raise NotImplementedHere(f"ModelPackageGroupPolicy of {self.type_name} ({request.logical_id})")
        return self._described(request, super().create(request))

    def update(self, request: ResourceRequest) -> Resource:
        if request.properties.get("ModelPackageGroupPolicy"):
            raise NotImplementedHere(f"ModelPackageGroupPolicy of {self.type_name} ({request.logical_id})")
        return self._described(request, super().update(request))

    def _described(self, request: ResourceRequest, made: Resource) -> Resource:
        name = made.attributes[self.name_member]
        group = self.call(request, "sagemaker", "DescribeModelPackageGroup", {self.name_member: name})
        return Resource(
            made.physical_id,
            {
                **made.attributes,
                "CreationTime": group["CreationTime"].isoformat(),
                "ModelPackageGroupStatus": group["ModelPackageGroupStatus"],
            },
        )


class CodeRepository(SageMakerResource):
    type_name = "AWS::SageMaker::CodeRepository"
    kind = "CodeRepository"
    name_member = "CodeRepositoryName"
    arn_member = "CodeRepositoryArn"

    def update(self, request: ResourceRequest) -> Resource:
        """The secret can change in place; address and branch are create-only."""
        secret = request.properties["GitConfig"].get("SecretArn")
        if secret != request.previous_properties.get("GitConfig", {}).get("SecretArn"):
            change = {"SecretArn": str(secret)} if secret else {}
            arguments = {self.name_member: _name_of(request.physical_id), "GitConfig": change}
            self.call(request, "sagemaker", "UpdateCodeRepository", arguments)
        return super().update(request)


class Model(SageMakerResource):
    type_name = "AWS::SageMaker::Model"
    kind = "Model"
    name_member = "ModelName"
    arn_member = "ModelArn"


class EndpointConfig(SageMakerResource):
    type_name = "AWS::SageMaker::EndpointConfig"
    kind = "EndpointConfig"
    name_member = "EndpointConfigName"
    arn_member = "EndpointConfigArn"


class Endpoint(SageMakerResource):
    """Created and updated when it is in service; an update that SageMaker rolled back fails the stack."""

    type_name = "AWS::SageMaker::Endpoint"
    kind = "Endpoint"
    name_member = "EndpointName"
    arn_member = "EndpointArn"
    only_in_templates = (
        "RetainAllVariantProperties",
        "ExcludeRetainedVariantProperties",
        "RetainDeploymentConfig",
    )

    def create(self, request: ResourceRequest) -> Resource:
        made = super().create(request)
        name = made.attributes[self.name_member]
        settled = self._settled(request, name)
        if settled["EndpointStatus"] != "InService":
            # AWS keeps the failed endpoint until the rollback deletes it; the engine has no id to delete it by.
            self._delete(request, name)
            raise AwsError("GeneralServiceException", settled.get("FailureReason", f"Endpoint {name} failed."))
        return made

    def update(self, request: ResourceRequest) -> Resource:
        name = _name_of(request.physical_id)
        wanted = str(request.properties["EndpointConfigName"])
        before = self.call(request, "sagemaker", "DescribeEndpoint", {self.name_member: name})
        properties = without(request.properties, ("Tags", self.name_member))
        # SageMaker itself may have gone back already, when a stack does. That another DeploymentConfig alone is sent,
        # too, which SageMaker refuses, is the stricter reading: AWS says of it no more than "no interruption".
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-endpoint.html
        is_there = before["EndpointConfigName"] == wanted != request.previous_properties.get("EndpointConfigName")
        if not is_there and properties != without(request.previous_properties, ("Tags", self.name_member)):
            arguments = self._arguments("UpdateEndpoint", {**properties, self.name_member: name})
            self.call(request, "sagemaker", "UpdateEndpoint", arguments)
            settled = self._settled(request, name)
            if settled["EndpointStatus"] != "InService" or settled["EndpointConfigName"] != wanted:
                reason = settled.get("FailureReason", "it is back on its former configuration")
                raise AwsError("GeneralServiceException", f"The update of endpoint {name} was rolled back: {reason}")
        self._update_tags(request)
        return self._resource(request.physical_id, before[self.name_member])

    def delete(self, request: ResourceRequest) -> None:
        self._delete(request, _name_of(request.physical_id))

    def _delete(self, request: ResourceRequest, name: str) -> None:
        try:
            self.call(request, "sagemaker", "DeleteEndpoint", {self.name_member: name})
            while not self.cloud.stopping.wait(LOOK_SECONDS):
                self.call(request, "sagemaker", "DescribeEndpoint", {self.name_member: name})
        except AwsError as problem:
            if not _gone(problem):
                raise

    def _settled(self, request: ResourceRequest, name: str) -> Document:
        """The endpoint once nothing is under way with it."""
        while True:
            found = self.call(request, "sagemaker", "DescribeEndpoint", {self.name_member: name})
            if found["EndpointStatus"] not in ("Creating", "Updating", "RollingBack"):
                return found
            if self.cloud.stopping.wait(LOOK_SECONDS):
                raise AwsError("ServiceUnavailable", "The cloud was stopped while the endpoint settled.", 503)


SAGEMAKER_TYPES: tuple[type[ResourceProvider], ...] = (
    ModelPackageGroup,
    CodeRepository,
    Model,
    EndpointConfig,
    Endpoint,
)
