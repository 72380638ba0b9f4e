"""The kinds of columns a data contract is made of: what a value of each may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


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


@dataclass(frozen=True)
class Label(Integer):
    """Which of two classes a record belongs to: 0 or 1, or the word that a table has for it.

    `words` says which words those are; it must not give "0" or "1" another meaning.
    """

    minimum: float = 0
    maximum: float = 1
    words: Mapping[str, int] = field(default_factory=dict)

    def parse(self, value: object) -> float:
        if isinstance(value, str) and value.strip() in self.words:
            return float(self.words[value.strip()])
        try:
            return super().parse(value)
        except ValueError:
            if not self.words:
                raise
            raise ValueError(f"is {value!r}, expected one of {', '.join(self.words)}") from None
