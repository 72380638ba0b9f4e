"""How many requests either variant got, how many it failed, and how long it took: CloudWatch counts all of them.

Data capture keeps answers only, and a sample of them, so errors cannot be seen there.
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html#cloudwatch-metrics-endpoint-invocation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment.compare import intervals
from deployment.compare.figures import Figure
from deployment.compare.sides import Side
from deployment.errors import ACCESS_DENIED

WANTED = (
    ("requests", "Invocations", "Sum"),
    ("errors", "Invocation5XXErrors", "Sum"),
    ("microseconds", "ModelLatency", "Sum"),
    ("timed", "ModelLatency", "SampleCount"),
)
HOUR = 3600  # a period that CloudWatch has data of, however old


@dataclass(frozen=True)
class Counts:
    """Of one variant, since the moment asked for."""

    requests: int
    errors: int
    milliseconds: float | None
    """Mean time of the model for a request; None where none was timed."""


def figures(cloudwatch: Any, pair: Sequence[Side], since: datetime, until: datetime) -> tuple[list[Figure], str]:
    """The lines of the table, and a remark where there are none."""
    if not all(side.variant for side in pair):
        return [], "errors and latency are told for variants of endpoints only, not for folders"
    try:
        champion, challenger = (_counts(cloudwatch, side, since, until) for side in pair)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ACCESS_DENIED:
            raise
        return [], f"errors and latency are not told: you may not read them (cloudwatch:GetMetricData: {code})"
    if not champion.requests or not challenger.requests:
        return [], "errors and latency are not told: CloudWatch has counted no request of one side yet"
    difference = intervals.difference_of_proportions(
        (champion.errors, champion.requests), (challenger.errors, challenger.requests)
    )
    found = [
        Figure("requests", champion.requests, challenger.requests, None, "told, not tested"),
        Figure(
            "share of 5xx",
            champion.errors / champion.requests,
            challenger.errors / challenger.requests,
            difference,
        ),
    ]
    if champion.milliseconds is not None and challenger.milliseconds is not None:
        found.append(
            Figure("mean milliseconds", champion.milliseconds, challenger.milliseconds, None, "told, not tested")
        )
    return found, ""


def _counts(cloudwatch: Any, side: Side, since: datetime, until: datetime) -> Counts:
    # With the configuration, as the alarms: without it the fleet before counts, too, while traffic moves.
    named = (("EndpointName", side.endpoint), ("VariantName", side.variant), ("EndpointConfigName", side.config))
    dimensions = [{"Name": name, "Value": value} for name, value in named]
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions},
                "Period": HOUR,
                "Stat": statistic,
            },
        }
        for name, metric, statistic in WANTED
    ]
    sums = dict.fromkeys((name for name, _, _ in WANTED), 0.0)
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=until
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            sums[result["Id"]] += sum(result["Values"])
    mean = sums["microseconds"] / sums["timed"] / 1000 if sums["timed"] else None
    return Counts(round(sums["requests"]), round(sums["errors"]), mean)
