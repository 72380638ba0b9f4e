"""What turned out to be true: labels that came after the answers, in a file.

CSV with a header line, or JSON lines. `label` is 1 or 0. The other columns say which record is meant:

    inferenceId          what the caller gave the request (InvokeEndpoint's InferenceId)
    eventId              what SageMaker gave it, in the captured line
    record               with either of them: the record's place in its request, from 0; a request about one needs none
    any other columns    fields of the records, such as claim_number, whose values together belong to one record only
"""

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment import s3_files
from deployment.compare.captures import Prediction
from deployment.errors import RefusedError

LABEL, PLACE = "label", "record"
IDS = ("inferenceId", "eventId")
TRUTHS = {"1": 1, "true": 1, "0": 0, "false": 0}

Key = tuple[str, ...]


@dataclass
class Outcomes:
    """Labels by key, the columns that make the key, and which of the labels were asked for and found."""

    where: str
    columns: tuple[str, ...]
    labels: dict[Key, int]
    used: set[Key] = field(default_factory=set)
    ambiguous: Counter[str] = field(default_factory=Counter)

    def label_of(self, prediction: Prediction) -> int | None:
        """What came of a record; None where the file does not tell."""
        key = self._key(prediction)
        if key is None or key not in self.labels:
            return None
        self.used.add(key)
        return self.labels[key]

    def _key(self, prediction: Prediction) -> Key | None:
        """What the answer's label would be under; None where it has not all that this takes."""
        known = {IDS[0]: prediction.inference_id, IDS[1]: prediction.event_id, PLACE: prediction.place}
        if self.columns[0] in IDS:
            if PLACE not in self.columns and prediction.of > 1:
                self.ambiguous["requests about several records, whose labels need a column `record`"] += 1
                return None
        else:
            known = prediction.record
        key = tuple(_same(known.get(name)) for name in self.columns)
        if missing := _empty(self.columns, key):
            self.ambiguous[f"they have no {missing}"] += 1
            return None
        return key

    def summary(self) -> str:
        """How many labels there are, and how many met an answer."""
        return f"{self.where}: {len(self.labels)} labels by {', '.join(self.columns)}, {len(self.used)} met an answer"


def read(s3: Any, where: str) -> Outcomes:
    """Read a file of this machine or an `s3://` object; raise RefusedError, naming the line, where it cannot be."""
    try:
        content = s3_files.read(s3, where) if where.startswith("s3://") else Path(where).read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # no such file, not the address of an object, not UTF-8
        raise RefusedError(f"The outcomes cannot be read from {where}: {error}") from error
    rows = _json_rows(text, where) if where.endswith((".jsonl", ".json")) else _csv_rows(text, where)
    if not rows:
        raise RefusedError(f"{where} holds no outcomes. Write a header line with `{LABEL}`, and a line for each.")
    columns = _columns(rows[0][1], where)
    labels: dict[Key, int] = {}
    for number, row in rows:
        label = TRUTHS.get(_same(row.get(LABEL)))
        if label is None:
            raise RefusedError(f"{where}, line {number}: {LABEL} must be 1 or 0, not {row.get(LABEL)!r}")
        key = tuple(_same(row.get(name)) for name in columns)
        if missing := _empty(columns, key):
            raise RefusedError(
                f"{where}, line {number}: {missing} is empty, so that nobody can tell which record is meant. Fill it "
                "in, or leave the line out."
            )
        if labels.setdefault(key, label) != label:
            raise RefusedError(
                f"{where}, line {number}: {', '.join(columns)} {', '.join(key)} has had the other label before. "
                "Keep one of them, or add columns that tell the records apart."
            )
    return Outcomes(where, columns, labels)


def _csv_rows(text: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    rows = []
    try:
        for row in reader:
            if None in row:  # where DictReader puts what has no column
                raise RefusedError(
                    f"{where}, line {reader.line_num} has more cells than the header line. Look for a comma too many, "
                    "or one inside a value that needs quotes."
                )
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise RefusedError(f"{where} cannot be read as CSV: line {reader.reader.line_num}: {error}") from error
    return rows


def _json_rows(text: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RefusedError(f"{where}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise RefusedError(f"{where}, line {number}: an outcome must be an object with `{LABEL}`")
        rows.append((number, row))
    return rows


def _columns(row: dict[str, Any], where: str) -> tuple[str, ...]:
    """The columns that tell which record is meant."""
    if LABEL not in row:
        raise RefusedError(f"{where} has no column `{LABEL}`; it has {', '.join(map(str, row))}.")
    for name in IDS:
        if name in row:
            return (name, PLACE) if PLACE in row else (name,)
    keys = tuple(name for name in row if name and name != LABEL)  # a table's index has no name, and no field either
    if not keys:
        raise RefusedError(
            f"{where} has labels only. Add a column that says which record is meant: {', '.join(IDS)}, or fields of "
            "the records."
        )
    return keys


def _empty(columns: tuple[str, ...], key: Key) -> str:
    """The first column that holds nothing, or an empty text: nothing is not the same as nothing."""
    return next((name for name, value in zip(columns, key, strict=True) if not value), "")


def _same(value: object) -> str:
    """Values as they are compared: 7, 7.0 and "7" are one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    return text.lower() if text.lower() in TRUTHS else text.removesuffix(".0")
