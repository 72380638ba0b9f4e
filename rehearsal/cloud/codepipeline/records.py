"""What CodePipeline remembers: pipelines, their executions, and the runs of stages and actions."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.service import Document

FINISHED = frozenset({"Cancelled", "Stopped", "Succeeded", "Superseded", "Failed"})
"""Statuses of an execution that has come to its end."""


def new_id() -> str:
    """An identifier as CodePipeline makes them: a version 4 UUID."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Artifact:
    """A file of the artifact store: what one action hands to later ones."""

    name: str
    bucket: str
    key: str
    revision: str = ""

    def detail(self) -> Document:
        """The API's `ArtifactDetail`."""
        return {"name": self.name, "s3location": {"bucket": self.bucket, "key": self.key}}


@dataclass(eq=False)
class Approval:
    """An approval action that waits: its token, and the answer once somebody gave it."""

    token: str
    expires: float
    """Seconds since the epoch, on AWS's clock (not sped up): what people are told."""
    status: str = ""
    summary: str = ""
    approver: str = ""
    answered: float = 0.0
    over: bool = False
    """True once the action no longer waits: answered, expired or abandoned."""


@dataclass(eq=False)
class InvokeJob:
    """One job of a function, and what the function reported on it."""

    job_id: str
    over: bool = False
    succeeded: bool = False
    failure_type: str = ""
    message: str = ""
    external_id: str = ""
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class ActionRun:
    """One attempt at one action in one execution."""

    execution_id: str
    pipeline_version: int
    stage: str
    declaration: Document
    action_execution_id: str = field(default_factory=new_id)
    status: str = "InProgress"
    started: float = field(default_factory=Clock.timestamp)
    changed: float = field(default_factory=Clock.timestamp)
    configuration: dict[str, str] = field(default_factory=dict)
    """The configuration with its variables resolved."""
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    external_id: str = ""
    external_url: str = ""
    error_code: str = ""
    error_message: str = ""
    updated_by: str = ""
    approval: Approval | None = None
    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.declaration["name"])


@dataclass(eq=False)
class RuleRun:
    """One evaluation of one rule of a stage condition."""

    execution_id: str
    pipeline_version: int
    stage: str
    declaration: Document
    rule_execution_id: str = field(default_factory=new_id)
    status: str = "InProgress"
    summary: str = ""
    error_code: str = ""
    started: float = field(default_factory=Clock.timestamp)
    changed: float = field(default_factory=Clock.timestamp)
    configuration: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class ConditionRun:
    """One evaluation of a stage's condition: BeforeEntry or OnSuccess."""

    status: str
    summary: str
    rules: list[RuleRun]
    changed: float = field(default_factory=Clock.timestamp)

    def state(self) -> Document:
        """The API's `StageConditionState`."""
        return {
            "latestExecution": {"status": self.status, "summary": self.summary},
            "conditionStates": [
                {
                    "latestExecution": {
                        "status": self.status,
                        "summary": self.summary,
                        "lastStatusChange": self.changed,
                    },
                    "ruleStates": [
                        {
                            "ruleName": rule.declaration["name"],
                            "latestExecution": {
                                "ruleExecutionId": rule.rule_execution_id,
                                "status": rule.status,
                                "summary": rule.summary,
                                "lastStatusChange": rule.changed,
                            },
                        }
                        for rule in self.rules
                    ],
                }
            ],
        }


@dataclass(eq=False)
class Execution:
    """One pipeline execution, with all that its later actions need of its earlier ones."""

    number: int
    """The order in which executions of a pipeline started: a higher number is more recent."""
    pipeline_name: str
    declaration: Document
    trigger_type: str
    trigger_detail: str
    variables: dict[str, str]
    source_revisions: list[Document]
    execution_id: str = field(default_factory=new_id)
    status: str = "InProgress"
    started: float = field(default_factory=Clock.timestamp)
    changed: float = field(default_factory=Clock.timestamp)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    artifact_revisions: list[Document] = field(default_factory=list)
    revisions_by_action: list[Document] = field(default_factory=list)
    action_runs: list[ActionRun] = field(default_factory=list)
    rule_runs: list[RuleRun] = field(default_factory=list)
    succeeded_stages: set[str] = field(default_factory=set)
    stop_reason: str | None = None
    execution_type: str = "STANDARD"
    rollback_target: str = ""
    attempt: int = 1
    rolls_back: bool = False
    """Whether the stage it failed in goes back to an earlier execution by itself."""

    @property
    def version(self) -> int:
        return int(self.declaration["version"])

    @property
    def stages(self) -> list[Document]:
        return list(self.declaration["stages"])

    def runs_of(self, stage: str, action: str) -> list[ActionRun]:
        """The attempts at one action, oldest first."""
        return [run for run in self.action_runs if run.stage == stage and run.name == action]


@dataclass(eq=False)
class StageSlot:
    """A stage as a place: who is in it, who waits before it, and what happened in it last."""

    occupant: Execution | None = None
    inbound: list[Execution] = field(default_factory=list)
    enabled: bool = True
    disabled_reason: str = ""
    transition_changed_by: str = ""
    transition_changed_at: float = 0.0
    latest: Execution | None = None
    status: str = ""
    actions: dict[str, ActionRun] = field(default_factory=dict)
    before_entry: ConditionRun | None = None
    on_success: ConditionRun | None = None
    manual_retries: int = 0
    automatic_retries: int = 0
    latest_retry: str = ""
    """The API's `RetryTrigger` of the newest retry."""


@dataclass(eq=False)
class Pipeline:
    """A pipeline with every version of its declaration, its stages and its executions."""

    declaration: Document
    arn: str
    tags: dict[str, str]
    created: float = field(default_factory=Clock.timestamp)
    updated: float = field(default_factory=Clock.timestamp)
    versions: dict[int, Document] = field(default_factory=dict)
    slots: dict[str, StageSlot] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    request_tokens: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def mode(self) -> str:
        return str(self.declaration["executionMode"])

    def slot(self, stage: str) -> StageSlot:
        """The place of a stage; made when its first execution or its first question arrives."""
        return self.slots.setdefault(stage, StageSlot())

    def stage(self, name: str) -> Document | None:
        """The current declaration of a stage."""
        return next((stage for stage in self.declaration["stages"] if stage["name"] == name), None)

    def execution(self, execution_id: str) -> Execution | None:
        return next((found for found in self.executions if found.execution_id == execution_id), None)


def without_empty(document: dict[str, Any]) -> Document:
    """The members that have something to say; AWS leaves the others out."""
    return {key: value for key, value in document.items() if value not in (None, "", [], {})}
