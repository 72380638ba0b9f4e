"""Reads records, of CSV tables and of JSON requests, and holds them to the data contract."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from claims_contract import FIELDS, IGNORED, LABEL

# How a missing value is spelled in CSV files; JSON requests use null.
MISSING_SPELLINGS = frozenset({"", "na", "nan", "null", "none"})
SHOWN_VIOLATIONS = 10
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Violation:
    """One value that breaks the contract. `record` counts from 0; None means the whole table."""

    record: int | None
    field: str | None
    problem: str

    def __str__(self) -> str:
        where = [] if self.record is None else [f"record {self.record}"]
        what = self.problem if self.field is None else f"{self.field} {self.problem}"
        return ": ".join([*where, what])


class ContractError(ValueError):
    """The data breaks the contract. `violations` is never empty; the message shows the first few."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        shown = self.violations[:SHOWN_VIOLATIONS]
        count = f"{len(self.violations)} problem(s), the first {len(shown)}:"
        super().__init__("\n".join([count, *(f"  {violation}" for violation in shown)]))


def read_csv(text: str, *, labelled: bool) -> pd.DataFrame:
    """Typed claims from CSV text with a header line; `labelled` says whether the label column must be there.

    Line ends of any system are welcome, and so is the mark with which spreadsheets begin UTF-8 files.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=None)) if row]
    except csv.Error as error:
        raise ContractError([Violation(None, None, f"this is not a CSV table: {error}")]) from None
    header = rows.pop(0) if rows else []
    _refuse(_header_violations(header, labelled=labelled))
    _refuse(
        Violation(index, None, f"has {len(row)} values, the header has {len(header)}")
        for index, row in enumerate(rows)
        if len(row) != len(header)
    )
    columns = {name: [row[position] for row in rows] for position, name in enumerate(header)}
    return _typed(columns, len(rows), labelled=labelled)


def read_records(records: Sequence[object]) -> pd.DataFrame:
    """Typed claims from the `records` of a JSON request. Labels are not expected."""
    known = {field.name for field in FIELDS}
    violations: list[Violation] = []
    for index, record in enumerate(records):
        if not isinstance(record, Mapping):
            violations.append(Violation(index, None, f"is {record!r}, expected an object with the claim's fields"))
        else:
            unknown = [name for name in record if name not in known]
            violations += [Violation(index, str(name), "is not a field of a claim") for name in unknown]
    _refuse(violations)
    rows = [dict(record) for record in records if isinstance(record, Mapping)]
    columns = {field.name: [row.get(field.name) for row in rows] for field in FIELDS}
    return _typed(columns, len(rows), labelled=False)


def _header_violations(header: Sequence[str], *, labelled: bool) -> Iterable[Violation]:
    fields = (LABEL, *FIELDS) if labelled else FIELDS
    known = {field.name for field in fields}
    for name in header:
        if name in IGNORED:
            continue
        if name not in known:
            yield Violation(None, name, "is not a column of the contract")
        elif header.count(name) > 1:
            yield Violation(None, name, "appears more than once in the header")
    for field in fields:
        if field.name not in header and (labelled or not field.audit_only):
            kind = "label column" if field is LABEL else "column"
            yield Violation(None, field.name, f"is missing from the header ({kind}: {field.meaning})")


def _typed(columns: Mapping[str, Sequence[object]], rows: int, *, labelled: bool) -> pd.DataFrame:
    if rows == 0:
        raise ContractError([Violation(None, None, "there are no records")])
    violations: list[Violation] = []
    typed: dict[str, pd.Series] = {}
    for field in (LABEL, *FIELDS) if labelled else FIELDS:
        raw = columns.get(field.name, [None] * rows)
        may_be_missing = not field.required or (field.audit_only and not labelled)
        values: list[Any] = []
        for index, value in enumerate(raw):
            parsed = None
            if not _is_missing(value):
                try:
                    parsed = field.parse(value)
                except ValueError as problem:
                    violations.append(Violation(index, field.name, str(problem)))
            elif not may_be_missing:
                violations.append(Violation(index, field.name, "is missing"))
            values.append(parsed)
        typed[field.name] = pd.Series(values, dtype=field.dtype)
    _refuse(sorted(violations, key=lambda violation: violation.record or 0))
    return pd.DataFrame(typed)


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in MISSING_SPELLINGS
    return value is None or (isinstance(value, float) and math.isnan(value))


def _refuse(violations: Iterable[Violation]) -> None:
    found = list(violations)
    if found:
        raise ContractError(found)
