"""Step caching: the outputs of an earlier successful run of the same step with the same inputs.

https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching.html
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rehearsal.cloud.errors import AwsError

KEY_ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}
"""What makes a run another run. Outputs, roles, instances, tags and names do not count.
https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html"""

DURATION = re.compile(
    r"^P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?$",
    re.IGNORECASE,
)
DAYS = {"years": 365.0, "months": 30.0, "weeks": 7.0, "days": 1.0, "hours": 1 / 24, "minutes": 1 / 1440}


def duration(text: str) -> timedelta:
    """An ISO 8601 duration as ExpireAfter takes it: `P30D`, `T16m`, `30dT5h`. Raises AwsError for anything else.

    https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching-enabling.html
    """
    match = DURATION.match(text)
    parts = {name: float(value) for name, value in (match.groupdict() if match else {}).items() if value}
    if not parts:
        raise AwsError("ValidationException", f"ExpireAfter '{text}' is not an ISO 8601 duration such as P30D or PT1H.")
    return timedelta(days=sum(DAYS[name] * value for name, value in parts.items()))


def cache_key(step_type: str, step_name: str, arguments: dict[str, Any]) -> str:
    """The key of a run with these resolved arguments."""
    kept = {name: arguments[name] for name in KEY_ATTRIBUTES[step_type] if arguments.get(name)}
    return hashlib.sha256(json.dumps([step_name, step_type, kept], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class CachedRun:
    """One successful run: where it happened, when it ended, and what later steps can refer to."""

    execution_arn: str
    ended: datetime
    properties: dict[str, Any]
    metadata: dict[str, Any]


class StepCache:
    """The successful runs of one pipeline."""

    def __init__(self) -> None:
        self._runs: dict[str, CachedRun] = {}
        self._lock = threading.Lock()

    def remember(self, key: str, run: CachedRun) -> None:
        """The most recent successful run is the one that is reused."""
        with self._lock:
            self._runs[key] = run

    def find(self, key: str, now: datetime, expire_after: str) -> CachedRun | None:
        """A run not older than `expire_after`."""
        with self._lock:
            run = self._runs.get(key)
        return run if run and now - run.ended <= duration(expire_after) else None
