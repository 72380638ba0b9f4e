"""Reads the user's table, CSV or Parquet, as text: what a value means is decided by ``columns``."""

from __future__ import annotations

import csv
import difflib
import io
import random
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from new_model import ModelError

MISSING_SPELLINGS = frozenset({"", "na", "nan", "null", "none"})
"""As in steps/records.py of the model-build repository."""
LARGEST = 100_000_000
"""Bytes that are read: everything is looked at in memory."""
MOST_COLUMNS = 500
MOST_EXAMPLES = 20_000
LARGEST_EXAMPLES = 5_000_000
"""Bytes. The examples travel in the seed archive, which CodeCommit wants below 20 MB."""
FEWEST_OF_A_CLASS = 200
"""Examples of the rarer class that are kept where there are as many."""
OTHER_FORMATS = {b"PK": "an Excel workbook or a zip archive", b"\x1f\x8b": "a gzip archive"}
PARQUET = b"PAR1"
TO_CSV = "import sys, pandas; pandas.read_parquet(sys.argv[1]).to_csv(sys.stdout, index=False)"


@dataclass(frozen=True)
class Table:
    """The user's table: names of columns, and rows of as many texts."""

    name: str
    header: tuple[str, ...]
    rows: list[list[str]]

    def values(self, column: str) -> list[str]:
        position = self.header.index(column)
        return [row[position] for row in self.rows]


def is_missing(value: str) -> bool:
    return value.strip().lower() in MISSING_SPELLINGS


def read(path: Path, runtime: Path) -> Table:
    """The table of a file; ``runtime`` is the Python that reads Parquet. Raises ModelError for what cannot be used."""
    if not path.is_file():
        raise ModelError(f"{path} is not a file. DATA names a CSV or Parquet file on this machine.")
    size = path.stat().st_size
    if size > LARGEST:
        raise ModelError(
            f"{path} has {size / 1e6:.0f} MB, more than the {LARGEST / 1e6:.0f} MB that are read here. A sample of "
            "some ten thousand rows is enough to make the model's repositories: train on the whole table on SageMaker."
        )
    content = path.read_bytes()
    if not content.strip():
        raise ModelError(f"{path} is empty. Check how it was exported.")
    if content.startswith(PARQUET):
        content = _parquet_as_csv(path, runtime)
    return _checked(path, _rows(path, _text(path, content)))


def sample(table: Table, classes: Sequence[int]) -> list[int]:
    """The rows that become the examples of the new repository: all, or a sample with the table's share of both classes.

    The same table gives the same sample.
    """
    size = sum(len(value) + 1 for row in table.rows for value in row)
    wanted = min(MOST_EXAMPLES, len(table.rows), int(LARGEST_EXAMPLES * len(table.rows) / size))
    if wanted >= len(table.rows):
        return list(range(len(table.rows)))
    choose = random.Random(7)  # noqa: S311  # which rows are shown is no secret
    chosen: list[int] = []
    for each in (0, 1):
        members = [index for index, found in enumerate(classes) if found == each]
        share = max(round(wanted * len(members) / len(table.rows)), FEWEST_OF_A_CLASS)
        chosen += choose.sample(members, min(share, len(members)))
    return sorted(chosen)


def near(name: str, names: Iterable[str]) -> str:
    """What may have been meant by a name that is not there, as the end of a sentence."""
    known = list(names)
    by_lower = {each.lower().strip(): each for each in known}
    close = difflib.get_close_matches(name.lower().strip(), list(by_lower), n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(repr(by_lower[each]) for each in close)}?"
    shown = ", ".join(map(repr, known[:12])) + (", ..." if len(known) > len(known[:12]) else "")
    return f"The columns are {shown}."


def _parquet_as_csv(path: Path, runtime: Path) -> bytes:
    done = subprocess.run([runtime, "-c", TO_CSV, path], capture_output=True, check=False)
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(f"{path} looks like Parquet, but cannot be read: {''.join(why)}")
    return done.stdout


def _text(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        looks = next((what for start, what in OTHER_FORMATS.items() if content.startswith(start)), None)
        why = f"it looks like {looks}" if looks else f"byte {error.start} is {content[error.start]:#04x}"
        raise ModelError(f"{path} is neither Parquet nor UTF-8 text: {why}. Save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise ModelError(f"{path} is no text: it holds zero bytes. Save it as CSV in UTF-8.")
    return text


def _rows(path: Path, text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=None)) if row]
    except csv.Error as error:
        raise ModelError(f"{path} is not a CSV table: {error}.") from None


def _checked(path: Path, rows: list[list[str]]) -> Table:
    header, *body = rows
    if len(header) == 1:
        for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if mark in header[0]:
                raise ModelError(f"{path} looks as if its columns were separated by {word}. Save it with commas.")
        raise ModelError(f"{path} has one column only. A label and at least one more column are needed.")
    if len(header) > MOST_COLUMNS:
        raise ModelError(
            f"{path} has {len(header)} columns, more than the {MOST_COLUMNS} that one contract can sensibly name. "
            "Leave out those that nobody would look at."
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ModelError(
            f"{path} has more than one column named {', '.join(map(repr, twice[:5]))}. Give each its own name."
        )
    for index, row in enumerate(body):
        if len(row) != len(header):
            raise ModelError(
                f"{path} is not a CSV table: row {index + 1} after the header has {len(row)} values, the header has "
                f"{len(header)}. Text that holds a comma belongs in quotation marks."
            )
    if not body:
        raise ModelError(f"{path} has a header and no rows.")
    return Table(path.name, tuple(header), body)
