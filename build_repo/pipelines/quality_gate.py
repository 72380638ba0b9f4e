"""What the quality gate measures, what it says when a model misses it, and how to read that message again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.knobs import Threshold

# What a person is shown first, of everything in evaluation.json.
SHOWN_METRICS = ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift")
MESSAGE_START = "The model does not pass the quality gate: "
# One measured value inside the message, as `recall=0.41 (at least 0.6)`.
MEASURED = re.compile(r"(?P<metric>\w+)=(?P<value>[-+.\deE]+) \(at least (?P<minimum>[-+.\deE]+)\)")


@dataclass(frozen=True)
class Measurement:
    """A metric beside the least it may be."""

    metric: str
    value: float
    minimum: float

    @property
    def missing(self) -> float:
        """How much is missing, in the metric's unit; 0 or less when the threshold is reached."""
        return self.minimum - self.value

    @property
    def passes(self) -> bool:
        return self.value >= self.minimum

    def __str__(self) -> str:
        verdict = "passes" if self.passes else f"{self.missing:.3g} too low"
        return f"{self.metric} is {self.value:.4g}, at least {self.minimum:.4g} is required: {verdict}"


def json_path(metric: str) -> str:
    """Where evaluation.json holds a metric."""
    return f"binary_classification_metrics.{metric}.value"


def message_parts(gate: Sequence[Threshold], measured: Mapping[str, Any], minimums: Mapping[str, Any]) -> list[Any]:
    """The failure message in pieces to be joined: at compile time the values are pipeline expressions, not numbers."""
    parts: list[Any] = [MESSAGE_START]
    for index, threshold in enumerate(gate):
        separator = "; " if index else ""
        parts += [f"{separator}{threshold.metric}=", measured[threshold.metric], " (at least "]
        parts += [minimums[threshold.parameter], ")"]
    return parts


def measurements(message: str) -> list[Measurement]:
    """Read a failure message back; empty when the message is somebody else's."""
    return [
        Measurement(found["metric"], float(found["value"]), float(found["minimum"]))
        for found in MEASURED.finditer(message)
    ]


def judge(evaluation: Mapping[str, Any], gate: Sequence[Threshold]) -> list[Measurement]:
    """Hold an evaluation.json against the gate, as the pipeline's condition step does."""
    metrics = evaluation["binary_classification_metrics"]
    return [Measurement(each.metric, float(metrics[each.metric]["value"]), each.minimum) for each in gate]
