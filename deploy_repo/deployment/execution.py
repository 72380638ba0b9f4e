"""An execution of the deploy pipeline: finding it, and telling a person how it goes.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from deployment.settings import ROLLBACK

VARIABLE = "MODEL_PACKAGE_ARN"
RECORDING_ACTION = "RecordDeployment"
NEVER_DEPLOYED = frozenset({"Cancelled", "Superseded"})  # they came to no stage but the ones before
ENDED = frozenset({"Cancelled", "Failed", "Stopped", "Succeeded", "Superseded"})
POLL_SECONDS = 3.0
NEWEST = 25  # more executions than that are never under way in one pipeline of five stages

STATUS_IN_WORDS = {
    "InProgress": "started",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Abandoned": "was abandoned",
}


@dataclass(frozen=True)
class Action:
    """One action of an execution, and what it said when it ended."""

    id: str
    name: str
    status: str
    seconds: float
    said: str

    def line(self) -> str:
        """Such as `DeployStaging / TestStaging failed after 41 s: Build terminated with state: FAILED`."""
        text = f"{self.name} {STATUS_IN_WORDS.get(self.status, self.status)}"
        if self.status == "InProgress":
            return text
        text += f" after {self.seconds:.0f} s"
        return f"{text}: {self.said}" if self.said and self.status != "Succeeded" else text


@dataclass(frozen=True)
class Pipeline:
    """The deploy pipeline."""

    codepipeline: Any
    name: str

    def newest(self) -> dict[str, str]:
        """Ids of the newest executions and their states, newest first."""
        answer = self.codepipeline.list_pipeline_executions(pipelineName=self.name, maxResults=NEWEST)
        return {found["pipelineExecutionId"]: found["status"] for found in answer["pipelineExecutionSummaries"]}

    def way_back_under_way(self) -> str | None:
        """The id of an execution that was started to go back and has not ended; None without one."""
        under_way = [execution_id for execution_id, status in self.newest().items() if status not in ENDED]
        return next(filter(self._goes_back, under_way), None)

    def way_back_since(self, known: Collection[str]) -> str | None:
        """The id of an execution that goes back and is none of the `known`, whether it has ended or not."""
        return next(filter(self._goes_back, [found for found in self.newest() if found not in known]), None)

    def sources_of_production(self) -> list[dict[str, str]]:
        """What production was last deployed from, as `start_way_back` takes it; nothing where no execution says so."""
        for page in self.codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=self.name):
            for found in page["pipelineExecutionSummaries"]:
                if found["status"] in NEVER_DEPLOYED or not self._was_recorded(found["pipelineExecutionId"]):
                    continue
                return [
                    {
                        "actionName": source["actionName"],
                        "revisionType": "COMMIT_ID",
                        "revisionValue": source["revisionId"],
                    }
                    for source in found.get("sourceRevisions", [])
                    if source.get("revisionId")
                ]
        return []

    def start_way_back(self, sources: list[dict[str, str]]) -> str:
        """Start an execution that goes back, and return its id. Without `sources` it takes the newest commit.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
        """
        answer = self.codepipeline.start_pipeline_execution(
            name=self.name,
            variables=[{"name": VARIABLE, "value": ROLLBACK}],
            **({"sourceRevisions": sources} if sources else {}),
        )
        return str(answer["pipelineExecutionId"])

    def follow(self, execution_id: str, wait: Callable[[float], None], say: Callable[[str], None]) -> str:
        """Tell every action that starts or ends, until the execution has ended; return its state."""
        told: set[tuple[str, str]] = set()
        while True:
            status = self._describe(execution_id)["status"]  # first, so that no action after it goes untold
            for action in self.actions(execution_id):
                if (action.id, action.status) not in told:
                    told.add((action.id, action.status))
                    say(action.line())
            if status in ENDED:
                return str(status)
            wait(POLL_SECONDS)

    def actions(self, execution_id: str) -> list[Action]:
        """Every action of an execution that has started, in that order."""
        pages = self.codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": execution_id}
        )
        found = [detail for page in pages for detail in page["actionExecutionDetails"]]
        return [_action(detail) for detail in reversed(found)]  # AWS lists the newest first

    def _was_recorded(self, execution_id: str) -> bool:
        """Whether its version was seen to be live in production."""
        recorded = [action for action in self.actions(execution_id) if action.name.endswith(f"/ {RECORDING_ACTION}")]
        return any(action.status == "Succeeded" for action in recorded)

    def _goes_back(self, execution_id: str) -> bool:
        variables = self._describe(execution_id).get("variables", [])
        return {"name": VARIABLE, "resolvedValue": ROLLBACK} in variables

    def _describe(self, execution_id: str) -> dict[str, Any]:
        answer = self.codepipeline.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution_id)
        described: dict[str, Any] = answer["pipelineExecution"]
        return described


def _action(detail: dict[str, Any]) -> Action:
    result = detail.get("output", {}).get("executionResult", {})
    said = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
    stage, action = detail["stageName"], detail["actionName"]
    return Action(
        id=detail["actionExecutionId"],
        name=stage if stage == action else f"{stage} / {action}",
        status=detail["status"],
        seconds=(detail["lastUpdateTime"] - detail["startTime"]).total_seconds(),
        said=" ".join(said.split()),
    )
