"""Golden and bad records for the tests of the staging endpoint, from records the baseline is sure about."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from new_model import ModelError
from new_model.columns import Column
from new_model.contract import Words, limits

OF_EACH = 8
FEWEST_OF_EACH = 6
"""The deploy repository wants twelve, and four of each decision."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """A record, what it is, and what the baseline says."""

    record: Record
    label: int
    probability: float


def golden(scored: Sequence[Scored], threshold: float, words: Words) -> list[dict[str, Any]]:
    """The records whose answer is furthest from the threshold, with wide bands: they must hold for later models too.

    Raises ModelError when the model does not give both answers.
    """
    written = []
    different = list({_csv([each.record]): each for each in scored}.values())
    for decision in (1, 0):
        right = [each for each in different if (each.probability >= threshold) == bool(decision)]
        right.sort(key=lambda each: (each.label != decision, -each.probability if decision else each.probability))
        if len(right) < FEWEST_OF_EACH:
            raise ModelError(
                f"the first model decides {words.decisions[decision]} for {len(right)} of {len(different)} different "
                "records only: these columns do not tell the two classes apart. Bring columns that do."
            )
        band = [round(threshold / 2, 2), 1.0] if decision else [0.0, round((1 + threshold) / 2, 2)]
        for place, each in enumerate(right[:OF_EACH], start=1):
            name = f"{words.decisions[decision]} beyond doubt, number {place}"
            written.append(
                {"name": name, "record": each.record, "decision": words.decisions[decision], "probability": band}
            )
    return written


def bad(good: Record, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Requests that must be refused, each wrong in one way that these columns can be wrong in."""
    used = [column for column in columns if not column.dropped]
    needed = next((column for column in used if not column.missing and not column.protected), None)
    category = next((column for column in used if column.kind == "category"), None)
    number = next((column for column in used if column.kind != "category"), None)
    whole = next((column for column in used if column.kind == "integer"), None)
    cases = []
    if needed:
        cases.append(_wrong("a field is missing", needed.name, [_without(good, needed.name)]))
        cases.append(_wrong("a needed field is null", needed.name, [{**good, needed.name: None}]))
        for name, end in (("CSV that lacks a column", "\n"), ("old Macintosh line ends and a column lacks", "\r")):
            text = _csv([_without(good, needed.name)]).replace("\n", end)
            cases.append({"name": name, "status": 400, "field": needed.name, "content_type": "text/csv", "text": text})
    if category:
        unknown = {**good, category.name: "a word nobody knows"}
        cases.append(_wrong("an unknown word in a list of words", category.name, [unknown]))
        cases.append(_wrong("the second of two records is bad", category.name, [good, unknown], 1))
    if number:
        cases.append(_wrong("text where a number belongs", number.name, [{**good, number.name: "plenty"}]))
        most = limits(number)[1]
        cases.append(_wrong("a number beyond the range", number.name, [{**good, number.name: most * 2 + 1}]))
        text = _csv([{**good, number.name: "plenty"}])
        name = "CSV with text where a number belongs"
        csv_case = {"name": name, "status": 400, "field": number.name, "record": 0, "content_type": "text/csv"}
        cases.append({**csv_case, "text": text})
    if whole:
        half = {**good, whole.name: limits(whole)[0] + 0.5}
        cases.append(_wrong("a half where a whole number belongs", whole.name, [half]))
    return [*cases, *_malformed(good)]


def _malformed(good: Record) -> Iterator[dict[str, Any]]:
    yield _wrong("a field nobody knows", "a field nobody knows", [{**good, "a field nobody knows": 1}])
    yield {"name": "a record that is a list", "status": 400, "record": 0, "json": {"records": [[1, 2, 3]]}}
    yield {"name": "no records", "status": 400, "json": {"records": []}}
    yield {"name": "JSON of another form", "status": 400, "json": {"instances": [good]}}
    yield {"name": "not JSON", "status": 400, "text": "records: none"}
    yield {"name": "a content type nobody serves", "status": 415, "content_type": "application/xml", "text": "<r/>"}


def _wrong(name: str, field: str, records: list[Record], record: int = 0) -> dict[str, Any]:
    return {"name": name, "status": 400, "field": field, "record": record, "json": {"records": records}}


def _without(record: Record, name: str) -> Record:
    return {key: value for key, value in record.items() if key != name}


def _csv(records: Sequence[Record]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
