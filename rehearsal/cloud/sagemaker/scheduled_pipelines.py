"""Pipelines as targets of EventBridge's rules, those that run on a schedule among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.pipelines import Pipelines

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

OF_THE_EVENT = "$."


class ScheduledPipelines(Pipelines):
    """Starts a pipeline because a rule says so."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        cloud.events.add_target("sagemaker", self.deliver)

    def deliver(self, rule: dict[str, Any], target: dict[str, Any], event: dict[str, Any], payload: str | None) -> None:
        """Start a pipeline as the target's role, with the parameters that the target names.

        https://docs.aws.amazon.com/sagemaker/latest/dg/pipeline-eventbridge.html
        https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_SageMakerPipelineParameters.html
        """
        del event
        arn = str(target["Arn"])
        if payload is not None:
            raise NotImplementedHere(f"an input of an event rule's target that is a SageMaker pipeline ({arn})")
        given = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
        for each in given:
            if str(each["Value"]).startswith(OF_THE_EVENT):
                raise NotImplementedHere(f"a part of the event as a pipeline's parameter ({each['Name']} of {arn})")
        if not target.get("RoleArn"):
            raise AwsError(
                "ValidationException", f"The target {target.get('Id')} of rule {rule['Arn']} has no RoleArn for {arn}"
            )
        caller = self.cloud.identity.assume_role(
            target["RoleArn"], "events.amazonaws.com", f"events-{target.get('Id', 'target')}", source_arn=rule["Arn"]
        )
        request = {
            "PipelineName": arn.rpartition("/")[2],
            "ClientRequestToken": str(uuid4()),
            **({"PipelineParameters": given} if given else {}),
        }
        self.cloud.call(caller, self.name, "StartPipelineExecution", request)
