"""Application Auto Scaling's resource types in stacks.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html
"""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.properties import tag_changes, typed, without
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

SERVICE = "application-autoscaling"


def _address(target_id: str) -> dict[str, str]:
    """Resource id, dimension and namespace: a scalable target's `Ref` is these three, joined."""
    resource, dimension, namespace = target_id.split("|")
    return {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}


def _absent(problem: AwsError) -> bool:
    return problem.code == "ObjectNotFoundException"


class AutoScalingResource(ResourceProvider):
    def _arguments(self, operation: str, properties: dict[str, Any]) -> Document:
        shape = self.cloud.shapes.model(SERVICE).operation_model(operation).input_shape
        arguments: Document = typed(properties, shape) if shape is not None else properties
        return arguments


class ScalableTarget(AutoScalingResource):
    """`Ref` is `<resource id>|<dimension>|<namespace>`."""

    type_name = "AWS::ApplicationAutoScaling::ScalableTarget"

    def create(self, request: ResourceRequest) -> Resource:
        self._register(request, tagged=True)
        return self._resource(request)

    def update(self, request: ResourceRequest) -> Resource:
        self._register(request, tagged=False)
        changed, removed = tag_changes(request.previous_properties, request.properties)
        if changed or removed:
            address = _address(request.physical_id)
            found = self.call(request, SERVICE, "DescribeScalableTargets", {
                "ServiceNamespace": address["ServiceNamespace"], "ResourceIds": [address["ResourceId"]]})  # fmt: skip
            arn = found["ScalableTargets"][0]["ScalableTargetARN"]
            if removed:
                self.call(request, SERVICE, "UntagResource", {"ResourceARN": arn, "TagKeys": removed})
            if changed:
                tags = {tag["Key"]: tag["Value"] for tag in changed}
                self.call(request, SERVICE, "TagResource", {"ResourceARN": arn, "Tags": tags})
        return self._resource(request)

    def delete(self, request: ResourceRequest) -> None:
        try:
            self.call(request, SERVICE, "DeregisterScalableTarget", _address(request.physical_id))
        except AwsError as problem:
            if not _absent(problem):
                raise

    def _register(self, request: ResourceRequest, *, tagged: bool) -> None:
        if request.properties.get("ScheduledActions"):
            raise NotImplementedHere(f"ScheduledActions of {self.type_name} ({request.logical_id})")
        properties = without(request.properties, ("Tags", "ScheduledActions"))
        if tagged and request.properties.get("Tags"):
            properties["Tags"] = {tag["Key"]: tag["Value"] for tag in request.properties["Tags"]}
        self.call(request, SERVICE, "RegisterScalableTarget", self._arguments("RegisterScalableTarget", properties))

    @staticmethod
    def _resource(request: ResourceRequest) -> Resource:
        parts = (request.properties[name] for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        identifier = "|".join(str(part) for part in parts)
        return Resource(identifier, {"Id": identifier})


class ScalingPolicy(AutoScalingResource):
    """`Ref` is the policy's ARN."""

    type_name = "AWS::ApplicationAutoScaling::ScalingPolicy"

    def create(self, request: ResourceRequest) -> Resource:
        return self._put(request)

    def update(self, request: ResourceRequest) -> Resource:
        return self._put(request)

    def _put(self, request: ResourceRequest) -> Resource:
        properties = {**without(request.properties, ("ScalingTargetId",)), **self._target(request.properties)}
        arn = self.call(request, SERVICE, "PutScalingPolicy", self._arguments("PutScalingPolicy", properties))[
            "PolicyARN"
        ]
        return Resource(arn, {"Arn": arn})

    def delete(self, request: ResourceRequest) -> None:
        arguments = {"PolicyName": str(request.properties["PolicyName"]), **self._target(request.properties)}
        try:
            self.call(request, SERVICE, "DeleteScalingPolicy", arguments)
        except AwsError as problem:
            if not _absent(problem):
                raise

    @staticmethod
    def _target(properties: dict[str, Any]) -> dict[str, str]:
        if properties.get("ScalingTargetId"):
            return _address(str(properties["ScalingTargetId"]))
        return {name: str(properties[name]) for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}


AUTOSCALING_TYPES: tuple[type[ResourceProvider], ...] = (ScalableTarget, ScalingPolicy)
