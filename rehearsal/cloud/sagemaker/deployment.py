"""Deployment guardrails: from the blue fleet to the green one in configured steps, and back when an alarm trips.

The share of requests that go to green is green's part of all instances in traffic. So a canary of 10 % of two instances
is one instance: half of the traffic. Waits pass at the clock's speed; requests do not notice any of it.

A rolling deployment brings green up, and takes blue down, batch by batch; a blue/green one keeps all of blue until the
end. One process stands for all instances of a fleet, so the difference shows in the counts that are reported and in how
a rollback goes: in batches, or at once.

The execution role of the new model watches the alarms (cloudwatch:DescribeAlarms).
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-rolling.html
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.faults import ENDPOINT_KILLED
from rehearsal.cloud.sagemaker.alarms import EndpointAlarms
from rehearsal.cloud.sagemaker.async_inference import try_notifications
from rehearsal.cloud.sagemaker.deployment_plan import ROLLING, Plan
from rehearsal.cloud.sagemaker.endpoint_state import DEPLOYMENT_STATE_CHANGE, Endpoint
from rehearsal.cloud.sagemaker.fleets import Fleet
from rehearsal.cloud.sagemaker.model_server import FleetFailedError

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""Real seconds between two looks at the alarms while baking."""


class RolledBackError(Exception):
    """The deployment did not go through; the message is the endpoint's FailureReason."""


class Deployment:
    """One UpdateEndpoint under way."""

    def __init__(self, cloud: Cloud, endpoint: Endpoint, green: Fleet, steps: Plan, alarms: EndpointAlarms) -> None:
        self._cloud = cloud
        self._endpoint = endpoint
        self._green = green
        self._plan = steps
        self._alarms = alarms

    def run(self) -> None:
        """Deploy; afterwards the endpoint is InService with the new configuration or, after a rollback, the old one."""
        endpoint, green = self._endpoint, self._green
        blue = endpoint.fleet
        if blue is None:
            raise RuntimeError(f"{endpoint.name} has no fleet to update")
        endpoint.enter("Updating")
        with endpoint.lock:
            endpoint.pending, endpoint.pending_since = green, datetime.now(UTC)
        try:
            self._bring_up()
            self._shift(blue)
        except (FleetFailedError, RolledBackError) as problem:
            self._go_back(blue, str(problem))
        except AwsError as problem:
            self._go_back(blue, problem.message)
        except Exception as problem:  # whatever breaks, blue goes on serving
            log.exception("the deployment of %s broke", endpoint.name)
            self._go_back(blue, f"Internal failure of the rehearsal's cloud: {problem!r}")
        else:
            self._settle(blue)

    @property
    def _rolling(self) -> bool:
        return self._plan.kind == ROLLING

    def _bring_up(self) -> None:
        first = self._plan.steps[0].instances if self._rolling else self._green.instances
        self._endpoint.step(self._green, "Creating", f"Launching {first} instance(s).")
        self._green.start()
        if self._green.config.async_inference:
            try_notifications(self._cloud, self._green.config.async_inference, self._green.variants[0].server.role)

    def _shift(self, blue: Fleet) -> None:
        before = 0
        for step in self._plan.steps:
            last = step is self._plan.steps[-1]
            if self._rolling and before:
                self._endpoint.step(self._green, "Creating", f"Launching {step.instances - before} instance(s).")
            capacity = "full" if last else "canary" if self._plan.kind == "CANARY" else "partial"
            on = f"{capacity} capacity of {step.instances} instance(s)"
            self._turn_on(step.instances)
            self._endpoint.step(self._green, "ActivatingTraffic", f"Activating traffic on {on}.")
            self._route(blue, step.instances)
            if step.wait > 0:
                message = f"Baking for {step.wait:.0f} seconds ({step.why}) with traffic enabled on {on}."
                self._endpoint.step(self._green, "Baking", message)
                if not last and self._cloud.faults.strikes(ENDPOINT_KILLED, self._endpoint.name):
                    self._green.kill()
                self._bake(step.wait)
            if self._rolling:
                self._release(blue, step.instances)
            before = step.instances

    def _route(self, blue: Fleet, instances: int) -> None:
        """Requests to so many green instances, and to blue ones for the rest."""
        share = instances / self._green.instances
        self._endpoint.traffic.shift([(share, self._green), (1 - share, blue)])

    def _turn_on(self, instances: int) -> None:
        left = instances
        with self._endpoint.lock:
            for variant in self._green.variants:
                variant.active_instances = min(variant.instances, left)
                left -= variant.active_instances

    def _release(self, blue: Fleet, instances: int) -> None:
        """What a rolling deployment leaves of blue once so many green instances have stood their bake."""
        part = instances / self._green.instances
        with self._endpoint.lock:
            for variant in blue.variants:
                variant.terminated_instances = min(round(variant.instances * part), variant.instances)

    def _bake(self, aws_seconds: float) -> None:
        """Wait, watching the alarms. Raises RolledBackError when one is in ALARM.

        A machine that stood still meanwhile has baked nothing: green got no requests, and the alarms no errors. So a
        look counts for little more than a look takes.
        """
        left = self._cloud.clock.real_seconds(aws_seconds)
        while left > 0:
            began = time.monotonic()
            self._cloud.stopping.wait(min(LOOK_SECONDS, left))
            if self._cloud.stopping.is_set():
                raise RolledBackError("The cloud was stopped during the deployment.")
            self._look_at_alarms(self._plan.alarms)
            left -= min(time.monotonic() - began, 2 * LOOK_SECONDS)

    def _look_at_alarms(self, names: Sequence[str]) -> None:
        if not names:
            return
        role = self._green.variants[0].server.role
        tripped = self._alarms.tripped(names, role)
        if tripped:
            raise RolledBackError(
                "Deployment rolled back: one or more of the auto-rollback alarms went into ALARM state during the "
                f"baking period: {', '.join(sorted(tripped))}."
            )

    def _settle(self, blue: Fleet) -> None:
        """Green is the endpoint now; blue ends after its last request."""
        endpoint, green = self._endpoint, self._green
        for variant in blue.variants:
            variant.status = {
                "Status": "Deleting",
                "StatusMessage": f"Terminating {variant.instances} instance(s).",
                "StartTime": datetime.now(UTC),
            }
        endpoint.announce(DEPLOYMENT_STATE_CHANGE)
        blue.stop()
        with endpoint.lock:
            for variant in green.variants:
                variant.status = None
            endpoint.fleet, endpoint.config_name = green, green.config.name
            endpoint.pending = endpoint.pending_since = None
        endpoint.enter("InService")

    def _go_back(self, blue: Fleet, reason: str) -> None:
        """All traffic to blue, green ended, the endpoint in service as it was."""
        endpoint, green = self._endpoint, self._green
        on = sum(variant.active_instances for variant in green.variants)
        batches = range(on - self._plan.back, 0, -self._plan.back)
        if not batches:
            endpoint.traffic.shift([(1.0, blue)])
        if self._cloud.stopping.is_set():
            return
        endpoint.enter("RollingBack", reason)
        for left in batches:
            self._turn_on(left)
            endpoint.step(green, "Deleting", f"Terminating {self._plan.back} instance(s).")
            self._release(blue, left)
            self._route(blue, left)
        endpoint.traffic.shift([(1.0, blue)])
        self._release(blue, 0)
        endpoint.step(green, "Deleting", f"Terminating {green.instances} instance(s).")
        green.stop()
        with endpoint.lock:
            endpoint.pending = endpoint.pending_since = None
        endpoint.enter("InService", reason)
