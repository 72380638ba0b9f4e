"""The deploy pipeline in memory, behind a real boto3 client, as in fake_registry.py."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

from .fake_registry import response

NAME = "sagemaker-fraud-p-abc123-modeldeploy"
NOON = 1_800_000_000
SOURCE, HEAD = "ModelDeploySource", "f0" * 20


@dataclass
class DeployPipeline:
    """Nothing happens by itself: each time its follower waits, the next thing in `to_come` does."""

    codepipeline: Any
    to_come: list[Callable[[], object]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)  # error code by operation
    waited: float = 0
    _executions: dict[str, dict[str, Any]] = field(default_factory=dict)  # oldest first
    _actions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    # ---- what tests do

    def start(self, variable: str = "rollback", status: str = "InProgress", commit: str = HEAD) -> str:
        execution_id = f"00000000-0000-4000-8000-{len(self._executions) + 1:012}"
        self._executions[execution_id] = {"status": status, "variable": variable, "commit": commit}
        self._actions[execution_id] = []
        return execution_id

    def newest(self) -> str:
        return list(self._executions)[-1]

    def variable(self) -> str:
        """What the newest execution was started with."""
        return str(self._executions[self.newest()]["variable"])

    def commit(self) -> str:
        """What the newest execution takes."""
        return str(self._executions[self.newest()]["commit"])

    def act(self, action: str, status: str, said: str = "", after: int = 0, execution_id: str = "") -> None:
        """Start or end an action of the newest execution, such as `DeployStaging/TestStaging`."""
        execution_id = execution_id or self.newest()
        stage, _, name = action.partition("/")
        actions = [detail for detail in self._actions[execution_id] if detail["actionName"] != name]
        detail = {
            "pipelineExecutionId": execution_id,
            "actionExecutionId": f"{execution_id}/{name}",
            "stageName": stage,
            "actionName": name,
            "status": status,
            "startTime": NOON + len(actions),
            "lastUpdateTime": NOON + len(actions) + after,
        }
        if said:
            detail["output"] = {"executionResult": {"externalExecutionSummary": said}}
        self._actions[execution_id] = [*actions, detail]

    def end(self, status: str) -> None:
        self._executions[self.newest()]["status"] = status

    def wait(self, seconds: float) -> None:
        """What the follower waits with."""
        self.waited += seconds
        if self.to_come:
            self.to_come.pop(0)()
        else:
            assert self.waited < 1000, "it would wait for ever"

    # ---- what AWS answers

    @contextmanager
    def answering(self) -> Iterator["DeployPipeline"]:
        events = self.codepipeline.meta.events
        events.register("before-send.codepipeline", self._answer)
        try:
            yield self
        finally:
            events.unregister("before-send.codepipeline", self._answer)

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        if operation in self.refuses:
            return response(request, 400, {"__type": self.refuses[operation], "message": "not today"})
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "GetPipelineExecution": self._get_pipeline_execution,
            "ListActionExecutions": self._list_action_executions,
            "ListPipelineExecutions": self._list_pipeline_executions,
            "StartPipelineExecution": self._start_pipeline_execution,
        }
        answer = operations[operation](json.loads(request.body))
        validate_parameters(answer, self.codepipeline.meta.service_model.operation_model(operation).output_shape)
        return response(request, 200, answer)

    def _get_pipeline_execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["pipelineName"] == NAME
        execution = self._executions[asked["pipelineExecutionId"]]
        return {
            "pipelineExecution": {
                "pipelineName": NAME,
                "pipelineExecutionId": asked["pipelineExecutionId"],
                "status": execution["status"],
                "variables": [{"name": "MODEL_PACKAGE_ARN", "resolvedValue": execution["variable"]}],
            }
        }

    def _list_action_executions(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Newest first, as AWS does."""
        assert asked["pipelineName"] == NAME
        return {"actionExecutionDetails": self._actions[asked["filter"]["pipelineExecutionId"]][::-1]}

    def _list_pipeline_executions(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Newest first, as AWS does."""
        assert asked["pipelineName"] == NAME
        summaries = [
            {
                "pipelineExecutionId": execution_id,
                "status": execution["status"],
                "sourceRevisions": [{"actionName": SOURCE, "revisionId": execution["commit"]}],
            }
            for execution_id, execution in self._executions.items()
        ]
        return {"pipelineExecutionSummaries": summaries[::-1][: asked.get("maxResults", 100)]}

    def _start_pipeline_execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["name"] == NAME
        [variable] = asked["variables"]
        assert variable["name"] == "MODEL_PACKAGE_ARN"
        [taken] = asked.get("sourceRevisions", [{"actionName": SOURCE, "revisionValue": HEAD}])
        assert taken["actionName"] == SOURCE
        return {"pipelineExecutionId": self.start(variable["value"], commit=taken["revisionValue"])}
