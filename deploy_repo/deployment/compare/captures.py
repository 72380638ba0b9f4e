"""Captured requests and answers, as SageMaker's data capture keeps them: JSON lines, one for each request.

A line holds the request (`endpointInput`), the answer (`endpointOutput`) and `eventMetadata`. A request may be about
several records, so each line gives as many predictions.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployment import s3_files
from deployment.errors import RefusedError
from deployment.expectations import AnswerWords

READERS = 8  # files read at the same time
AHEAD = 64


@dataclass(frozen=True)
class Prediction:
    """What a model answered about one record, and how to find that record again.

    `place` is the record's place in its request, `of` how many records that was about; `request` is the same for equal
    requests.
    """

    event_id: str
    inference_id: str
    request: str
    place: int
    of: int
    record: dict[str, Any]
    score: float
    is_flagged: bool
    moment: datetime


@dataclass
class Captured:
    """The predictions found in one place, and what could not be read, by reason."""

    where: str
    predictions: list[Prediction] = field(default_factory=list)
    requests: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def period(self) -> str:
        """From when to when, in words."""
        moments = [each.moment for each in self.predictions]
        return f"{_minute(min(moments))} to {_minute(max(moments))} UTC" if moments else "never"


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def read(s3: Any, where: str, words: AnswerWords, since: datetime | None, until: datetime | None) -> Captured:
    """Every captured prediction below an `s3://` folder or a folder of this machine, between two moments."""
    found = Captured(where)
    since = since.replace(microsecond=0) if since else None  # captures tell their second
    lines = _lines_in_s3(s3, where, since) if where.startswith("s3://") else _lines_on_disk(Path(where))
    for line in lines:
        try:
            predictions = _predictions(json.loads(line), words)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            found.unread[_why_unread(error)] += 1
            continue
        moment = predictions[0].moment
        if (since is None or moment >= since) and (until is None or moment < until):
            found.requests += 1
            found.predictions += predictions
    return found


def _lines_on_disk(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        raise RefusedError(f"There is no folder {folder}. Name one that holds captures, or an s3:// address.")
    for path in sorted(folder.rglob("*.jsonl")):
        yield from filter(str.strip, path.read_text(encoding="utf-8").splitlines())


def _lines_in_s3(s3: Any, where: str, since: datetime | None) -> Iterator[str]:
    """Keys go by year, month, day and hour, so that all before the hour asked for need not be listed."""
    bucket, prefix = s3_files.place(where.rstrip("/") + "/")
    after = {"StartAfter": prefix + since.strftime("%Y/%m/%d/%H")} if since else {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **after)
    keys = [each["Key"] for page in pages for each in page.get("Contents", []) if each["Key"].endswith(".jsonl")]
    with ThreadPoolExecutor(READERS) as readers:
        for start in range(0, len(keys), AHEAD):  # so that never more than these lie in memory
            part = keys[start : start + AHEAD]
            for content in readers.map(lambda key: s3_files.read(s3, f"s3://{bucket}/{key}"), part):
                yield from filter(str.strip, content.decode(errors="replace").splitlines())


def _why_unread(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return "a line, a request or an answer that is not JSON"
        case KeyError():
            return f"no {error.args[0]}"
        case _:
            return str(error)


def _predictions(line: dict[str, Any], words: AnswerWords) -> list[Prediction]:
    """Those of one line. Raises ValueError, KeyError or TypeError where it is not of the form the model has."""
    asked, answered = line["captureData"]["endpointInput"], line["captureData"]["endpointOutput"]
    metadata = line["eventMetadata"]
    text = _text(asked)
    records = _table(text, asked, "records")
    answers = _table(_text(answered), answered, "predictions")
    if not records or len(records) != len(answers):
        raise ValueError("a request and an answer of different lengths, or about nothing")
    moment = datetime.fromisoformat(metadata["inferenceTime"].replace("Z", "+00:00"))
    request = hashlib.sha256(text.encode()).hexdigest()
    return [
        Prediction(
            event_id=metadata["eventId"],
            inference_id=metadata.get("inferenceId", ""),
            request=request,
            place=place,
            of=len(records),
            record=record,
            score=float(answer[words.probability]),
            is_flagged=_is_flagged(answer["decision"], words),
            moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        )
        for place, (record, answer) in enumerate(zip(records, answers, strict=True))
    ]


def _is_flagged(decision: object, words: AnswerWords) -> bool:
    if decision not in words.decisions:
        raise ValueError(f"a decision that is neither {words.decisions[0]} nor {words.decisions[1]}")
    return decision == words.decisions[1]


def _text(side: dict[str, Any]) -> str:
    data: str = side["data"]
    return base64.b64decode(data).decode() if side.get("encoding") == "BASE64" else data


def _table(text: str, side: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Records or answers, of JSON or of CSV with a header line."""
    if side.get("observedContentType", "").split(";")[0].strip().lower() == "text/csv":
        return [dict(row) for row in csv.DictReader(io.StringIO(text))]
    found = json.loads(text)[name]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{name} that are no list of objects")
    return found


def pairs(first: Iterable[Prediction], second: Iterable[Prediction]) -> list[tuple[Prediction, Prediction]]:
    """What two models answered about the same record: by the caller's inference id, else by an equal request.

    Equal requests are paired in the order in which they came; what only one of the models was asked is left out.
    """
    waiting: dict[tuple[str, int], list[Prediction]] = {}
    for each in sorted(first, key=lambda each: each.moment):
        waiting.setdefault(_pairing(each), []).append(each)
    found = []
    for each in sorted(second, key=lambda each: each.moment):
        if others := waiting.get(_pairing(each)):
            found.append((others.pop(0), each))
    return found


def _pairing(each: Prediction) -> tuple[str, int]:
    return (f"id:{each.inference_id}" if each.inference_id else f"request:{each.request}"), each.place
