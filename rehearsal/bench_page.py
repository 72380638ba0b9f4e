"""The page that `make bench` writes: a section for each part that is measured.

Every section says itself when, where and with which words it was measured. A run that measures some parts writes their
sections anew and leaves the others as they are, with the day and the machine of their own: no old figure passes as new.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIB = 1024**2
HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
INTRODUCTION = (
    "# Benchmarks\n\nWritten by `make bench`. Each section stands for a part of it, which `make bench ARGS='--only "
    "PART'` measures alone, and says when and where that was."
)


@dataclass(frozen=True)
class Figure:
    """One line of the page. `limit` is the highest value that meets the target; None when it is only of interest.

    What is counted is an `int`, what is measured a `float`.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def met(self) -> bool:
        """Whether it is within its target, or has none."""
        return self.limit is None or self.value <= self.limit

    @property
    def told(self) -> str:
        """The value with its unit."""
        return f"{self.value if isinstance(self.value, int) else f'{self.value:.2f}'} {self.unit}"

    def row(self) -> str:
        """The line as Markdown."""
        target = f"≤ {self.limit:g} {self.unit}" if self.limit is not None else ""
        met = "" if self.limit is None else ("yes" if self.met else "**no**")
        return f"| {self.what} | {self.told} | {target} | {met} |"


@dataclass(frozen=True)
class Section:
    """What was measured together. `words` say what a reader has to know of it, where a row cannot."""

    title: str
    figures: Sequence[Figure]
    words: str = ""

    def markdown(self, day: str, place: str, command: str) -> str:
        """What stands below its heading."""
        told = f"\n{self.words}\n" if self.words else ""
        rows = "\n".join(figure.row() for figure in self.figures)
        head = "| what | measured | target | met |\n|---|---|---|---|"
        return f"Measured on {day} (`{command}`): {place}.\n{told}\n{head}\n{rows}"


def missed(figures: Sequence[Figure]) -> str | None:
    """What to tell a person about the targets that were not met; None when all were."""
    over = [figure for figure in figures if not figure.met]
    if not over:
        return None
    held = sum(figure.limit is not None for figure in figures)
    told = "\n".join(f"  {each.what}: {each.told}, at most {each.limit:g} {each.unit}" for each in over)
    return (
        f"make bench: {len(over)} of {held} targets were missed:\n{told}\n"
        "Measure again on a machine that does nothing else; if it stays, find what has become slower."
    )


def written(page: str) -> dict[str, str]:
    """The sections of a page that is there, by their titles."""
    parts = HEADING.split(page)[1:]
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}


def page(sections: Mapping[str, str], order: Sequence[str]) -> str:
    """The whole page. Sections that `order` does not know are no longer measured, and left out."""
    parts = [f"## {title}\n\n{sections[title]}" for title in order if title in sections]
    return "\n\n".join((INTRODUCTION, *parts)) + "\n"


def machine() -> str:
    """The machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024 / MIB
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}, Python {platform.python_version()}"
