"""AWS::CodeCommit::Repository

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document
from rehearsal.cloud.service_calls import CLOUDFORMATION_CODECOMMIT_FIND

if TYPE_CHECKING:
    from rehearsal.cloud.codecommit import CodeCommit


class CodeCommitRepository(ResourceProvider):
    """A repository, filled once from an archive in S3. `Ref` is the repository's id."""

    type_name: ClassVar[str] = "AWS::CodeCommit::Repository"

    @property
    def _room(self) -> CodeCommit:
        return cast("CodeCommit", self.cloud.services["codecommit"])

    def create(self, request: ResourceRequest) -> Resource:
        properties = request.properties
        for name in ("Triggers", "KmsKeyId"):
            if properties.get(name):
                raise NotImplementedHere(f"{name} of {self.type_name} ({request.logical_id})")
        name = str(properties["RepositoryName"])
        wanted: Document = {"repositoryName": name}
        if properties.get("RepositoryDescription"):
            wanted["repositoryDescription"] = str(properties["RepositoryDescription"])
        if properties.get("Tags"):
            wanted["tags"] = _tags(properties)
        self.call(request, "codecommit", "CreateRepository", wanted)
        if properties.get("Code"):
            try:
                self._seed(request, name, properties["Code"])
            except BaseException:
                # AWS leaves no half-made repository behind for the rollback to stumble on.
                self._room.discard(name)
                raise
        return self._resource(name)

    def update(self, request: ResourceRequest) -> Resource:
        """Code is read on creation only, as AWS says of the property."""
        properties, before = request.properties, request.previous_properties
        for name in ("Triggers", "KmsKeyId"):
            if properties.get(name):
                raise NotImplementedHere(f"{name} of {self.type_name} ({request.logical_id})")
        name = self._name(request)
        wanted_name = str(properties["RepositoryName"])
        if wanted_name != name:
            self.call(request, "codecommit", "UpdateRepositoryName", {"oldName": name, "newName": wanted_name})
        description = properties.get("RepositoryDescription")
        if description != before.get("RepositoryDescription"):
            change = {"repositoryName": wanted_name, "repositoryDescription": str(description or "")}
            self.call(request, "codecommit", "UpdateRepositoryDescription", change)
        old, new = _tags(before), _tags(properties)
        arn = self._room.arn(wanted_name)
        gone = sorted(old.keys() - new.keys())
        if gone:
            self.call(request, "codecommit", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        changed = {key: value for key, value in new.items() if old.get(key) != value}
        if changed:
            self.call(request, "codecommit", "TagResource", {"resourceArn": arn, "tags": changed})
        return self._resource(wanted_name)

    def delete(self, request: ResourceRequest) -> None:
        self.cloud.identity.require_service_calls(request.actor, CLOUDFORMATION_CODECOMMIT_FIND)
        repository = self._room.repository_by_id(request.physical_id)
        if repository is not None:
            self.call(request, "codecommit", "DeleteRepository", {"repositoryName": repository.name})

    def _name(self, request: ResourceRequest) -> str:
        repository = self._room.repository_by_id(request.physical_id)
        if repository is None:
            raise AwsError("RepositoryDoesNotExistException", f"Repository {request.physical_id} does not exist")
        return repository.name

    def _resource(self, name: str) -> Resource:
        metadata = self._room.metadata(self._room.repository(name))
        attributes = {
            "Arn": metadata["Arn"],
            "CloneUrlHttp": metadata["cloneUrlHttp"],
            "CloneUrlSsh": metadata["cloneUrlSsh"],
            "Name": name,
            "RepositoryId": metadata["repositoryId"],
        }
        return Resource(metadata["repositoryId"], attributes)

    def _seed(self, request: ResourceRequest, name: str, code: Document) -> None:
        """Fetch the archive and commit it, both as the stack's role."""
        place = code["S3"]
        version = {"VersionId": str(place["ObjectVersion"])} if place.get("ObjectVersion") else {}
        where = f"s3://{place['Bucket']}/{place['Key']}"
        with tempfile.TemporaryDirectory(dir=self.cloud.folder_for("codecommit", "tmp")) as folder:
            archive = Path(folder) / "code.zip"
            try:
                answer = self.cloud.client("s3", request.actor).get_object(
                    Bucket=str(place["Bucket"]), Key=str(place["Key"]), **version
                )
                archive.write_bytes(answer["Body"].read())
            except ClientError as problem:
                error = problem.response["Error"]
                kind = AccessDenied if error["Code"] in ("AccessDenied", "403") else AwsError
                why = f"{error.get('Message') or error['Code']} (the code of repository {name}, {where})"
                raise kind(why) if kind is AccessDenied else AwsError(error["Code"], why) from problem
            self._room.seed(name, archive, str(code.get("BranchName") or "main"), request.actor)


def _tags(properties: Document) -> dict[str, str]:
    return {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags") or []}


CODECOMMIT_TYPES: tuple[type[ResourceProvider], ...] = (CodeCommitRepository,)
