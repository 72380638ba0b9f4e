"""Which column is learnt, and which of its two values counts as 1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from new_model import ModelError
from new_model.table import Table, is_missing, near

FEWEST_PER_CLASS = 50
"""As in steps/preprocess.py of the model-build repository."""
AFFIRMATIVE = frozenset({
    "1", "yes", "y", "true", "t", "positive", "pos", "fraud", "churn", "churned", "default", "bad", "ill", "ja", "oui",
})  # fmt: skip
NEGATIVE_OF = frozenset({"0", "no", "n", "false", "f", "negative", "neg", "good", "healthy", "nein", "non"})
SHOWN = 6


@dataclass(frozen=True)
class Label:
    """The label: each row's class, the words the table has for 0 and 1, and how the choice was made.

    ``words`` is empty where the table holds 0 and 1 already.
    """

    column: str
    classes: list[int]
    names: tuple[str, str]
    words: Mapping[str, int]
    why: str

    @property
    def share(self) -> float:
        return sum(self.classes) / len(self.classes)


def understand(table: Table, column: str, positive: str = "") -> Label:
    """Read the label. Raises ModelError when it is not there, has gaps, or has not exactly two classes."""
    if column not in table.header:
        raise ModelError(f"{table.name} has no column {column!r}. {near(column, table.header)}")
    values = [value.strip() for value in table.values(column)]
    gaps = [index for index, value in enumerate(values) if is_missing(value)]
    if gaps:
        raise ModelError(
            f"the label {column!r} is missing in {len(gaps)} of {len(values)} rows, first in row {gaps[0] + 1} after "
            "the header (nothing, NA, NaN, null and none count as missing). Leave such rows out, or fill them in."
        )
    numbers = _numbers(values)
    keys: list[str | float] = [*values] if numbers is None else [*numbers]
    counts = Counter(keys)
    _refuse_other_than_two(column, counts, numeric=numbers is not None)
    names, why = _ordered(counts, positive, column)
    classes = [int(key == names[1]) for key in keys]
    words = {value: which for value, which in zip(values, classes, strict=True) if _number(value) != which}
    if any(_number(word) in (0, 1) for word in words):
        raise ModelError(
            f"the label {column!r} would have {_shown(names[1])} as 1 and {_shown(names[0])} as 0, but 0 and 1 must "
            "mean themselves. Write the label as words, or as 0 and 1."
        )
    for which in (0, 1):
        if (found := classes.count(which)) < FEWEST_PER_CLASS:
            raise ModelError(
                f"only {found} of {len(classes)} rows have {column}={_shown(names[which])}; at least "
                f"{FEWEST_PER_CLASS} of each class are needed to train and test on. Bring more rows."
            )
    return Label(column, classes, (_shown(names[0]), _shown(names[1])), words, why)


def _refuse_other_than_two(column: str, counts: Mapping[str | float, int], *, numeric: bool) -> None:
    if len(counts) == 2:
        return
    shown = ", ".join(_shown(each) for each in list(counts)[:SHOWN]) + (", ..." if len(counts) > SHOWN else "")
    if len(counts) == 1:
        raise ModelError(f"the label {column!r} is {shown} in every row: there is nothing to tell apart.")
    if numeric and len(counts) > 20:
        raise ModelError(
            f"the label {column!r} has {len(counts)} different numbers: predicting a number is regression, and this "
            "template classifies into two classes. Ask a yes-or-no question of it, such as whether it exceeds a limit."
        )
    raise ModelError(
        f"the label {column!r} has {len(counts)} classes ({shown}): this template tells two classes apart, multi-class "
        "models are not supported. Put classes together until two are left, or check for words spelled differently."
    )


def _ordered(counts: Mapping[str | float, int], positive: str, column: str) -> tuple[tuple[str | float, ...], str]:
    """The two values, the one that counts as 1 last."""
    values = list(counts)
    if positive:
        chosen = [each for each in values if _shown(each) == positive.strip()]
        if not chosen:
            both = " and ".join(_shown(each) for each in values)
            raise ModelError(f"POSITIVE={positive} is no value of the label {column!r}, which has {both}.")
        return tuple(sorted(values, key=lambda each: each in chosen)), "as POSITIVE says"
    if all(isinstance(each, float) for each in values):
        return tuple(sorted(values)), "the larger number"
    spelled = {each: str(each).lower() for each in values}
    rank = {each: (word in AFFIRMATIVE) - (word in NEGATIVE_OF) for each, word in spelled.items()}
    if rank[values[0]] != rank[values[1]]:
        return tuple(sorted(values, key=lambda each: rank[each])), "by its meaning; POSITIVE=... says otherwise"
    rarer = sorted(values, key=lambda each: (-counts[each], str(each)))
    return tuple(rarer), "the rarer one; POSITIVE=... says otherwise"


def _numbers(values: list[str]) -> list[float] | None:
    found = [_number(value) for value in values]
    return None if any(each is None for each in found) else [each for each in found if each is not None]


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else value
