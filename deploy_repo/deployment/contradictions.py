"""What the values of a stage's configuration say together that none of them can show alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the staging tests, too, ask which mode is chosen, and cannot read templates
    from deployment.template import Parameter

# The alarms look at one or two periods of a minute: a shorter wait is over before they can say anything.
SHORTEST_WATCHED_WAIT_SECONDS = 120

# MaximumExecutionTimeoutInSeconds in endpoint-config-template.yml, and what starting instances takes of it.
LONGEST_DEPLOYMENT_SECONDS = 14400
STARTING_SECONDS = 600

STEP_PERCENT = {"CANARY": "CanaryPercent", "LINEAR": "LinearStepPercent", "ROLLING": "RollingBatchPercent"}


class Values:
    """The values of a configuration, the template's defaults among them."""

    def __init__(self, parameters: Mapping[str, str], template: Mapping[str, Parameter]) -> None:
        self._parameters = parameters
        self._template = template

    def text(self, name: str) -> str:
        return str(self._parameters.get(name, self._template[name].default))

    def number(self, name: str) -> int:
        return int(self._parameters.get(name, self._template[name].default or 0))

    def is_set(self, name: str) -> bool:
        """Whether somebody wrote it, rather than leaving the default."""
        return name in self._parameters


def found(values: Values, *, watched: bool, alarm_prefix: str) -> list[str]:
    """One line for each contradiction.

    `watched` asks for traffic to move so that alarms have time to bring it back; `alarm_prefix` is how alarms are named
    that the model's role may look at.
    """
    mode = values.text("DeploymentMode")
    if mode == "serverless":
        return _serverless(values)
    if mode == "batch":
        return _batch(values)
    of_mode = _backlog(values) if mode == "async" else []
    return [
        *_fleet(values),
        *of_mode,
        *_traffic(values, watched),
        *_own_alarm(values),
        *_existing_alarm(values, alarm_prefix),
    ]


def _serverless(values: Values) -> list[str]:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions"""
    faults = []
    if (routing := values.text("TrafficRouting")) != "ALL_AT_ONCE":
        faults.append(
            f"Parameters.TrafficRouting: is {routing}, but SageMaker moves a serverless endpoint all at once, and no "
            "alarm brings it back; write ALL_AT_ONCE, or DeploymentMode realtime"
        )
    if values.text("EnableNetworkIsolation") != "false":
        faults.append(
            "Parameters.EnableNetworkIsolation: is true, but SageMaker cannot cut a serverless container off from the "
            'network; write "EnableNetworkIsolation": false if that may be'
        )
    most, warm = values.number("ServerlessMaxConcurrency"), values.number("ServerlessProvisionedConcurrency")
    if warm > most:
        faults.append(
            f"Parameters.ServerlessProvisionedConcurrency: is {warm}, above ServerlessMaxConcurrency, which is {most}"
        )
    return faults


def _batch(values: Values) -> list[str]:
    if (routing := values.text("TrafficRouting")) == "ALL_AT_ONCE":
        return []
    return [
        f"Parameters.TrafficRouting: is {routing}, but batch has no traffic that moves: the next run is the new "
        "version's; write ALL_AT_ONCE, or DeploymentMode realtime"
    ]


def _fleet(values: Values) -> list[str]:
    least, most = values.number("EndpointInstanceCount"), values.number("EndpointMaxInstanceCount")
    if most >= least:
        return []
    return [
        f"Parameters.EndpointMaxInstanceCount: is {most}, below EndpointInstanceCount, which is {least}; "
        "make it equal, or larger"
    ]


def _backlog(values: Values) -> list[str]:
    """What asynchronous inference asks of the fleet."""
    least, count = values.number("AsyncLeastInstanceCount"), values.number("EndpointInstanceCount")
    if least <= count:
        return []
    return [
        f"Parameters.AsyncLeastInstanceCount: is {least}, above EndpointInstanceCount, which is {count}: autoscaling "
        "would start more right after every deployment; make it equal, or smaller"
    ]


def _traffic(values: Values, watched: bool) -> list[str]:
    routing = values.text("TrafficRouting")
    if routing == "ALL_AT_ONCE":
        wait = values.number("TerminationWaitSeconds")
        if not watched or wait >= SHORTEST_WATCHED_WAIT_SECONDS:
            return []
        return [
            f"Parameters.TerminationWaitSeconds: is {wait}, but with TrafficRouting ALL_AT_ONCE it is the only time "
            f"in which alarms can bring the old version back; they need {SHORTEST_WATCHED_WAIT_SECONDS} seconds or more"
        ]
    faults = []
    least, wait = values.number("EndpointInstanceCount"), values.number("TrafficWaitSeconds")
    if least < 2:
        faults.append(
            f"Parameters.EndpointInstanceCount: is {least}, but TrafficRouting {routing} needs at least 2: "
            "of one instance no part can go first; use 2 or more, or ALL_AT_ONCE"
        )
    if wait < SHORTEST_WATCHED_WAIT_SECONDS:
        faults.append(
            f"Parameters.TrafficWaitSeconds: is {wait}, but the alarms need "
            f"{SHORTEST_WATCHED_WAIT_SECONDS} seconds or more to notice a bad version before the next step"
        )
    if (takes := _seconds(values, routing)) > LONGEST_DEPLOYMENT_SECONDS:
        faults.append(
            f"Parameters.TrafficWaitSeconds: is {wait}, with which {routing} takes up to {takes} seconds; "
            f"a deployment may take {LONGEST_DEPLOYMENT_SECONDS}: wait less, or raise {STEP_PERCENT[routing]}"
        )
    return faults


def _seconds(values: Values, routing: str) -> int:
    """How long a deployment in steps takes at most, with all its waits and starting instances."""
    wait = values.number("TrafficWaitSeconds")
    most = max(values.number("EndpointInstanceCount"), values.number("EndpointMaxInstanceCount"))
    steps = min(math.ceil(100 / values.number(STEP_PERCENT[routing])), most)
    if routing == "ROLLING":
        return steps * (wait + STARTING_SECONDS)
    waits = 1 if routing == "CANARY" else steps - 1
    return STARTING_SECONDS + waits * wait + values.number("TerminationWaitSeconds")


def _own_alarm(values: Values) -> list[str]:
    if not values.text("OwnAlarmMetricName"):
        others = ("Namespace", "Statistic", "Comparison", "Threshold")
        return [
            f"Parameters.OwnAlarm{other}: has no effect without OwnAlarmMetricName; name the metric, or remove it"
            for other in others
            if values.is_set(f"OwnAlarm{other}")
        ]
    if values.text("OwnAlarmNamespace").startswith("AWS/"):
        return [
            "Parameters.OwnAlarmNamespace: is one of AWS's own, none of whose metrics has EndpointName as its only "
            "dimension; name your own namespace, or make the alarm yourself and name it in ExistingAlarmName"
        ]
    return []


def _existing_alarm(values: Values, prefix: str) -> list[str]:
    """The role a model runs as may look at alarms of the project's stacks only, and SageMaker looks as that role."""
    name = values.text("ExistingAlarmName")
    if not name or name.startswith(prefix):
        return []
    return [
        f"Parameters.ExistingAlarmName: is {name}, which SageMaker may not look at; rename the alarm so that it begins "
        f"with {prefix}"
    ]
