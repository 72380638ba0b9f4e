"""What every action provider is made of."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from rehearsal.cloud.codepipeline.artifacts import ArtifactStore
from rehearsal.cloud.codepipeline.records import ActionRun, Artifact, Execution
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

KEY_CHARACTERS = string.ascii_letters + string.digits


class ActionFailed(Exception):
    """The action ran and failed, or could not run. `code` is one of the API's failure types (`JobFailed`, ...).

    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html
    """

    def __init__(self, message: str, code: str = "JobFailed") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ActionAbandoned(Exception):
    """The execution was stopped without waiting for this action, or the cloud is stopping."""


@dataclass(frozen=True)
class Shape:
    """What a declaration of a provider's action may look like.

    `refused` names configuration keys AWS acts on and this cloud does not, with the values that mean nothing special.
    """

    categories: frozenset[str]
    provider: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    inputs: tuple[int, int] = (0, 0)
    outputs: tuple[int, int] = (0, 0)

    @property
    def keys(self) -> frozenset[str]:
        return self.required | self.optional | frozenset(self.refused)


@dataclass
class Job:
    """One run of one action: everything its provider needs, acting as the pipeline's role."""

    cloud: Cloud
    pipeline_arn: str
    execution: Execution
    run: ActionRun
    credentials: Credentials
    store: ArtifactStore
    changed: Callable[[Callable[[], None]], None]
    """Apply a change to the run under the service's lock and wake whoever waits."""
    wait_for_approval: Callable[[ActionRun, float], None]
    """Wait until the run's approval is over, at most so many AWS seconds; raises ActionAbandoned."""

    @property
    def configuration(self) -> dict[str, str]:
        """The action's configuration with its variables resolved."""
        return self.run.configuration

    def progress(self, *, external_id: str = "", external_url: str = "", summary: str = "") -> None:
        """Show outside what the action is doing."""

        def show() -> None:
            self.run.external_id = external_id or self.run.external_id
            self.run.external_url = external_url or self.run.external_url
            self.run.summary = summary or self.run.summary

        self.changed(show)

    def pause(self, seconds: float) -> None:
        """Wait between two looks at something. Raises ActionAbandoned when nobody wants the answer any more."""
        if self.run.abandoned.wait(seconds) or self.cloud.stopping.is_set():
            raise ActionAbandoned

    def new_artifact(self, name: str) -> Artifact:
        """A place in the artifact store for an output artifact, named as AWS names it."""
        suffix = "".join(secrets.choice(KEY_CHARACTERS) for _ in range(7))
        key = f"{self.execution.pipeline_name[:20]}/{name[:10]}/{suffix}"
        return Artifact(name, self.store.bucket, key)

    def input(self, name: str) -> Artifact:
        """An input artifact by name. Raises ActionFailed when the action does not declare it."""
        for artifact in self.run.inputs:
            if artifact.name == name:
                return artifact
        raise ActionFailed(
            f"The action {self.run.name} refers to artifact {name}, which is not among its input artifacts",
            "ConfigurationError",
        )


class Action:
    """A provider of actions: its shape and what it does."""

    shape: ClassVar[Shape]

    def check(self, declaration: Document, stage: str) -> None:
        """Refuse a declaration for reasons only this provider knows. Raises AwsError."""

    def run(self, job: Job) -> None:
        """Do it. Returns on success, with `job.run` filled in; raises ActionFailed or ActionAbandoned otherwise."""
        raise NotImplementedError
