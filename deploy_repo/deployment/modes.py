"""The ways in which a model can be served, and which parameters each of them has a use for.

https://docs.aws.amazon.com/sagemaker/latest/dg/deploy-model-options.html
"""

from collections.abc import Callable
from typing import Any

from deployment import scaling, served
from deployment.contradictions import Values
from deployment.errors import RefusedError

REALTIME = "realtime"
SERVERLESS = "serverless"
ASYNC = "async"
BATCH = "batch"

_OF_SERVERLESS = ("ServerlessMemoryMegabytes", "ServerlessMaxConcurrency", "ServerlessProvisionedConcurrency")
_OF_ASYNC = ("AsyncMaxConcurrentInvocations", "AsyncLeastInstanceCount", "AsyncBacklogPerInstanceTarget")
_OF_REALTIME = ("InvocationsPerInstanceTarget", "EnableDataCapture", "SamplingPercentage")
_OF_INSTANCES = (
    "EndpointInstanceType",
    "EndpointInstanceCount",
    "EndpointMaxInstanceCount",
    "CanaryPercent",
    "LinearStepPercent",
    "RollingBatchPercent",
    "RollbackBatchPercent",
    "TrafficWaitSeconds",
    "TerminationWaitSeconds",
    "ServerErrorsAlarmCount",
    "ModelLatencyAlarmMicroseconds",
    "OwnAlarmMetricName",
    "OwnAlarmNamespace",
    "OwnAlarmStatistic",
    "OwnAlarmComparison",
    "OwnAlarmThreshold",
    "ExistingAlarmName",
)
_OF_BATCH = ("BatchInstanceType", "BatchSchedule")
UNUSED = {
    REALTIME: (*_OF_SERVERLESS, *_OF_ASYNC, *_OF_BATCH),
    SERVERLESS: (*_OF_INSTANCES, *_OF_REALTIME, *_OF_ASYNC, *_OF_BATCH),
    ASYNC: (*_OF_SERVERLESS, *_OF_REALTIME, *_OF_BATCH),
    BATCH: (*_OF_SERVERLESS, *_OF_INSTANCES, *_OF_REALTIME, *_OF_ASYNC),
}
"""The parameters that have no effect in a mode.

SageMaker captures no data of asynchronous endpoints, whose requests and answers are files anyway.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-deploy-feature-matrix.html
"""


def unused(values: Values) -> list[str]:
    """The parameters somebody wrote that have no effect in the mode they chose."""
    return [name for name in UNUSED[values.text("DeploymentMode")] if values.is_set(name)]


def check_network(file: str, mode: str, subnets: str) -> None:
    """Refuse a mode that would take the model out of the network that the project was launched with.

    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
    """
    if mode == SERVERLESS and subnets:
        raise RefusedError(
            f"{file}: Parameters.DeploymentMode: is serverless, but this project was launched with subnets, and "
            "SageMaker runs no serverless endpoint in a network of yours; write realtime"
        )


def check_change(
    client: Callable[[str], Any], file: str, endpoint_name: str, stack_name: str, values: Values
) -> str | None:
    """Refuse what SageMaker would refuse in the middle of a deployment.

    Instances cannot become serverless. An asynchronous endpoint cannot become another ("The AsyncInferenceConfig
    parameter cannot be removed from this endpoint"); whether another can become asynchronous AWS does not say.

    Nor does a fleet that scales get another instance type: that is a scaling.AnotherTypeError. Answers what a person
    should know of another change, or None.
    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-edit.html
    https://github.com/aws/sagemaker-python-sdk/pull/3124 (an asynchronous endpoint stays one)
    """
    found = served.describe(client("sagemaker"), endpoint_name)
    if found is None:
        return None
    _refuse_another_kind(found.mode, values.text("DeploymentMode"), endpoint_name, stack_name)
    if found.mode == BATCH or not found.is_known:
        return None
    mode = values.text("DeploymentMode")
    if (fault := _impossible(found.mode, mode)) is not None:
        raise RefusedError(
            f"The endpoint {endpoint_name} {fault}.\n"
            f"Leave DeploymentMode as it is, or delete the stack {stack_name} first: the endpoint is then away until "
            "this deployment has made a new one."
        )
    if mode == SERVERLESS:
        return None
    if found.instance_type in (None, values.text("EndpointInstanceType")):
        return None
    return scaling.refuse_another_type(client("application-autoscaling"), file, endpoint_name, found, values)


def _impossible(now: str, planned: str) -> str | None:
    """Why an endpoint that serves in one mode cannot serve in another; None where it can."""
    if now == planned:
        return None
    if now == ASYNC:
        return f"is asynchronous, and SageMaker cannot make it {planned}"
    if planned == ASYNC:
        return f"is {now}, and SageMaker is not known to make one asynchronous that lives"
    if planned == SERVERLESS:
        return "runs on instances, and SageMaker cannot make it serverless"
    return None


def _refuse_another_kind(now: str, planned: str, name: str, stack_name: str) -> None:
    """An endpoint that becomes batch, or the other way round, is gone: whoever uses it has to know before."""
    if (now == BATCH) == (planned == BATCH):
        return
    if planned == BATCH:
        loses = f"is an endpoint ({now}), and DeploymentMode batch would delete it, whoever calls it"
    else:
        loses = f"answers files, and DeploymentMode {planned} would end its runs and their schedule"
    raise RefusedError(
        f"{name} {loses}.\n"
        f"Leave DeploymentMode as it is. If that is meant, delete the stack {stack_name} first: this deployment then "
        "makes a new one."
    )
