"""AWS::Lambda::Function and AWS::Lambda::Permission

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
"""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.properties import tag_changes, typed, without
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

SERVICE = "lambda"
LONGEST_NAME, LONGEST_STATEMENT = 64, 100
LOOK_SECONDS = 0.02
"""Real seconds between two GetFunction calls of a handler that waits."""
ONLY_IN_TEMPLATES = ("FunctionScalingConfig", "PublishToLatestPublished", "RecursiveLoop", "RuntimeManagementConfig")
DIFFERENT_NAMES = {"KmsKeyArn": "KMSKeyArn"}
BESIDE = ("FunctionName", "Code", "Tags", "ReservedConcurrentExecutions", "PackageType", "Architectures")
"""Properties that UpdateFunctionConfiguration does not change."""
DEFAULTS: Document = {
    "Description": "",
    "Environment": {},
    "EphemeralStorage": {"Size": 512},
    "LoggingConfig": {},
    "MemorySize": 128,
    "Timeout": 3,
}
"""What a property that is taken out of the template falls back to."""


def _absent(problem: AwsError) -> bool:
    return problem.code == "ResourceNotFoundException"


class LambdaResource(ResourceProvider):
    """What the types of Lambda share."""

    def arguments(self, operation: str, properties: Document) -> Document:
        """Properties as members of a request of `operation`."""
        shape = self.cloud.shapes.model(SERVICE).operation_model(operation).input_shape
        renamed = {DIFFERENT_NAMES.get(name, name): value for name, value in properties.items()}
        found: Document = typed(renamed, shape) if shape is not None else renamed
        return found


class Function(LambdaResource):
    """Created and updated when Lambda says that it has settled. `Ref` is its name."""

    type_name = "AWS::Lambda::Function"

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties.get("FunctionName") or request.generated_name(LONGEST_NAME))
        properties = without(self._played(request), ("ReservedConcurrentExecutions", "Tags", "Code"))
        tags = {str(tag["Key"]): str(tag["Value"]) for tag in request.properties.get("Tags") or []}
        wanted = {**properties, "FunctionName": name, "Code": self._code(request), **({"Tags": tags} if tags else {})}
        made = self.call(request, SERVICE, "CreateFunction", self.arguments("CreateFunction", wanted))
        self._settle(request, name)
        self._reserve(request, name)
        return self._resource(made)

    def update(self, request: ResourceRequest) -> Resource:
        name, before, after = request.physical_id, request.previous_properties, self._played(request)
        if before.get("Code") != after["Code"] or before.get("Architectures") != after.get("Architectures"):
            code = {**self._code(request), "FunctionName": name}
            if "Architectures" in after:
                code["Architectures"] = after["Architectures"]
            self.call(request, SERVICE, "UpdateFunctionCode", self.arguments("UpdateFunctionCode", code))
            self._settle(request, name)
        if without(before, BESIDE) != without(after, BESIDE):
            wanted = {**DEFAULTS, **without(after, BESIDE), "FunctionName": name}
            operation = "UpdateFunctionConfiguration"
            self.call(request, SERVICE, operation, self.arguments(operation, wanted))
        if before.get("ReservedConcurrentExecutions") != after.get("ReservedConcurrentExecutions"):
            self._reserve(request, name)
        found = self._settle(request, name)
        self._update_tags(request, str(found["FunctionArn"]))
        return self._resource(found)

    def delete(self, request: ResourceRequest) -> None:
        """Deleted when it cannot be found any more."""
        try:
            self.call(request, SERVICE, "DeleteFunction", {"FunctionName": request.physical_id})
            self.call(request, SERVICE, "GetFunction", {"FunctionName": request.physical_id})
        except AwsError as problem:
            if not _absent(problem):
                raise

    def _played(self, request: ResourceRequest) -> Document:
        for name in ONLY_IN_TEMPLATES:
            if name in request.properties:
                raise NotImplementedHere(f"{name} of {self.type_name} ({request.logical_id})")
        return request.properties

    def _code(self, request: ResourceRequest) -> Document:
        code: Document = {name: str(value) for name, value in request.properties["Code"].items()}
        if "ZipFile" in code:
            raise NotImplementedHere(
                f"inline code (Code.ZipFile) of {self.type_name} ({request.logical_id}): put an archive into a bucket"
            )
        return code

    def _settle(self, request: ResourceRequest, name: str) -> Document:
        """The function's configuration once nothing is under way with it."""
        while True:
            found = self.call(request, SERVICE, "GetFunction", {"FunctionName": name})["Configuration"]
            if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return dict(found)
            if self.cloud.stopping.wait(LOOK_SECONDS):
                raise AwsError("ServiceUnavailable", "The cloud was stopped while the function settled.", 503)

    def _reserve(self, request: ResourceRequest, name: str) -> None:
        wanted = request.properties.get("ReservedConcurrentExecutions")
        if wanted is not None:
            arguments = {"FunctionName": name, "ReservedConcurrentExecutions": wanted}
            operation = "PutFunctionConcurrency"
            self.call(request, SERVICE, operation, self.arguments(operation, arguments))
        elif request.previous_properties.get("ReservedConcurrentExecutions") is not None:
            self.call(request, SERVICE, "DeleteFunctionConcurrency", {"FunctionName": name})

    def _update_tags(self, request: ResourceRequest, arn: str) -> None:
        changed, removed = tag_changes(request.previous_properties, request.properties)
        if removed:
            self.call(request, SERVICE, "UntagResource", {"Resource": arn, "TagKeys": removed})
        if changed:
            tags = {tag["Key"]: tag["Value"] for tag in changed}
            self.call(request, SERVICE, "TagResource", {"Resource": arn, "Tags": tags})

    @staticmethod
    def _resource(found: Document) -> Resource:
        return Resource(str(found["FunctionName"]), {"Arn": found["FunctionArn"]})


class Permission(LambdaResource):
    """A statement of a function's policy. Every change replaces it; `Ref` is the statement's id."""

    type_name = "AWS::Lambda::Permission"

    def create(self, request: ResourceRequest) -> Resource:
        statement = request.generated_name(LONGEST_STATEMENT)
        properties: dict[str, Any] = {**request.properties, "StatementId": statement}
        self.call(request, SERVICE, "AddPermission", self.arguments("AddPermission", properties))
        return Resource(statement, {"Id": statement})

    def delete(self, request: ResourceRequest) -> None:
        arguments = {"FunctionName": str(request.properties["FunctionName"]), "StatementId": request.physical_id}
        try:
            self.call(request, SERVICE, "RemovePermission", arguments)
        except AwsError as problem:
            if not _absent(problem):
                raise


LAMBDA_TYPES: tuple[type[ResourceProvider], ...] = (Function, Permission)
