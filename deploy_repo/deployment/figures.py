"""What the tests of the staging endpoint found out, as the approver of the production deployment reads it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from deployment.comparison import NOT_COMPARED


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` percent of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


@dataclass
class Figures:
    """Filled in while the tests run."""

    golden_total: int
    bad_total: int
    golden_passed: int = 0
    bad_passed: int = 0
    milliseconds: list[float] = field(default_factory=list)
    package_arn: str = ""  # of the model package that is tested
    held_out: str = "held-out records not compared"
    comparison: str = NOT_COMPARED

    def variables(self) -> dict[str, str]:
        """The figures as variables of the pipeline; `not measured` where the tests did not get that far."""
        golden = f"{self.golden_passed} of {self.golden_total}"
        p50, p95, p99 = (
            (f"{percentile(self.milliseconds, percent):.0f}" for percent in (50, 95, 99))
            if self.milliseconds
            else ("not measured",) * 3
        )
        served = self.package_arn.rpartition(":model-package/")[2] or "an unknown version"  # such as fraud-p-abc123/7
        latency = (
            f"latency p50 {p50} ms, p95 {p95} ms, p99 {p99} ms of {len(self.milliseconds)} requests"
            if self.milliseconds
            else "latency not measured"
        )
        return {
            "GOLDEN_RECORDS_PASSED": golden,
            "LATENCY_P50_MS": p50,
            "LATENCY_P95_MS": p95,
            "LATENCY_P99_MS": p99,
            "STAGING_SUMMARY": (
                f"{golden} golden records right, {self.bad_passed} of {self.bad_total} bad records refused clearly, "
                f"{latency}, {self.held_out}, {self.comparison}, serving {served}"
            ),
        }
