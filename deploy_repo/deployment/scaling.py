"""Whether an endpoint's fleet scales by itself, as it is now and as its configuration wants it.

Two deployments must not meet a fleet that scales: SageMaker changes the instance type of no variant that is a scalable
target, and a deployment in which a challenger begins or ends must not fail once SageMaker is done with it.
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-edit.html
"""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.contradictions import Values
from deployment.errors import ACCESS_DENIED, RefusedError
from deployment.served import CHAMPION, Served

_TRACKED = "TargetTrackingScalingPolicyConfiguration"
_NAMES = {
    "realtime": ("EndpointInstanceCount", "InvocationsPerInstanceTarget"),
    "async": ("AsyncLeastInstanceCount", "AsyncBacklogPerInstanceTarget"),
}
"""Of each mode that scales, the parameters with the least instances and with what is aimed at."""


class AnotherTypeError(RefusedError):
    """The fleet scales, so it cannot get the instance type `planned`; it can go on with the one it has, `present`."""

    def __init__(self, message: str, *, present: str, planned: str) -> None:
        super().__init__(message)
        self.present, self.planned = present, planned


@dataclass(frozen=True)
class Scaling:
    """The least and the most instances, and the value of the tracked metric that is aimed at."""

    least: int
    most: int
    target: int | None

    def __str__(self) -> str:
        aim = "" if self.target is None else f", aiming at {self.target} for each"
        return f"from {self.least} to {self.most} instances{aim}"


def wanted(values: Values) -> Scaling | None:
    """What the configuration asks for; None where autoscaling is off. As the template's conditions have it."""
    mode = values.text("DeploymentMode")
    if mode not in _NAMES:
        return None
    least, target = (values.number(name) for name in _NAMES[mode])
    most = values.number("EndpointMaxInstanceCount")
    return None if least == most else Scaling(least, most, target)


def present(autoscaling: Any, endpoint_name: str) -> Scaling | None:
    """What is registered of the endpoint's champion; None where nothing is."""
    fleet = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    resource = f"endpoint/{endpoint_name}/variant/{CHAMPION}"
    targets = autoscaling.describe_scalable_targets(**fleet, ResourceIds=[resource])["ScalableTargets"]
    if not targets:
        return None
    policies = autoscaling.describe_scaling_policies(**fleet, ResourceId=resource)["ScalingPolicies"]
    aims = [round(each[_TRACKED]["TargetValue"]) for each in policies if _TRACKED in each]
    return Scaling(targets[0]["MinCapacity"], targets[0]["MaxCapacity"], aims[0] if aims else None)


def refuse_change_with_challenger(
    autoscaling: Any, endpoint_name: str, values: Values, *, leaves_rejected: bool
) -> str | None:
    """Raise RefusedError where autoscaling would change in the deployment that makes or takes away a challenger.

    CloudFormation changes it after the endpoint. Were that to fail, the way back would be from these variants to those
    before, by the guardrails of before, which SageMaker refuses: the stack would end as UPDATE_ROLLBACK_FAILED.

    That is only said, not refused, where the challenger was rejected: it must not go on answering for that.
    """
    try:
        now = present(autoscaling, endpoint_name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ACCESS_DENIED:  # as in a project that is older than this
            return None
        raise
    if (planned := wanted(values)) == now:
        return None
    if leaves_rejected:
        return (
            f"The challenger of {endpoint_name} was rejected and leaves, though in the same deployment autoscaling "
            f"changes: {_told(now)} now, {_told(planned)} then. Should that fail, CloudFormation cannot take the "
            "endpoint back."
        )
    raise RefusedError(
        f"prod-config.json: the challenger of {endpoint_name} begins, ends or becomes another, and in the same "
        f"deployment autoscaling would change: {_told(now)} now, {_told(planned)} then. If that failed, "
        "CloudFormation could not take the endpoint back.\n"
        f"It takes two pushes: leave {_instead(values, now)} in the first; in the second, change autoscaling. "
        "Nothing was deployed."
    )


def refuse_another_type(autoscaling: Any, file: str, endpoint_name: str, found: Served, values: Values) -> str | None:
    """Raise AnotherTypeError where an endpoint that serves on another instance type scales, and say how it can be done.

    Answers what to know where nobody may look whether it scales, as in a project that is older than that right.
    """
    mode, planned = values.text("DeploymentMode"), values.text("EndpointInstanceType")
    least_name, most_name = _NAMES[mode][0], "EndpointMaxInstanceCount"
    try:
        now = present(autoscaling, endpoint_name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ACCESS_DENIED:
            raise
        return (
            f"The endpoint {endpoint_name} moves from {found.instance_type} to {planned}. SageMaker refuses that while "
            f"autoscaling is on: if it is, push {least_name} equal to {most_name} first, and the type after that."
        )
    if now is None:
        return None
    least, most = values.number(least_name), values.number(most_name)
    count = values.number("EndpointInstanceCount") if mode == "async" else max(found.instances or 0, now.least, 1)
    raise AnotherTypeError(
        f"{file}: Parameters.EndpointInstanceType: is {planned}, but {endpoint_name} runs on {found.instance_type} and "
        f"scales {now}. SageMaker changes the type of no fleet that scales by itself, so it takes two pushes:\n"
        f"1. EndpointInstanceType {found.instance_type} as it is, {least_name} {count} and {most_name} {count}: "
        "autoscaling ends, and the fleet stays as large as that.\n"
        f"2. Once that is deployed, EndpointInstanceType {planned}, {least_name} {least} and {most_name} {most}: "
        f"{'autoscaling begins again' if least != most else 'it stays off'}.\n"
        "Nothing was deployed.",
        present=str(found.instance_type),
        planned=planned,
    )


def _told(scaling: Scaling | None) -> str:
    return "off" if scaling is None else str(scaling)


def _instead(values: Values, now: Scaling | None) -> str:
    """The parameters that leave autoscaling as it is."""
    if now is None:
        return "EndpointMaxInstanceCount equal to EndpointInstanceCount"
    least_name, target_name = _NAMES[values.text("DeploymentMode")]
    aim = "" if now.target is None else f", {target_name} {now.target}"
    return f"{least_name} {now.least}, EndpointMaxInstanceCount {now.most}{aim}"
