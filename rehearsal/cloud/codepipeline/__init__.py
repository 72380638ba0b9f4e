"""AWS CodePipeline: pipelines of stages, played by their own role.

`definitions.py` keeps declarations, `executions.py` starts, stops and shows executions, `stages.py` answers what
people do to stages and actions, `jobs.py` what functions report; `engine.py` moves executions through stages and
`runner.py` runs actions, each provider in `actions/`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.codepipeline.definitions import Definitions
from rehearsal.cloud.codepipeline.engine import Engine
from rehearsal.cloud.codepipeline.events import start_request
from rehearsal.cloud.codepipeline.jobs import Jobs
from rehearsal.cloud.codepipeline.stages import Stages
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


class CodePipeline(Definitions, Stages, Jobs):
    """The `codepipeline` API."""

    name = "codepipeline"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.pipelines = {}
        self.jobs = {}
        self.changed = threading.Condition(threading.RLock())
        self.engine = Engine(cloud, self.changed)
        cloud.events.add_target("codepipeline", self.deliver)

    def stop(self) -> None:
        """Wake every waiting execution and action, so that they see that the cloud is stopping."""
        with self.changed:
            for pipeline in self.pipelines.values():
                for execution in pipeline.executions:
                    self.engine.abandon(execution)
            self.changed.notify_all()

    def deliver(self, rule: dict[str, Any], target: dict[str, Any], event: dict[str, Any], payload: str | None) -> None:
        """Start a pipeline because a rule matched, as the target's role.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
        """
        del event  # a plain event starts the pipeline; what it says is the source action's business
        arn = str(target["Arn"])
        if not target.get("RoleArn"):
            raise AwsError(
                "ValidationException", f"The target {target.get('Id')} of rule {rule['Arn']} has no RoleArn for {arn}"
            )
        caller = self.cloud.identity.assume_role(
            target["RoleArn"], "events.amazonaws.com", f"events-{target.get('Id', 'target')}", source_arn=rule["Arn"]
        )
        self.cloud.identity.require(caller, [Call("codepipeline:StartPipelineExecution", arn)])
        request = start_request(arn.rpartition(":")[2], payload)
        problem = self.cloud.shapes.request_problem(self.name, "StartPipelineExecution", request)
        if problem:
            raise self.malformed("StartPipelineExecution", problem)
        self.begin(request, "CloudWatchEvent", str(rule["Arn"]))


__all__ = ["CodePipeline"]
