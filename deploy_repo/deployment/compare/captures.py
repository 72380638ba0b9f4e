"""Captured requests and answers, as SageMaker's data capture keeps them: JSON lines, one for each request.

A line holds the request (`endpointInput`), the answer (`endpointOutput`) and `eventMetadata`. A request may be about
several records, so each line gives as many predictions.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import csv
import hashlib
import io
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
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
    first: dict[str, str] = field(default_factory=dict)
    """Of each reason the first line, by file and number."""

    def period(self) -> str:
        """From when to when, in words."""
        moments = [each.moment for each in self.predictions]
        return f"{_minute(min(moments))} to {_minute(max(moments))} UTC" if moments else "never"


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def read(
    s3: Any, where: str, words: AnswerWords, since: datetime | None, until: datetime | None, *, by_hour: bool = False
) -> Captured:
    """Every captured prediction below an `s3://` folder or a folder of this machine, between two moments.

    `by_hour` says that the folder is a variant's own, where data capture begins each key with year, month, day and
    hour: nothing before the first hour need then be listed.
    """
    found = Captured(where)
    since = since.replace(microsecond=0) if since else None  # captures tell their second
    in_s3 = where.startswith("s3://")
    lines = _lines_in_s3(s3, where, since if by_hour else None) if in_s3 else _lines_on_disk(Path(where))
    for place, line in lines:
        try:
            predictions = _predictions(json.loads(line), words)
        except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
            reason = _why_unread(error)
            found.unread[reason] += 1
            found.first.setdefault(reason, place)
            continue
        moment = predictions[0].moment
        if (since is None or moment >= since) and (until is None or moment < until):
            found.requests += 1
            found.predictions += predictions
    return found


def _lines_on_disk(folder: Path) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        raise RefusedError(f"There is no folder {folder}. Name one that holds captures, or an s3:// address.")
    for path in sorted(folder.rglob("*.jsonl")):
        yield from _lines(str(path), path.read_bytes())


def _lines(file: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Each line, with the place where a person finds it. Bytes: a text has more ends of lines than JSON lines do."""
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield f"{file}, line {number}", line


def _lines_in_s3(s3: Any, where: str, since: datetime | None) -> Iterator[tuple[str, bytes]]:
    bucket, prefix = s3_files.place(where.rstrip("/") + "/")
    after = {"StartAfter": prefix + since.strftime("%Y/%m/%d/%H")} if since else {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **after)
    keys = [each["Key"] for page in pages for each in page.get("Contents", []) if each["Key"].endswith(".jsonl")]
    with ThreadPoolExecutor(READERS) as readers:
        for start in range(0, len(keys), AHEAD):  # so that never more than these lie in memory
            part = keys[start : start + AHEAD]
            contents = readers.map(lambda key: s3_files.read(s3, f"s3://{bucket}/{key}"), part)
            for key, content in zip(part, contents, strict=True):
                yield from _lines(f"s3://{bucket}/{key}", content)


def _why_unread(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return "a line, a request or an answer that is not JSON"
        case UnicodeDecodeError():
            return "a line, a request or an answer that is not UTF-8"
        case KeyError():
            return f"no {error.args[0]}"
        case TypeError() | AttributeError():
            return "a line that has not the form of data capture"
        case _:
            return str(error)


def _predictions(line: dict[str, Any], words: AnswerWords) -> list[Prediction]:
    """Those of one line.

    Raises ValueError, KeyError, TypeError, AttributeError or csv.Error where it is not of the form the model has.
    """
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
            score=_score(answer[words.probability]),
            is_flagged=_is_flagged(answer["decision"], words),
            moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        )
        for place, (record, answer) in enumerate(zip(records, answers, strict=True))
    ]


def _score(value: Any) -> float:
    score = float(value)
    if not isfinite(score):
        raise ValueError("a score that is no number")
    return score


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
    """What two models answered about the same record: an equal request, of the same inference id where both have one.

    Those that are left after that, because an id is missing on one side or not the same there, are paired by their
    equal requests. Equal ones are paired in the order in which they came; what only one of the models was asked is left
    out. An id alone pairs nothing: a caller may give the same to all.
    """
    ones, twos = (sorted(each, key=lambda each: each.moment) for each in (first, second))
    by_id, ones, twos = _paired(ones, twos, lambda each: (each.inference_id, each.request, each.place))
    by_request, _, _ = _paired(ones, twos, lambda each: (each.request, each.place))
    return by_id + by_request


def _paired(
    first: list[Prediction], second: list[Prediction], key: Callable[[Prediction], tuple[str | int, ...]]
) -> tuple[list[tuple[Prediction, Prediction]], list[Prediction], list[Prediction]]:
    """Pairs of an equal key, and what is left of either side."""
    waiting: dict[tuple[str | int, ...], deque[Prediction]] = {}
    for each in first:
        waiting.setdefault(key(each), deque()).append(each)
    found, left = [], []
    for each in second:
        if others := waiting.get(key(each)):
            found.append((others.popleft(), each))
        else:
            left.append(each)
    return found, [each for others in waiting.values() for each in others], left
