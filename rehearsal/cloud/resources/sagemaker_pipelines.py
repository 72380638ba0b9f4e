"""SageMaker pipelines in stacks.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-pipeline.html
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.properties import tag_changes, typed
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

NAME = "PipelineName"
OPTIONAL = ("PipelineDisplayName", "PipelineDescription", "ParallelismConfiguration")


class Pipeline(ResourceProvider):
    """`Ref` is the pipeline's name, and there is nothing for `Fn::GetAtt`. A pipeline that runs cannot be deleted."""

    type_name = "AWS::SageMaker::Pipeline"

    def create(self, request: ResourceRequest) -> Resource:
        arguments = self._arguments("CreatePipeline", request)
        if tags := request.properties.get("Tags"):
            arguments["Tags"] = tags
        self.call(request, "sagemaker", "CreatePipeline", {**arguments, "ClientRequestToken": str(uuid4())})
        return Resource(str(arguments[NAME]))

    def update(self, request: ResourceRequest) -> Resource:
        answer = self.call(request, "sagemaker", "UpdatePipeline", self._arguments("UpdatePipeline", request))
        changed, removed = tag_changes(request.previous_properties, request.properties)
        if removed:
            keys = {"ResourceArn": answer["PipelineArn"], "TagKeys": removed}
            self.call(request, "sagemaker", "DeleteTags", keys)
        if changed:
            self.call(request, "sagemaker", "AddTags", {"ResourceArn": answer["PipelineArn"], "Tags": changed})
        return Resource(request.physical_id)

    def delete(self, request: ResourceRequest) -> None:
        arguments = {NAME: request.physical_id, "ClientRequestToken": str(uuid4())}
        try:
            self.call(request, "sagemaker", "DeletePipeline", arguments)
        except AwsError as problem:
            if problem.code != "ResourceNotFound":
                raise

    def _arguments(self, operation: str, request: ResourceRequest) -> Document:
        properties = request.properties
        definition: dict[str, Any] = properties["PipelineDefinition"]
        if "PipelineDefinitionBody" not in definition:
            raise NotImplementedHere(f"PipelineDefinitionS3Location of {self.type_name} ({request.logical_id})")
        given = {
            NAME: properties[NAME],
            "RoleArn": properties["RoleArn"],
            "PipelineDefinition": definition["PipelineDefinitionBody"],
            **{name: properties[name] for name in OPTIONAL if name in properties},
        }
        shape = self.cloud.shapes.model("sagemaker").operation_model(operation).input_shape
        arguments: Document = typed(given, shape) if shape is not None else given
        return arguments
