"""Writes the data contract, steps/claims_contract.py of the model-build repository, from what was understood."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from new_model.columns import Column
from new_model.label import Label

HEAD = '''# ruff: noqa: E501
"""The data contract: what a record looks like. This is the one place to change when the data changes.

Everything that reads records (preprocessing, training, serving, the examples) goes through `FIELDS` and `LABEL`, so a
new column, a new category or a wider range is one edited line here. What the endpoint answers, and the words of reports
and pictures, stand here too.

Written from {table}. Ranges are those of the table with room to move; categories are the words it has.
"""

from __future__ import annotations

from fields import {kinds}

'''
BANDS = ((0.0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.0))


@dataclass(frozen=True)
class Words:
    """What the endpoint answers: the probability's name, and the decisions below the threshold and from it on."""

    probability: str
    decisions: tuple[str, str]


def words(label: Label) -> Words:
    plain = unicodedata.normalize("NFKD", label.column).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "label"
    texts = not any(_is_number(each) for each in label.names)
    return Words(f"{name}_probability", label.names if texts else (f"not_{name}", name))


def source(table: str, label: Label, columns: Sequence[Column]) -> str:
    """The module's text, not yet in the house style."""
    used = [column for column in columns if not column.dropped]
    kinds = sorted({"Field", "Label", *(_kind(column) for column in used)})
    answer = words(label)
    one, zero = answer.decisions[1], answer.decisions[0]
    meaning = f"{label.names[1]} (1) or {label.names[0]} (0)"
    given = [f"{label.column!r}", f"{meaning!r}"] + ([f"words={dict(label.words)!r}"] if label.words else [])
    ignored = tuple(column.name for column in columns if column.dropped)
    bands = {
        f"{column.name}_band": (column.name, _bands(column))
        for column in used
        if column.protected and column.kind != "category"
    }
    lines = [
        HEAD.format(table=re.sub(r'["\\]', "_", table), kinds=", ".join(kinds)),
        f"LABEL = Label({', '.join(given)})\n",
        "FIELDS: tuple[Field, ...] = (",
        *(f"    {_field(column)}," for column in used),
        ")\n",
        "# Columns that a CSV table may have and nothing reads. MODEL.md says why each is here.",
        f"IGNORED: tuple[str, ...] = {ignored!r}\n",
        "# Groups by a number, for the bias report: facet, the column, each band from its first to below its last.",
        "# Groups by a word need no entry: every `audit_only` category is a facet.",
        f"BANDS: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {bands!r}\n",
        "# Words of the endpoint's answer; test/answer.json of the deploy repository holds the same.",
        f"PROBABILITY = {answer.probability!r}",
        f"DECISIONS = {answer.decisions!r}  # below the model's threshold, and from it on",
        "# Words of reports and pictures.",
        'RECORDS = "records"',
        f"TRUTHS = {answer.decisions!r}  # label 0, label 1",
        f"OUTCOMES = (({f'{zero}, rightly'!r}, 'raised in vain'), ({f'{one} missed'!r}, {f'{one} found'!r}))"
        "  # by truth, then by decision",
    ]
    return "\n".join(lines) + "\n"


def limits(column: Column) -> tuple[float, float]:
    """The range of the contract: that of the table, and as much again; what is never negative stays so."""
    if column.kind == "integer" and (column.least, column.most) == (0, 1):
        return 0.0, 1.0
    room = column.most - column.least
    least = 0.0 if column.least >= 0 else _outward(column.least - room, math.floor)
    return least, _outward(column.most + room, math.ceil)


def _kind(column: Column) -> str:
    return {"integer": "Integer", "number": "Number", "category": "Category"}[column.kind]


def _field(column: Column) -> str:
    parts = [repr(column.name), repr(f"column {column.name} of the table")]
    if column.missing:
        parts.append("required=False")
    if column.protected:
        parts.append("audit_only=True")
    if column.kind == "category":
        parts.append(f"values={column.words!r}")
    else:
        least, most = limits(column)
        parts += [f"minimum={_number(least)}", f"maximum={_number(most)}"]
    return f"{_kind(column)}({', '.join(parts)})"


def _bands(column: Column) -> dict[str, tuple[float, float]]:
    least, most = limits(column)
    room = column.most - column.least
    digits = 0 if column.kind == "integer" else 6
    inner = [round(column.least + room * share, digits) for _, share in BANDS[:-1]]
    edges = [least, *inner, math.nextafter(most, math.inf)]
    names = (f"under {inner[0]:g}", f"{inner[0]:g} to {inner[1]:g}", f"{inner[1]:g} and over")
    return {name: (edges[place], edges[place + 1]) for place, name in enumerate(names)}


def _outward(value: float, rounded: Callable[[float], int]) -> float:
    """The next number with two significant digits, away from the table's."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{rounded(value / step) * step:.12g}")


def _number(value: float) -> str:
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
