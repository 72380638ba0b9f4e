"""What the staging endpoint is asked, and what it must answer: the JSON files in test/, read and checked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "test"


@dataclass(frozen=True)
class AnswerWords:
    """What an answer calls the probability, and the decisions: below the model's threshold, and from it on."""

    probability: str
    decisions: tuple[str, str]


@dataclass(frozen=True)
class Golden:
    """A claim and the answer it must get: a probability within a band and, where it is beyond doubt, a decision."""

    name: str
    record: dict[str, Any]
    probability: tuple[float, float]
    decision: str | None = None


@dataclass(frozen=True)
class BadRequest:
    """A request that must be refused, and what the refusal must name."""

    name: str
    status: int
    body: str
    content_type: str = "application/json"
    field: str | None = None
    record: int | None = None


@dataclass(frozen=True)
class LatencyLimits:
    """How many requests are timed, after how many that are not, and what the percentiles may be at most."""

    warm_up_requests: int
    measured_requests: int
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float


def answer_words() -> AnswerWords:
    written = _load("answer")
    return AnswerWords(written["probability"], tuple(written["decisions"]))


def golden_records() -> list[Golden]:
    return [Golden(**{**written, "probability": tuple(written["probability"])}) for written in _load("golden_records")]


def bad_requests() -> list[BadRequest]:
    """Each holds its body either as `json`, which is written out here, or as `text`, which is sent as it is."""
    requests = []
    for written in _load("bad_records"):
        body = written.pop("text") if "text" in written else json.dumps(written.pop("json"))
        requests.append(BadRequest(body=body, **written))
    return requests


def latency_limits(*, asynchronous: bool = False) -> LatencyLimits:
    """Those of an asynchronous endpoint, whose requests pass through a queue and S3, or those of every other."""
    written = _load("latency-limits")
    of_async = written.pop("async")
    return LatencyLimits(**(of_async if asynchronous else written))


def _load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
