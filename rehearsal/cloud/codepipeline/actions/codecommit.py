"""CodeCommit as a source.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import quote

from rehearsal.cloud.codepipeline.actions.base import Action, ActionFailed, Job, Shape
from rehearsal.cloud.codepipeline.artifacts import StoreProblem
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document
from rehearsal.cloud.service_calls import CODEPIPELINE_CODECOMMIT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping


class Repositories(Protocol):
    """What this action needs of the CodeCommit room."""

    def commit_for_pipeline(self, repository: str, branch: str, commit: str | None) -> Mapping[str, str]:
        """The branch's head, or the given commit: `commitId`, `message`, `authorDate`, `committerDate`.

        Raises AwsError (RepositoryDoesNotExistException, BranchDoesNotExistException, CommitIdDoesNotExistException).
        """

    def archive(self, repository: str, commit: str) -> bytes:
        """The commit's tree as a zip file."""


class CodeCommitSource(Action):
    """Puts the tree of a commit into the artifact store."""

    shape = Shape(
        categories=frozenset({"Source"}),
        provider="CodeCommit",
        required=frozenset({"RepositoryName", "BranchName"}),
        optional=frozenset({"PollForSourceChanges", "OutputArtifactFormat"}),
        outputs=(1, 1),
    )

    def check(self, declaration: Document, stage: str) -> None:
        """Polling is refused: left out, it defaults to true, and every push would start two executions."""
        configuration = declaration["configuration"]
        if configuration.get("PollForSourceChanges", "true") != "false":
            raise NotImplementedHere(
                f"PollForSourceChanges of source action {declaration['name']} (AWS polls unless it is false, and "
                "advises against it; set it to false and start the pipeline with an event rule)"
            )
        form = configuration.get("OutputArtifactFormat", "CODE_ZIP")
        if form == "CODEBUILD_CLONE_REF":
            raise NotImplementedHere(f"OutputArtifactFormat CODEBUILD_CLONE_REF of source action {declaration['name']}")
        if form != "CODE_ZIP":
            raise AwsError(
                "InvalidActionDeclarationException",
                f"Action configuration for action '{declaration['name']}' has an invalid value '{form}' for "
                "OutputArtifactFormat; valid values are CODE_ZIP and CODEBUILD_CLONE_REF",
            )

    def run(self, job: Job) -> None:
        repository, branch = job.configuration["RepositoryName"], job.configuration["BranchName"]
        rooms = cast(Repositories, job.cloud.services["codecommit"])
        arn = f"arn:aws:codecommit:{job.cloud.region}:{job.cloud.account}:{repository}"
        try:
            job.cloud.identity.require_service_calls(job.credentials, CODEPIPELINE_CODECOMMIT_SOURCE, arn)
        except AwsError as problem:
            raise ActionFailed(
                "The service role or action role doesn’t have the permissions required to access the AWS CodeCommit "
                f"repository named {repository}. Update the IAM role permissions, and then try again. "
                f"Error: {problem.message}",
                "PermissionError",
            ) from problem
        commit = self._commit(job, rooms, repository, branch)
        artifact = job.new_artifact(job.run.declaration["outputArtifacts"][0]["name"])
        try:
            job.store.put(artifact, rooms.archive(repository, commit["commitId"]))
        except StoreProblem as problem:
            raise ActionFailed(problem.message, problem.code) from problem
        self._record(job, repository, branch, commit)
        job.run.outputs = [replace(artifact, revision=commit["commitId"])]

    @staticmethod
    def _commit(job: Job, rooms: Repositories, repository: str, branch: str) -> Mapping[str, str]:
        override = next(
            (
                wanted["revisionValue"]
                for wanted in job.execution.source_revisions
                if wanted["actionName"] == job.run.name
            ),
            None,
        )
        try:
            return rooms.commit_for_pipeline(repository, branch, override)
        except AwsError as problem:
            if problem.code == "BranchDoesNotExistException":
                message = (
                    f"The action failed because no branch named {branch} was found in the selected AWS CodeCommit "
                    f"repository {repository}. Make sure you are using the correct branch name, and then try again. "
                    "Error: null"
                )
            elif problem.code == "RepositoryDoesNotExistException":
                message = (
                    f"The action failed because either the artifact or the repository {repository} was not found. "
                    f"Error: {problem.message}"
                )
            else:
                message = f"The action failed because of {repository}: {problem.code}: {problem.message}"
            raise ActionFailed(message, "ConfigurationError") from problem

    @staticmethod
    def _record(job: Job, repository: str, branch: str, commit: Mapping[str, str]) -> None:
        revision, message = commit["commitId"], commit["message"]
        url = (
            f"https://{job.cloud.region}.console.aws.amazon.com/codecommit/home#/repository/{quote(repository)}"
            f"/commit/{revision}"
        )
        job.run.external_id, job.run.external_url = revision, url
        job.run.summary = message[:2048]
        job.run.variables = {
            "AuthorDate": commit["authorDate"],
            "BranchName": branch,
            "CommitId": revision,
            "CommitMessage": message,
            "CommitterDate": commit["committerDate"],
            "RepositoryName": repository,
        }
