"""The data contract: what a claim looks like. This is the one place to change when the problem changes.

Everything that reads claims (preprocessing, training, serving, the synthetic generator) goes through `FIELDS` and
`LABEL`, so a new column, a new category or a wider range is one edited line here.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

# How a missing value is spelled in CSV files; JSON requests use null.
MISSING_SPELLINGS = frozenset({"", "na", "nan", "null", "none"})
SHOWN_VIOLATIONS = 10


@dataclass(frozen=True)
class Field:
    """One column of a claim. Subclasses say what a value may be.

    `required=False` lets the value be missing. `audit_only=True` marks a protected attribute: it is kept for the bias
    report, never becomes a feature, and need not be sent for inference.
    """

    name: str
    meaning: str
    required: bool = True
    audit_only: bool = False

    dtype: ClassVar[str] = "object"

    def parse(self, value: object) -> Any:
        """Return the typed value. Raises ValueError with the end of a sentence that starts with the field's name."""
        raise NotImplementedError


@dataclass(frozen=True)
class Number(Field):
    """A finite number within an inclusive range."""

    minimum: float = -math.inf
    maximum: float = math.inf

    dtype: ClassVar[str] = "float64"

    def parse(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(f"is {value!r}, expected a number")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ValueError(f"is {value!r}, expected a number") from None
        if not self.minimum <= number <= self.maximum or math.isinf(number):
            raise ValueError(f"is {number:g}, expected {self.minimum:g} to {self.maximum:g}")
        return number


@dataclass(frozen=True)
class Integer(Number):
    """A whole number within an inclusive range; `44.0` counts as whole."""

    def parse(self, value: object) -> float:
        number = super().parse(value)
        if not number.is_integer():
            raise ValueError(f"is {number:g}, expected a whole number")
        return number


@dataclass(frozen=True)
class Category(Field):
    """One of a fixed list of words."""

    values: tuple[str, ...] = ()

    def parse(self, value: object) -> str:
        if value not in self.values:
            raise ValueError(f"is {value!r}, expected one of {', '.join(self.values)}")
        return str(value)


LABEL = Integer("fraud", "1 when the claim turned out to be fraudulent, else 0", minimum=0, maximum=1)

FIELDS: tuple[Field, ...] = (
    Integer("customer_age", "age of the policy holder in years", minimum=16, maximum=120),
    Integer("months_as_customer", "months since the first policy", minimum=0, maximum=1200),
    Category("claim_type", "what happened", values=("collision", "theft", "glass", "weather")),
    Category("channel", "how the policy was sold", values=("agent", "broker", "web")),
    Category("region", "where the policy holder lives", values=("north", "south", "east", "west")),
    Category("customer_sex", "protected attribute, for the bias report", audit_only=True, values=("F", "M")),
    Number("claim_amount", "amount claimed", minimum=0, maximum=10_000_000),
    Integer("prior_claims", "claims in the five years before", minimum=0, maximum=100),
    Integer("police_report", "1 when the police took a report", minimum=0, maximum=1),
    Number("report_delay_days", "days between event and claim", required=False, minimum=0, maximum=3650),
)


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
