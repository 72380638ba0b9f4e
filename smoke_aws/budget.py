"""What the story costs on AWS, before it is played and while it is."""

from __future__ import annotations

import ast
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pricing import Prices

ELSEWHERE = 1.4
"""How much dearer than the table's region any other one is taken to be."""
STORY_HOURS = 3.5
"""How long the story takes there: three builds of some 25 minutes each, four deployments of some 20, and waiting."""
CLEAN_UP_HOURS = 0.5
"""How long endpoints may still run once the story has ended."""
BUILDS_AT_ONCE = 3
JOBS_AT_ONCE = 3
ACTIONS_AT_ONCE = 4
FIXED_GIGABYTES = 1.0
"""Everything stored and logged together; the seeds' data and models are some megabytes."""
REQUESTS = 20
"""Thousands of writes to S3."""
ALARM_MONTHS = 12
"""Alarms and metrics of two endpoints: AWS counts parts of months by the hour; a whole month is on the safe side."""
CALLING = 10.0


@dataclass(frozen=True)
class Line:
    """One part of the estimate."""

    what: str
    dollars: float

    def __str__(self) -> str:
        return f"{self.what}: ${self.dollars:.2f}"


@dataclass(frozen=True)
class Estimate:
    """What can be spent at most: `hourly` while everything that the story ever runs is running at once, and `fixed`."""

    hourly: tuple[Line, ...]
    fixed: tuple[Line, ...]
    prices: Prices
    factor: float

    @property
    def rate(self) -> float:
        """Dollars an hour."""
        return sum(line.dollars for line in self.hourly)

    @property
    def start(self) -> float:
        """Dollars that are counted as spent from the beginning."""
        return sum(line.dollars for line in self.fixed)

    @property
    def total(self) -> float:
        """Dollars for the whole story and its clean-up, rounded up to cents."""
        return math.ceil((self.start + self.rate * (STORY_HOURS + CLEAN_UP_HOURS)) * 100) / 100

    def lines(self) -> Iterator[str]:
        """The estimate as people read it."""
        where = "" if math.isclose(self.factor, 1) else f", and {self.factor - 1:.0%} more for this region"
        yield f"At prices of {self.prices.date} in {self.prices.region}{where}:"
        yield from (f"  an hour of {line}" for line in self.hourly)
        yield from (f"  {line}" for line in self.fixed)
        hours = STORY_HOURS + CLEAN_UP_HOURS
        yield f"  {hours:g} hours with all of that at once would be ${self.total:.2f}; the story needs less."


def estimate(root: Path, region: str, prices: Prices | None = None) -> Estimate:
    """What the story of this clone costs at most in a region. Raises PriceError for what the table does not hold."""
    prices = prices or Prices.read()
    factor = 1.0 if region == prices.region else ELSEWHERE
    cost: Callable[[str, float], float] = lambda item, amount: prices.of(item).price * amount * factor  # noqa: E731
    hourly = []
    for stage in ("staging", "prod"):
        given = json.loads((root / "deploy_repo" / f"{stage}-config.json").read_text())["Parameters"]
        kind, most = given["EndpointInstanceType"], 2 * given["EndpointMaxInstanceCount"]  # blue and green
        hourly.append(Line(f"the {stage} endpoint, {most} × {kind}", cost(f"sagemaker-hosting:{kind}", most)))
    knobs = _knobs(root)
    for name in ("PROCESSING", "TRAINING"):
        kind = knobs[f"{name}_INSTANCE_TYPE"]
        dollars = cost(f"sagemaker-{name.lower()}:{kind}", JOBS_AT_ONCE)
        hourly.append(Line(f"{name.lower()} jobs, {JOBS_AT_ONCE} × {kind}", dollars))
    hourly.append(Line(f"builds, {BUILDS_AT_ONCE} at once", cost("codebuild:general1.small", 60 * BUILDS_AT_ONCE)))
    hourly.append(Line("pipeline actions", cost("codepipeline:v2-action", 60 * ACTIONS_AT_ONCE)))
    fixed = (
        Line("storage and logs", cost("cloudwatch:logs", FIXED_GIGABYTES) + cost("s3:standard", FIXED_GIGABYTES)),
        Line("requests to S3", cost("s3:requests", REQUESTS)),
        Line("alarms", cost("cloudwatch:alarm", ALARM_MONTHS)),
    )
    return Estimate(tuple(hourly), fixed, prices, factor)


def _knobs(root: Path) -> dict[str, str]:
    """The text values of the seed's knobs, read and not run."""
    tree = ast.parse((root / "build_repo" / "pipelines" / "knobs.py").read_text())
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


class Meter:
    """Counts while the story plays, and ends it in time for the clean-up to stay below the ceiling."""

    def __init__(
        self,
        estimate: Estimate,
        ceiling: float,
        end: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`end` is told, once, why the story has to end."""
        self._estimate = estimate
        self._ceiling = ceiling
        self._end = end
        self._now = now
        self._began = now()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)

    @property
    def spent(self) -> float:
        """Dollars that can have been spent by now, at most."""
        return self._estimate.start + self._estimate.rate * (self._now() - self._began) / 3600

    def reached(self) -> bool:
        """Whether going on could cost more than the ceiling, the clean-up counted in."""
        return self.spent + self._estimate.rate * CLEAN_UP_HOURS > self._ceiling

    def look(self) -> bool:
        """End the story if it has to end. Returns whether it had to."""
        if not self.reached():
            return False
        self._end(
            f"the ceiling of ${self._ceiling:.2f} would be passed: ${self.spent:.2f} can have been spent, and the "
            "clean-up needs the rest"
        )
        return True

    def __enter__(self) -> Meter:
        self._began = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set() and not self.look():
            self._over.wait(CALLING)
