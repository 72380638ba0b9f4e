"""AWS::CodeBuild::Project and AWS::CodeBuild::ReportGroup

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CodeBuild.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from botocore.model import ListShape, Shape, StructureShape

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

SERVICE = "codebuild"
DIFFERENT_NAMES = {"BuildSpec": "buildspec"}


def as_request(shape: Shape, value: Any, path: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Template properties as members of an API's request: `TimeoutInMinutes: "5"` becomes `timeoutInMinutes: 5`.

    Raises AwsError for a property the API has no member for and for a value of the wrong kind.
    """
    if isinstance(shape, StructureShape):
        found = {}
        for name, member in value.items():
            target = DIFFERENT_NAMES.get(name, name[:1].lower() + name[1:])
            if target not in shape.members:
                raise AwsError("ValidationError", f"unsupported property {path}{name}")
            found[target] = as_request(shape.members[target], member, f"{path}{name}.")
        return found
    if isinstance(shape, ListShape):
        return [as_request(shape.member, item, path) for item in value]
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if shape.type_name in ("integer", "long"):
        try:
            return int(value)
        except ValueError:
            raise AwsError("ValidationError", f"{path.rstrip('.')} must be a whole number, not {value}") from None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


class CodeBuildProvider(ResourceProvider):
    """What the types of CodeBuild share."""

    def arguments(self, operation: str, properties: Document) -> Document:
        """The request of `operation` for a resource's properties."""
        shape = self.cloud.shapes.model(SERVICE).operation_model(operation).input_shape
        assert shape is not None  # noqa: S101 - both operations take a request
        found: Document = as_request(shape, properties)
        return found


class CodeBuildProject(CodeBuildProvider):
    """A build project. `Ref` is its name."""

    type_name: ClassVar[str] = "AWS::CodeBuild::Project"
    DEFAULTS: ClassVar[Document] = {
        "description": "",
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "tags": [],
        "cache": {"type": "NO_CACHE"},
        "secondaryArtifacts": [],
        "logsConfig": {"cloudWatchLogs": {"status": "ENABLED"}},
    }
    """What a property that is taken out of the template falls back to."""

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties.get("Name") or request.generated_name(150))
        return self._resource(self.call(request, SERVICE, "CreateProject", self._wanted(request, name)))

    def update(self, request: ResourceRequest) -> Resource:
        wanted = {**self.DEFAULTS, **self._wanted(request, request.physical_id)}
        return self._resource(self.call(request, SERVICE, "UpdateProject", wanted))

    def delete(self, request: ResourceRequest) -> None:
        self.call(request, SERVICE, "DeleteProject", {"name": request.physical_id})

    def _wanted(self, request: ResourceRequest, name: str) -> Document:
        properties = {key: value for key, value in request.properties.items() if value is not None}
        for key in ("Triggers", "Visibility", "ResourceAccessRole"):
            if properties.pop(key, None) not in (None, {}, "PRIVATE"):
                raise NotImplementedHere(f"{key} of {self.type_name} ({request.logical_id})")
        return self.arguments("CreateProject", {**properties, "Name": name})

    @staticmethod
    def _resource(answer: Document) -> Resource:
        project = answer["project"]
        return Resource(project["name"], {"Arn": project["arn"], "Id": project["name"]})


class CodeBuildReportGroup(CodeBuildProvider):
    """A report group. `Ref` is its ARN."""

    type_name: ClassVar[str] = "AWS::CodeBuild::ReportGroup"

    def create(self, request: ResourceRequest) -> Resource:
        name = str(request.properties.get("Name") or request.generated_name(128))
        wanted = {key: value for key, value in request.properties.items() if key != "DeleteReports"}
        answer = self.call(
            request, SERVICE, "CreateReportGroup", self.arguments("CreateReportGroup", {**wanted, "Name": name})
        )
        return self._resource(answer["reportGroup"]["arn"])

    def update(self, request: ResourceRequest) -> Resource:
        wanted = {key: request.properties[key] for key in ("ExportConfig",) if key in request.properties}
        change = self.arguments("UpdateReportGroup", {**wanted, "Tags": request.properties.get("Tags") or []})
        self.call(request, SERVICE, "UpdateReportGroup", {**change, "arn": request.physical_id})
        return self._resource(request.physical_id)

    def delete(self, request: ResourceRequest) -> None:
        arn = request.physical_id
        found = self.call(request, SERVICE, "BatchGetReportGroups", {"reportGroupArns": [arn]})
        if found["reportGroups"]:
            with_reports = str(request.properties.get("DeleteReports", "false")).lower() == "true"
            self.call(request, SERVICE, "DeleteReportGroup", {"arn": arn, "deleteReports": with_reports})

    @staticmethod
    def _resource(arn: str) -> Resource:
        return Resource(arn, {"Arn": arn})


CODEBUILD_TYPES: tuple[type[ResourceProvider], ...] = (CodeBuildProject, CodeBuildReportGroup)
