"""Pipelines themselves: created, changed, read, deleted, tagged."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from rehearsal.cloud.codepipeline import declaration as declarations
from rehearsal.cloud.codepipeline import views
from rehearsal.cloud.codepipeline.executions import Executions
from rehearsal.cloud.codepipeline.records import FINISHED, Pipeline
from rehearsal.cloud.codepipeline.roles import SERVICE, check_roles
from rehearsal.cloud.codepipeline.room import Room
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

MOST_TAGS = 50
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""


def _tags(request: Document) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in request.get("tags", [])}


def _create_needs(room: Room, request: Document) -> Iterable[Call]:
    name, tags = request["pipeline"]["name"], _tags(request)
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        context["aws:TagKeys"] = list(tags)
    calls = [Call("codepipeline:CreatePipeline", room.arn(name), context), *_pass_role(request)]
    return [*calls, Call("codepipeline:TagResource", room.arn(name), context)] if tags else calls


def _pass_role(request: Document) -> list[Call]:
    return [Call("iam:PassRole", request["pipeline"]["roleArn"], {"iam:PassedToService": SERVICE})]


def _tag_needs(action: str) -> Needs:
    def needs(room: Room, request: Document) -> Iterable[Call]:
        keys = list(_tags(request)) or list(request.get("tagKeys", []))
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in _tags(request).items()}
        if keys:
            context["aws:TagKeys"] = keys
        name = request["resourceArn"].rpartition(":")[2]
        return room.pipeline_calls(action, name, context=context)

    return needs


class Definitions(Executions):
    """The operations on pipelines and their tags."""

    @operation("CreatePipeline", needs=_create_needs)
    def create_pipeline(self, request: Document, caller: Credentials) -> Document:
        """A created pipeline starts at once, from CloudFormation too.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-about-starting.html
        """
        declaration = {**declarations.normalised(request["pipeline"]), "version": 1}
        name, tags = declaration["name"], _tags(request)
        self._check(declaration)
        if len(tags) > MOST_TAGS:
            raise AwsError("TooManyTagsException", f"A pipeline can have {MOST_TAGS} tags at most")
        with self.changed:
            if name in self.pipelines:
                raise AwsError(
                    "PipelineNameInUseException",
                    f"A pipeline with the name '{name}' already exists in account '{self.cloud.account}'",
                )
            pipeline = Pipeline(declaration, self.arn(name), tags)
            pipeline.versions[1] = declaration
            self.pipelines[name] = pipeline
            self.start(pipeline, "CreatePipeline", caller.principal_arn)
        answer: Document = {"pipeline": copy.deepcopy(declaration)}
        return {**answer, "tags": request["tags"]} if tags else answer

    @operation(
        "UpdatePipeline",
        needs=lambda room, request: [
            *room.pipeline_calls("UpdatePipeline", request["pipeline"]["name"]),
            *_pass_role(request),
        ],
    )
    def update_pipeline(self, request: Document, caller: Credentials) -> Document:
        """The version goes up by one. Executions on their way keep the declaration they started with."""
        declaration = declarations.normalised(request["pipeline"])
        with self.changed:
            self.find(declaration["name"])
        self._check(declaration)
        with self.changed:
            pipeline = self.find(declaration["name"])
            declaration["version"] = pipeline.declaration["version"] + 1
            pipeline.declaration = declaration
            pipeline.versions[declaration["version"]] = declaration
            pipeline.updated = self.cloud.clock.timestamp()
            self.changed.notify_all()
        return {"pipeline": copy.deepcopy(declaration)}

    def _check(self, declaration: Document) -> None:
        declarations.check(declaration, self.cloud.region)
        check_roles(self.cloud, declaration, self.arn(declaration["name"]))

    @operation("GetPipeline", needs=lambda room, request: room.pipeline_calls("GetPipeline", request["name"]))
    def get_pipeline(self, request: Document, caller: Credentials) -> Document:
        with self.changed:
            pipeline = self.find(request["name"])
            version = int(request.get("version") or pipeline.declaration["version"])
            if version not in pipeline.versions:
                raise AwsError(
                    "PipelineVersionNotFoundException", f"Pipeline '{pipeline.name}' does not have version {version}"
                )
            return {
                "pipeline": copy.deepcopy(pipeline.versions[version]),
                "metadata": {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated},
            }

    @operation("DeletePipeline", needs=lambda room, request: room.pipeline_calls("DeletePipeline", request["name"]))
    def delete_pipeline(self, request: Document, caller: Credentials) -> Document:
        """Deleting what is not there is no error. What runs is let go of; what it started goes on by itself."""
        with self.changed:
            pipeline = self.pipelines.pop(request["name"], None)
            if pipeline is not None:
                pipeline.deleted = True
                for execution in pipeline.executions:
                    if execution.status not in FINISHED:
                        self.engine.abandon(execution)
                self.changed.notify_all()
        return {}

    @operation("ListPipelines", needs=lambda room, request: [Call("codepipeline:ListPipelines", room.arn("*"))])
    def list_pipelines(self, request: Document, caller: Credentials) -> Document:
        with self.changed:
            summaries = [views.summary(self.pipelines[name]) for name in sorted(self.pipelines)]
        shown, more = views.page(summaries, request, 1000)
        return {"pipelines": shown, **more}

    # ---- tags

    def _tagged(self, arn: str) -> Pipeline:
        with self.changed:
            for pipeline in self.pipelines.values():
                if pipeline.arn == arn:
                    return pipeline
        raise AwsError("ResourceNotFoundException", f"The resource {arn} was not found")

    @operation("TagResource", needs=_tag_needs("TagResource"))
    def tag_resource(self, request: Document, caller: Credentials) -> Document:
        pipeline = self._tagged(request["resourceArn"])
        with self.changed:
            tags = {**pipeline.tags, **_tags(request)}
            if len(tags) > MOST_TAGS:
                raise AwsError("TooManyTagsException", f"A pipeline can have {MOST_TAGS} tags at most")
            pipeline.tags = tags
        return {}

    @operation("UntagResource", needs=_tag_needs("UntagResource"))
    def untag_resource(self, request: Document, caller: Credentials) -> Document:
        pipeline = self._tagged(request["resourceArn"])
        with self.changed:
            pipeline.tags = {key: value for key, value in pipeline.tags.items() if key not in request["tagKeys"]}
        return {}

    @operation("ListTagsForResource", needs=_tag_needs("ListTagsForResource"))
    def list_tags_for_resource(self, request: Document, caller: Credentials) -> Document:
        tags = self._tagged(request["resourceArn"]).tags
        shown, more = views.page(sorted(tags.items()), request, 100)
        return {"tags": [{"key": key, "value": value} for key, value in shown], **more}
