"""Captured traffic as SageMaker's data capture writes it, made up, for the tests of `make compare`."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deployment.expectations import answer_words

WORDS = answer_words()


def line(
    score: float,
    *,
    event: str,
    inference: str = "",
    claim: str = "",
    threshold: float = 0.5,
    minute: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    """One captured request about one record, and its answer."""
    answer = {WORDS.probability: score, "decision": WORDS.decisions[int(score >= threshold)]}
    return captured(
        {"records": [{"claim_number": claim or event}]},
        {"predictions": [answer]},
        event=event,
        inference=inference,
        minute=minute,
        **changes,
    )


def captured(
    request: object, answer: object, *, event: str, inference: str = "", minute: int = 0, **changes: Any
) -> dict[str, Any]:
    """One captured line."""

    def side(mode: str, body: object) -> dict[str, Any]:
        data = body if isinstance(body, str) else json.dumps(body)
        return {"observedContentType": "application/json", "mode": mode, "data": data, "encoding": "JSON", **changes}

    metadata = {"eventId": event, "inferenceTime": f"2026-11-20T09:{minute:02}:00Z"}
    if inference:
        metadata["inferenceId"] = inference
    data = {"endpointInput": side("INPUT", request), "endpointOutput": side("OUTPUT", answer)}
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def written(folder: Path, lines: Iterable[dict[str, Any]]) -> str:
    """The lines in a file below a folder, where data capture would put them; answers the folder."""
    hour = folder / "2026" / "11" / "20" / "09"
    hour.mkdir(parents=True)
    (hour / "00-00-000-x.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    return str(folder)


def truths(count: int, seed: int = 7) -> list[int]:
    """Of so many claims, which are of label 1: three in ten."""
    draw = random.Random(seed)
    return [int(draw.random() < 0.3) for _ in range(count)]


def model(labels: Iterable[int], skill: float, prefix: str, seed: int, **more: Any) -> list[dict[str, Any]]:
    """The captures of a model that knows that much of the truth: 0 guesses, 1 is always right."""
    draw = random.Random(seed)
    return [
        line(round(skill * label + (1 - skill) * draw.random(), 6), event=f"{prefix}{place}", **more)
        for place, label in enumerate(labels)
    ]


def outcomes(path: Path, labels: Iterable[int], prefix: str, column: str = "eventId") -> str:
    """A file of outcomes by event id."""
    rows = "".join(f"{prefix}{place},{label}\n" for place, label in enumerate(labels))
    with path.open("a", encoding="utf-8") as file:
        if not file.tell():
            file.write(f"{column},label\n")
        file.write(rows)
    return str(path)
