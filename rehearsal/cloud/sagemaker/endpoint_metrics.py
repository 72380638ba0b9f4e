"""Invocation metrics of endpoints: put into CloudWatch as SageMaker does, and kept a while for alarms.

CloudWatch gets them in batches, with their real times, so that anybody can read and graph them. Alarms are evaluated
from what is kept here (`alarms.py`).
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html#cloudwatch-metrics-endpoint-invocation
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

NAMESPACE = "AWS/SageMaker"
KEPT_SECONDS = 600.0
"""Real seconds; ten hours of AWS time at the usual speed."""
VALUES_OF_A_DATUM = 150
DATA_OF_A_CALL = 500
UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}


@dataclass(frozen=True)
class Point:
    """One value of one metric of one variant. `time` is `time.time()`."""

    time: float
    endpoint: str
    variant: str
    config: str
    metric: str
    value: float

    def matches(self, metric: str, dimensions: Mapping[str, str]) -> bool:
        """Whether a metric with exactly these dimensions has this point.

        Metrics of an endpoint exist twice: of the whole variant, and of each fleet, told apart by the name of its
        endpoint configuration. Any other set of dimensions finds nothing, here as in CloudWatch.
        """
        return self.metric == metric and dimensions in dimension_sets(self.endpoint, self.variant, self.config)


def dimension_sets(endpoint: str, variant: str, config: str) -> tuple[dict[str, str], ...]:
    """The dimensions a value is put with: the variant's, and those of the fleet that answered.

    What is about the whole endpoint, and names no variant, has the endpoint's only.
    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
    """
    if not variant:
        return ({"EndpointName": endpoint},)
    variant_wide = {"EndpointName": endpoint, "VariantName": variant}
    return variant_wide, {**variant_wide, "EndpointConfigName": config}


def _of_the_model(status: int, model_seconds: float) -> dict[str, float]:
    return {
        "Invocation4XXErrors": float(400 <= status < 500),
        "Invocation5XXErrors": float(status >= 500 or status == 0),
        "ModelLatency": model_seconds * 1e6,
    }


class EndpointMetrics:
    """What was measured, waiting to be put and kept for alarms."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._points: deque[Point] = deque()
        self._waiting: list[Point] = []
        self._lock = threading.Lock()
        self._putting = threading.Lock()
        self._client: Any = None

    def invocation(
        self,
        endpoint: str,
        variant: str,
        config: str,
        instances: int,
        *,
        status: int,
        model_seconds: float,
        overhead_seconds: float,
    ) -> None:
        """One request that reached a container; `status` is the container's, 0 when it gave none.

        `config` is the endpoint configuration of the fleet that was asked.
        """
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0 / max(instances, 1),
            "InvocationModelErrors": float(not 200 <= status < 300),
            "OverheadLatency": overhead_seconds * 1e6,
            **_of_the_model(status, model_seconds),
        }
        self._keep(endpoint, variant, config, values)

    def asynchronous_invocation(
        self, endpoint: str, variant: str, config: str, *, status: int, model_seconds: float
    ) -> None:
        """The same of an asynchronous request. Of the metrics of real-time endpoints there are these three only.

        https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
        """
        self._keep(endpoint, variant, config, _of_the_model(status, model_seconds))

    def backlog(self, endpoint: str, size: int, instances: int) -> None:
        """How many asynchronous requests an endpoint has been given and not answered.

        Per instance there is no value while there is no instance.
        https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
        """
        values = {
            "ApproximateBacklogSize": float(size),
            "HasBacklogWithoutCapacity": float(size > 0 and instances == 0),
        }
        if instances:
            values["ApproximateBacklogSizePerInstance"] = size / instances
        self._keep(endpoint, "", "", values)

    def _keep(self, endpoint: str, variant: str, config: str, values: Mapping[str, float]) -> None:
        now = time.time()
        points = [Point(now, endpoint, variant, config, metric, value) for metric, value in values.items()]
        with self._lock:
            self._points.extend(points)
            self._waiting.extend(points)
            while self._points and self._points[0].time < now - KEPT_SECONDS:
                self._points.popleft()

    def points(self, metric: str, dimensions: Mapping[str, str], since: float) -> list[Point]:
        """The kept points of one metric, from `since` on."""
        with self._lock:
            recent = list(itertools.takewhile(lambda point: point.time >= since, reversed(self._points)))
        return [point for point in recent if point.matches(metric, dimensions)]

    def put(self) -> None:
        """Put what waits into CloudWatch, as the service does (no role of the account is asked)."""
        with self._putting:
            with self._lock:
                waiting, self._waiting = self._waiting, []
            if not waiting:
                return
            groups: dict[tuple[str, str, str, str], list[Point]] = {}
            for point in waiting:
                groups.setdefault((point.endpoint, point.variant, point.config, point.metric), []).append(point)
            data = [datum for key, points in groups.items() for datum in _data(key, points)]
            if self._client is None:
                self._client = self._cloud.client("cloudwatch", self._cloud.identity.root)
            try:
                for start in range(0, len(data), DATA_OF_A_CALL):
                    self._client.put_metric_data(Namespace=NAMESPACE, MetricData=data[start : start + DATA_OF_A_CALL])
            except (ClientError, BotoCoreError) as problem:
                if not self._cloud.stopping.is_set():
                    log.warning("%d metric data were not put: %s", len(data), problem)


def _data(key: tuple[str, str, str, str], points: list[Point]) -> list[dict[str, Any]]:
    *names, metric = key
    counts = list(Counter(point.value for point in points).items())
    return [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Timestamp": points[-1].time,
            "Values": [value for value, _ in part],
            "Counts": [float(count) for _, count in part],
            "Unit": UNITS.get(metric, "None"),
        }
        for dimensions in dimension_sets(*names)
        for part in (counts[start : start + VALUES_OF_A_DATUM] for start in range(0, len(counts), VALUES_OF_A_DATUM))
    ]
