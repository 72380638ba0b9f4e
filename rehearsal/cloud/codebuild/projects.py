"""Build projects.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from rehearsal.cloud.codebuild.images import IMAGES
from rehearsal.cloud.codebuild.room import Room, page, short_name, tag_context, without_empty
from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, operation

SERVICE = "codebuild.amazonaws.com"
SOURCES = ("CODEPIPELINE", "S3", "NO_SOURCE")
NOT_PLAYED = (
    "secondarySources",
    "secondarySourceVersions",
    "vpcConfig",
    "fileSystemLocations",
    "buildBatchConfig",
    "concurrentBuildLimit",
    "autoRetryLimit",
    "badgeEnabled",
)
ENVIRONMENT_NOT_PLAYED = (
    "certificate",
    "registryCredential",
    "privilegedMode",
    "fleet",
    "dockerServer",
    "computeConfiguration",
    "hostKernel",
)
VARIABLE_TYPES = ("PLAINTEXT", "PARAMETER_STORE")
DEFAULT_TIMEOUT, DEFAULT_QUEUED_TIMEOUT = 60, 480


def _passing_role(role: str) -> list[Call]:
    return [Call("iam:PassRole", role, {"iam:PassedToService": SERVICE})]


class Projects(Room):
    """Operations on projects."""

    def _needs_to_write(self, action: str, request: Document) -> Iterable[Call]:
        context = {**self.project_tags(request["name"]), **tag_context("aws:RequestTag", request)}
        calls = [Call(f"codebuild:{action}", self.project_arn(request["name"]), context)]
        return calls + (_passing_role(request["serviceRole"]) if request.get("serviceRole") else [])

    @operation("CreateProject", needs=lambda room, request: room._needs_to_write("CreateProject", request))
    def create_project(self, request: Document, caller: Credentials) -> Document:
        now = self.cloud.clock.timestamp()
        project = {
            "timeoutInMinutes": DEFAULT_TIMEOUT,
            "queuedTimeoutInMinutes": DEFAULT_QUEUED_TIMEOUT,
            "encryptionKey": self._default_key(),
            "cache": {"type": "NO_CACHE"},
            "tags": [],
            **deepcopy(request),
            "arn": self.project_arn(request["name"]),
            "created": now,
            "lastModified": now,
        }
        project["environment"].setdefault("environmentVariables", [])
        self._check(project)
        with self.lock:
            if request["name"] in self.projects:
                raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {project['arn']}")
            self.projects[request["name"]] = project
        return {"project": deepcopy(project)}

    @operation("UpdateProject", needs=lambda room, request: room._needs_to_write("UpdateProject", request))
    def update_project(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            before = self.project(request["name"])
            changes = {key: value for key, value in deepcopy(request).items() if key != "name"}
            project = {**before, **changes, "lastModified": self.cloud.clock.timestamp()}
            project["environment"].setdefault("environmentVariables", [])
            self._check(project)
            self.projects[project["name"]] = project
        return {"project": deepcopy(project)}

    @operation(
        "DeleteProject",
        needs=lambda room, request: [
            Call("codebuild:DeleteProject", room.project_arn(request["name"]), room.project_tags(request["name"]))
        ],
    )
    def delete_project(self, request: Document, caller: Credentials) -> Document:
        name = short_name(request["name"])
        with self.lock:
            self.projects.pop(name, None)  # as AWS: deleting what is not there is no error
        return {}

    @operation(
        "BatchGetProjects",
        needs=lambda room, request: [
            Call("codebuild:BatchGetProjects", room.project_arn(name), room.project_tags(name))
            for name in request["names"]
        ],
    )
    def batch_get_projects(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            found = {name: self.projects.get(short_name(name)) for name in request["names"]}
        return without_empty(
            {
                "projects": [deepcopy(project) for project in found.values() if project],
                "projectsNotFound": [name for name, project in found.items() if not project],
            },
            "projectsNotFound",
        )

    @operation("ListProjects", needs=lambda *_: [Call("codebuild:ListProjects")])
    def list_projects(self, request: Document, caller: Credentials) -> Document:
        by = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(request.get("sortBy", ""), "name")
        with self.lock:
            ordered = sorted(self.projects.values(), key=lambda project: (str(project[by]), project["name"]))
        names = [project["name"] for project in ordered]
        return page(names[::-1] if request.get("sortOrder") == "DESCENDING" else names, request, "projects")

    def project(self, name: str) -> Document:
        """A project by name or ARN. Raises ResourceNotFoundException."""
        with self.lock:
            found = self.projects.get(short_name(name))
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {self.project_arn(name)}")
        return found

    def _default_key(self) -> str:
        """The key AWS manages for S3 in the account.

        https://docs.aws.amazon.com/codebuild/latest/userguide/security-encryption.html
        """
        return f"arn:aws:kms:{self.cloud.region}:{self.cloud.account}:alias/aws/s3"

    # ---- what is wrong, and what is not played

    def _check(self, project: Document) -> None:
        """Raise InvalidInputException for what AWS refuses, NotImplementedHere for what is not played."""
        where = f"project {project['name']}"
        for member in NOT_PLAYED:
            if project.get(member):
                raise NotImplementedHere(f"{member} of CodeBuild {where}")
        self._check_source(project, where)
        self._check_environment(project["environment"], where)
        self._check_cache(project["cache"], where)
        if (project.get("logsConfig") or {}).get("s3Logs", {}).get("status") == "ENABLED":
            raise NotImplementedHere(f"logs in S3 of CodeBuild {where}")
        self._check_role(project["serviceRole"], project["arn"])

    @staticmethod
    def _check_source(project: Document, where: str) -> None:
        source, artifacts = project["source"], project["artifacts"]
        if source["type"] not in SOURCES:
            raise NotImplementedHere(f"source type {source['type']} of CodeBuild {where}")
        if str(source.get("buildspec", "")).startswith("arn:"):
            raise NotImplementedHere(f"a buildspec in S3 (CodeBuild {where})")
        if (source["type"] == "CODEPIPELINE") != (artifacts["type"] == "CODEPIPELINE"):
            raise AwsError(
                "InvalidInputException",
                "Invalid project source and artifacts: if one of them is CODEPIPELINE, both must be",
            )
        if source["type"] == "S3" and "/" not in source.get("location", ""):
            raise AwsError("InvalidInputException", "Invalid project source: location must be a bucket and a key")
        if source["type"] == "NO_SOURCE" and "\n" not in source.get("buildspec", ""):
            raise AwsError(
                "InvalidInputException",
                "Invalid project source: a project without source needs its buildspec as YAML in the project",
            )
        for one in (artifacts, *project.get("secondaryArtifacts", [])):
            if one["type"] == "S3" and not one.get("location"):
                raise AwsError("InvalidInputException", "Invalid artifacts: location must be a bucket")

    @staticmethod
    def _check_cache(cache: Document, where: str) -> None:
        if cache["type"] == "S3":
            raise NotImplementedHere(f"an S3 cache of CodeBuild {where}")
        modes = cache.get("modes", [])
        if cache["type"] == "LOCAL" and not modes:
            raise AwsError("InvalidInputException", "Invalid cache: a local cache needs at least one mode")
        if "LOCAL_DOCKER_LAYER_CACHE" in modes:
            raise NotImplementedHere(f"a cache of Docker layers of CodeBuild {where}")

    @staticmethod
    def _check_environment(environment: Document, where: str) -> None:
        if environment["type"] != "LINUX_CONTAINER":
            raise NotImplementedHere(f"environment type {environment['type']} of CodeBuild {where}")
        if environment["image"] not in IMAGES:
            raise NotImplementedHere(f"image {environment['image']} of CodeBuild {where} (played: {', '.join(IMAGES)})")
        for member in ENVIRONMENT_NOT_PLAYED:
            if environment.get(member):
                raise NotImplementedHere(f"environment.{member} of CodeBuild {where}")
        for variable in environment.get("environmentVariables", []):
            if variable.get("type", "PLAINTEXT") not in VARIABLE_TYPES:
                raise NotImplementedHere(f"variable {variable['name']} of type {variable['type']} of CodeBuild {where}")

    def _check_role(self, role: str, project_arn: str) -> None:
        try:
            self.cloud.identity.assume_role(role, SERVICE, "CodeBuild-checks-role", project_arn)
        except AccessDenied as denied:
            raise AwsError(
                "InvalidInputException",
                f"CodeBuild is not authorized to perform: sts:AssumeRole on {role} ({denied.message})",
            ) from denied
