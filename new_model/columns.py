"""What each column is, and whether a model may use it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from new_model.leaks import separation
from new_model.table import Table, is_missing

MOST_WORDS = 50
"""A column of more words than this is free text or names things; each word would become a feature."""
GIVES_AWAY = 0.99
"""From this area under the ROC curve on, one column alone all but is the label."""
MOSTLY_MISSING = 0.5
NAMES_THINGS = re.compile(r"(^|[\s_.-])(id|ids|uuid|guid|key|index|idx|nr|no|number|row)$|[a-z](Id|ID)$", re.I)


@dataclass(frozen=True)
class Column:
    """One column as understood. ``kind`` is integer, number, category, text, date, nothing or constant.

    A column is used unless ``dropped`` says why not. ``protected`` ones are kept for the bias report only.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    words: tuple[str, ...] = ()
    least: float = 0.0
    most: float = 0.0
    dropped: str = ""
    doubt: str = ""
    protected: bool = False

    @property
    def usable(self) -> bool:
        """Whether the contract has a kind for it."""
        return self.kind in ("integer", "number", "category")


def understand(table: Table, label: str, classes: Sequence[int], keep: Sequence[str] = ()) -> list[Column]:
    """Every column but the label. Those of ``keep`` are used although they look as if they should not be."""
    found = []
    for name in table.header:
        if name != label:
            values = table.values(name)
            column = _described(name, values)
            why = _objection(column, values, classes)
            insists = name in keep and column.usable
            found.append(replace(column, doubt=why) if insists else replace(column, dropped=why))
    return found


def _described(name: str, values: Sequence[str]) -> Column:
    present = [value for value in values if not is_missing(value)]
    missing, distinct = len(values) - len(present), len(set(present))
    if not present:
        return Column(name, "nothing", missing, distinct)
    numbers = _numbers(present)
    if numbers is not None:
        whole = all(number.is_integer() for number in numbers)
        kind = "constant" if len(set(numbers)) == 1 else "integer" if whole else "number"
        return Column(name, kind, missing, len(set(numbers)), least=min(numbers), most=max(numbers))
    if distinct == 1:
        return Column(name, "constant", missing, distinct)
    if all(_is_date(value) for value in present[:100]):
        return Column(name, "date", missing, distinct)
    if distinct > min(MOST_WORDS, max(2, len(present) // 2)):
        return Column(name, "text", missing, distinct)
    return Column(name, "category", missing, distinct, words=tuple(sorted(set(present))))


def _objection(column: Column, values: Sequence[str], classes: Sequence[int]) -> str:
    """Why a model should not use the column; empty when nothing speaks against it."""
    rows = len(values)
    if not column.name.strip():
        return "it has no name"
    if column.kind == "nothing":
        return "it is empty"
    if column.kind == "constant":
        return "it has one value only"
    if column.kind == "date":
        return "it is a date: derive a number from it, such as an age in days"
    if column.kind == "text":
        each = "every row has its own: it names the row" if column.distinct == rows - column.missing else "free text"
        return f"{column.distinct} different words, {each}"
    if column.kind == "integer" and column.distinct == rows and _counts_or_names(column, rows):
        return "every row has its own number: it names the row"
    if separation(values, classes, words=column.kind == "category") >= GIVES_AWAY:
        return "it alone all but is the label: known only afterwards? KEEP takes it all the same"
    return ""


def _counts_or_names(column: Column, rows: int) -> bool:
    return bool(NAMES_THINGS.search(column.name.strip())) or column.most - column.least == rows - 1


def _numbers(values: Sequence[str]) -> list[float] | None:
    """None for what is not all numbers; digits after a zero, as of a postal code, are words."""
    if any(re.match(r"\s*0\d", value) for value in values):
        return None
    try:
        found = [float(value) for value in values]
    except ValueError:
        return None
    return found if all(math.isfinite(each) for each in found) else None


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return bool(re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", value.strip()))
    return True
