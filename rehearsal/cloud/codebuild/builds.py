"""Starting, stopping and looking at builds.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from rehearsal.cloud.codebuild.build import ENDED, Build, Output, Place, override_variables
from rehearsal.cloud.codebuild.projects import Projects
from rehearsal.cloud.codebuild.reports import Reports
from rehearsal.cloud.codebuild.room import page, short_name, without_empty
from rehearsal.cloud.codebuild.runner import BuildRun
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

if TYPE_CHECKING:
    import threading

    from rehearsal.cloud.cloud import Cloud

OVERRIDES = {
    "buildspecOverride": ("source", "buildspec"),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "environmentTypeOverride": ("environment", "type"),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "logsConfigOverride": ("logsConfig",),
    "artifactsOverride": ("artifacts",),
    "cacheOverride": ("cache",),
}
"""The members of StartBuild that replace something of the project."""
PLAYED = {"projectName", "sourceVersion", "environmentVariablesOverride", "idempotencyToken", *OVERRIDES}


def on_builds(action: str, member: str) -> Needs:
    """The authorisation of an operation on builds: CodeBuild asks for it on their projects."""

    def needs(room: Builds, request: Document) -> Iterable[Call]:
        given = request[member]
        ids = given if isinstance(given, list) else [given]
        names = sorted({short_name(one).rpartition(":")[0] or one for one in ids})
        return [Call(f"codebuild:{action}", room.project_arn(name), room.project_tags(name)) for name in names]

    return needs


def on_project(action: str) -> Needs:
    """The authorisation of an operation on the project it names."""

    def needs(room: Builds, request: Document) -> Iterable[Call]:
        name = request["projectName"]
        return [Call(f"codebuild:{action}", room.project_arn(name), room.project_tags(name))]

    return needs


class Builds(Projects, Reports):
    """Operations on builds, and the way in for pipelines."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._runs: dict[str, BuildRun] = {}
        self._tokens: dict[tuple[str, str], tuple[Document, str]] = {}
        """What was asked for with a token of a project, and the build that was started."""

    # ---- for CodePipeline

    def start_build_for_pipeline(
        self,
        request: Document,
        *,
        inputs: Mapping[str, tuple[str, str]],
        outputs: Mapping[str, tuple[str, str]],
        caller: Credentials,
        pipeline: str = "",
        revision: str = "",
        encryption_key: str = "",
    ) -> Document:
        """StartBuild as CodePipeline calls it, as `caller` (the pipeline's or the action's role); the API's Build.

        `request` has `projectName` and may have `environmentVariablesOverride`. `inputs` (the first is the primary
        source) and `outputs` give bucket and key of each artifact by its name; the build fetches and puts them with
        its own service role. `pipeline` is the initiator's name, `revision` what the primary source was made of (a
        commit), `encryption_key` the artifact store's customer managed key; without one the project's counts. Raises
        AwsError.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
        """
        name = request["projectName"]
        self.cloud.identity.require(
            caller, [Call("codebuild:StartBuild", self.project_arn(name), self.project_tags(name))]
        )
        project = deepcopy(self.project(name))
        if project["source"]["type"] != "CODEPIPELINE":
            raise AwsError(
                "InvalidInputException",
                f"Project {name} has source type {project['source']['type']}; a pipeline needs CODEPIPELINE",
            )
        self._override_variables(project, request.get("environmentVariablesOverride", []))
        places = [(artifact, Place(bucket, key)) for artifact, (bucket, key) in inputs.items()]
        sources = [("" if index == 0 else artifact, place) for index, (artifact, place) in enumerate(places)]
        # One output artifact is the buildspec's `artifacts`; several are its `secondary-artifacts`, by their names.
        several = len(outputs) > 1
        encryption_key = encryption_key or project["encryptionKey"]
        wanted = [
            Output(artifact if several else "", Place(bucket, key), encryption_key=encryption_key)
            for artifact, (bucket, key) in outputs.items()
        ]
        build = self._start(
            project,
            initiator=f"codepipeline/{pipeline}" if pipeline else _initiator(caller),
            inputs=sources,
            outputs=wanted,
            source_version=sources[0][1].arn,
            resolved_version=revision,
        )
        return self._document(build.id)

    def finished(self, build_id: str) -> threading.Event:
        """Set once the build is over. Raises ResourceNotFoundException."""
        return self._build(build_id).finished

    # ---- the API

    @operation("StartBuild", needs=on_project("StartBuild"))
    def start_build(self, request: Document, caller: Credentials) -> Document:
        for member in request:
            if member not in PLAYED:
                raise NotImplementedHere(f"codebuild:StartBuild with {member}")
        project = deepcopy(self.project(request["projectName"]))
        token = (project["name"], request.get("idempotencyToken", ""))
        with self.lock:
            if token[1] and token in self._tokens:
                asked, build_id = self._tokens[token]
                if asked != request:
                    raise AwsError("InvalidInputException", "The idempotency token was used with other parameters")
                return {"build": self._document(build_id)}
        for member, path in OVERRIDES.items():
            if member in request:
                target = project
                for key in path[:-1]:
                    target = target[key]
                target[path[-1]] = deepcopy(request[member])
        if project["source"]["type"] == "CODEPIPELINE":
            raise AwsError(
                "InvalidInputException",
                f"Project {project['name']} has source type CODEPIPELINE: its builds are started by a pipeline "
                "(or give sourceTypeOverride, sourceLocationOverride and artifactsOverride)",
            )
        self._check(project)
        self._override_variables(project, request.get("environmentVariablesOverride", []))
        build = self._start(
            project,
            initiator=_initiator(caller),
            inputs=_sources(project, request.get("sourceVersion", "")),
            outputs=self._outputs(project),
            source_version=request.get("sourceVersion", ""),
        )
        if token[1]:
            with self.lock:
                self._tokens[token] = (deepcopy(request), build.id)
        return {"build": self._document(build.id)}

    @operation("StopBuild", needs=on_builds("StopBuild", "id"))
    def stop_build(self, request: Document, caller: Credentials) -> Document:
        build = self._build(request["id"])
        if build.status not in ENDED:
            self._runs[build.id].interrupt("STOPPED")
        return {"build": self._document(build.id)}

    @operation("BatchGetBuilds", needs=on_builds("BatchGetBuilds", "ids"))
    def batch_get_builds(self, request: Document, caller: Credentials) -> Document:
        asked = {one: short_name(one) for one in request["ids"]}
        with self.lock:
            known = {one: build_id for one, build_id in asked.items() if build_id in self.builds}
        return without_empty(
            {
                "builds": [self._document(build_id) for build_id in known.values()],
                "buildsNotFound": [one for one in asked if one not in known],
            },
            "buildsNotFound",
        )

    @operation("ListBuilds", needs=lambda *_: [Call("codebuild:ListBuilds")])
    def list_builds(self, request: Document, caller: Credentials) -> Document:
        return self._listed_builds(request, "")

    @operation("ListBuildsForProject", needs=on_project("ListBuildsForProject"))
    def list_builds_for_project(self, request: Document, caller: Credentials) -> Document:
        return self._listed_builds(request, self.project(request["projectName"])["name"])

    # ---- inside

    def _start(
        self,
        project: Document,
        *,
        initiator: str,
        inputs: Sequence[tuple[str, Place]],
        outputs: Sequence[Output],
        source_version: str = "",
        resolved_version: str = "",
    ) -> Build:
        name = project["name"]
        identifier = f"{name}:{uuid.uuid4()}"
        with self.lock:
            self.build_counts[name] = number = self.build_counts.get(name, 0) + 1
            build = Build(
                identifier,
                self.arn(f"build/{identifier}"),
                number,
                project,
                initiator,
                inputs,
                outputs,
                source_version,
                resolved_version,
            )
            self.builds[identifier] = build
            run = self._runs[identifier] = BuildRun(self.cloud, self, build)
        self.cloud.background(f"build {identifier}", run.play)
        return build

    def _build(self, build_id: str) -> Build:
        with self.lock:
            found = self.builds.get(short_name(build_id))
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Build cannot be found: {build_id}")
        return found

    def _document(self, build_id: str) -> Document:
        return self.builds[build_id].document(self.cloud.region, self.cloud.account)

    def _listed_builds(self, request: Document, project: str) -> Document:
        with self.lock:
            ids = [build.id for build in self.builds.values() if project in ("", build.project_name)]
        return page(ids if request.get("sortOrder") == "ASCENDING" else ids[::-1], request, "ids")

    def _override_variables(self, project: Document, variables: Sequence[Mapping[str, str]]) -> None:
        override_variables(project, variables)
        self._check_environment(project["environment"], f"project {project['name']}")

    def _outputs(self, project: Document) -> list[Output]:
        """Where a build that no pipeline started puts its artifacts.

        https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectArtifacts.html
        """
        outputs = []
        for one in (project["artifacts"], *project.get("secondaryArtifacts", [])):
            if one["type"] != "S3":
                continue
            if one.get("namespaceType") == "BUILD_ID":
                raise NotImplementedHere(f"artifacts with namespaceType BUILD_ID (project {project['name']})")
            path = str(one.get("path", "")).strip("/")
            key = "/".join(filter(None, (path, one.get("name") or project["name"])))
            outputs.append(
                Output(
                    one.get("artifactIdentifier", "") if one is not project["artifacts"] else "",
                    Place(one["location"], key),
                    one.get("packaging", "NONE"),
                    "" if one.get("encryptionDisabled") else project["encryptionKey"],
                    bool(one.get("overrideArtifactName")),
                )
            )
        return outputs


def _sources(project: Document, version: str) -> list[tuple[str, Place]]:
    source = project["source"]
    if source["type"] != "S3":
        return []
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    return [("", Place(bucket, key, version))]


def _initiator(caller: Credentials) -> str:
    """Who started a build: a user's name, or a role's with its session's."""
    return caller.principal_arn.rpartition(":")[2].removeprefix("assumed-role/").removeprefix("user/")
