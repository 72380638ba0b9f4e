"""How the actions of a stage run: groups by runOrder, one group after the other, a group's actions side by side."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from rehearsal.cloud.codepipeline.actions import action_for
from rehearsal.cloud.codepipeline.actions.base import ActionAbandoned, ActionFailed, Job
from rehearsal.cloud.codepipeline.artifacts import ArtifactStore
from rehearsal.cloud.codepipeline.events import Announcer
from rehearsal.cloud.codepipeline.records import ActionRun, Execution, Pipeline
from rehearsal.cloud.codepipeline.roles import SERVICE, action_role, pipeline_role
from rehearsal.cloud.codepipeline.variables import (
    PIPELINE_NAMESPACE,
    VARIABLES_NAMESPACE,
    Unresolvable,
    resolve_all,
)
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)
LONGEST_VALUE = 2048  # of a summary or message in an answer


def namespaces_of(execution: Execution) -> dict[str, dict[str, str]]:
    """Everything a reference can name by now."""
    return {
        **execution.namespaces,
        PIPELINE_NAMESPACE: {"PipelineExecutionId": execution.execution_id},
        VARIABLES_NAMESPACE: execution.variables,
    }


class Runner:
    """Runs actions as the pipeline's role and keeps what came of them."""

    def __init__(self, cloud: Cloud, changed: threading.Condition, announce: Announcer) -> None:
        self._cloud = cloud
        self._changed = changed
        self._announce = announce

    def stage(self, pipeline: Pipeline, execution: Execution, stage: Document, only_failed: bool) -> str:
        """Run the stage's actions; answers Succeeded, Failed or Stopped.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html#action-requirements
        """
        waiting = sorted(stage["actions"], key=lambda action: int(action["runOrder"]))
        for _, group in groupby(waiting, key=lambda action: int(action["runOrder"])):
            declarations = [
                action
                for action in group
                if not (only_failed and self._has_succeeded(execution, stage["name"], action["name"]))
            ]
            if execution.status == "Stopping" or pipeline.deleted:
                return "Stopped"
            runs = self._side_by_side(pipeline, execution, stage["name"], declarations)
            statuses = {run.status for run in runs}
            if "Abandoned" in statuses:
                return "Stopped"
            if "Failed" in statuses:
                return "Failed"
        return "Succeeded"

    @staticmethod
    def _has_succeeded(execution: Execution, stage: str, action: str) -> bool:
        runs = execution.runs_of(stage, action)
        return bool(runs) and runs[-1].status == "Succeeded"

    def _side_by_side(
        self, pipeline: Pipeline, execution: Execution, stage: str, declarations: list[Document]
    ) -> list[ActionRun]:
        runs = [ActionRun(execution.execution_id, execution.version, stage, action) for action in declarations]
        with self._changed:
            slot = pipeline.slot(stage)
            for run in runs:
                slot.actions[run.name] = run
                execution.action_runs.append(run)
        threads = [
            self._cloud.background(f"action {run.name} of {pipeline.name}", self._action, pipeline, execution, run)
            for run in runs[1:]
        ]
        for run in runs[:1]:
            self._action(pipeline, execution, run)
        for thread in threads:
            thread.join()
        return runs

    # ---- one action

    def _action(self, pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
        run.inputs = [
            execution.artifacts[artifact["name"]]
            for artifact in run.declaration["inputArtifacts"]
            if artifact["name"] in execution.artifacts
        ]
        self._announce.action(execution, run)
        status, code, message = "Succeeded", "", ""
        try:
            self._perform(pipeline, execution, run)
        except ActionAbandoned:
            status = "Abandoned"
        except ActionFailed as problem:
            status, code, message = "Failed", problem.code, problem.message
        except AwsError as problem:
            status, code, message = "Failed", "JobFailed", f"{problem.code}: {problem.message}"
        except Exception as problem:
            log.exception("action %s of pipeline %s broke", run.name, pipeline.name)
            status, code, message = "Failed", "SystemUnavailable", f"Internal failure of the rehearsal: {problem!r}"
        with self._changed:
            run.error_code, run.error_message = code, message
            run.changed = self._cloud.clock.timestamp()
            run.status = status
            if run.approval is not None:
                run.approval.over = True
            if status == "Succeeded":
                self._keep(execution, run)
            execution.changed = run.changed
            self._changed.notify_all()
        if not pipeline.deleted:
            self._announce.action(execution, run)

    def _perform(self, pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
        if len(run.inputs) < len(run.declaration["inputArtifacts"]):
            wanted = {artifact["name"] for artifact in run.declaration["inputArtifacts"]}
            missing = ", ".join(sorted(wanted - {artifact.name for artifact in run.inputs}))
            raise ActionFailed(
                f"The action {run.name} has no input artifact {missing}: the action that makes it did not run in this "
                "execution",
                "ConfigurationError",
            )
        try:
            run.configuration = resolve_all(run.declaration["configuration"], namespaces_of(execution))
        except Unresolvable as problem:
            raise ActionFailed(
                "An action in this pipeline failed because one or more variables could not be resolved: "
                f"Action name={run.name}. This can result when a variable is referenced that does not exist. "
                f"Validate the configuration for this action. ({problem})",
                "ConfigurationError",
            ) from problem
        credentials = self._role(pipeline, execution, run)
        role = str(run.declaration.get("roleArn") or execution.declaration["roleArn"])
        store = ArtifactStore(self._cloud, execution.declaration["artifactStore"], role, credentials)
        action = action_for(run.declaration["actionTypeId"])
        assert action is not None  # noqa: S101 - the declaration was checked
        action.run(
            Job(
                cloud=self._cloud,
                pipeline_arn=pipeline.arn,
                execution=execution,
                run=run,
                credentials=credentials,
                store=store,
                changed=self._change,
                wait_for_approval=self._wait_for_approval,
            )
        )

    def _role(self, pipeline: Pipeline, execution: Execution, run: ActionRun) -> Credentials:
        role = str(execution.declaration["roleArn"])
        session = execution.execution_id
        try:
            credentials = pipeline_role(self._cloud, role, pipeline.arn, session)
            if "roleArn" in run.declaration:
                role = str(run.declaration["roleArn"])
                credentials = action_role(self._cloud, credentials, role, session)
        except AwsError as problem:
            raise ActionFailed(
                f"The service role or action role {role} cannot be assumed. Check that it exists, that its trust "
                f"policy allows {SERVICE} (an action role: the pipeline's role), and that the pipeline's role may "
                "assume it. "
                f"Error: {problem.message}",
                "PermissionError",
            ) from problem
        return credentials

    def _change(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()
        self._cloud.news.tell()

    def _wait_for_approval(self, run: ActionRun, seconds: float) -> None:
        """Wait for an answer at most `seconds` on AWS's clock, which the rehearsal's runs ahead of."""
        approval = run.approval
        assert approval is not None  # noqa: S101 - the approval action made it
        deadline = time.monotonic() + self._cloud.clock.real_seconds(seconds)
        with self._changed:
            while not approval.status:
                left = deadline - time.monotonic()
                if run.abandoned.is_set() or self._cloud.stopping.is_set():
                    raise ActionAbandoned
                if left <= 0:
                    approval.over = True
                    return
                self._changed.wait(left)

    @staticmethod
    def _keep(execution: Execution, run: ActionRun) -> None:
        """Hand on what an action made: artifacts, variables, source revisions."""
        for artifact in run.outputs:
            execution.artifacts[artifact.name] = artifact
        namespace = run.declaration.get("namespace")
        if namespace:
            execution.namespaces[namespace] = dict(run.variables)
        if run.declaration["actionTypeId"]["category"] != "Source":
            return
        summary = run.summary[:LONGEST_VALUE]
        made = {artifact.name for artifact in run.outputs}  # once more, when a source stage is retried
        execution.artifact_revisions[:] = [each for each in execution.artifact_revisions if each["name"] not in made]
        execution.revisions_by_action[:] = [
            each for each in execution.revisions_by_action if each["actionName"] != run.name
        ]
        for artifact in run.outputs:
            execution.artifact_revisions.append(
                {
                    "name": artifact.name,
                    "revisionId": run.external_id,
                    "revisionSummary": summary,
                    "revisionUrl": run.external_url,
                    "created": run.changed,
                }
            )
        execution.revisions_by_action.append(
            {
                "actionName": run.name,
                "revisionId": run.external_id,
                "revisionSummary": summary,
                "revisionUrl": run.external_url,
            }
        )
