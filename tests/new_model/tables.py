"""Small tables that differ in what is hard about them."""

import csv
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

Rows = Iterable[Sequence[object]]


def write(path: Path, header: Sequence[str], rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def chance(score: float, draw: random.Random) -> bool:
    return draw.random() < 1 / (1 + math.exp(-score))


def numeric(path: Path) -> Path:
    """Numbers only, and one that counts the rows."""
    draw = random.Random(1)  # noqa: S311
    rows = []
    for row in range(400):
        a, b, c = draw.gauss(0, 1), draw.gauss(5, 2), draw.randint(0, 9)
        rows.append([row, round(a, 3), round(b, 3), c, int(chance(2 * a + (c - 4.5) * 0.4 - 1, draw))])
    return write(path, ["row", "a", "b", "c", "target"], rows)


def churn(path: Path) -> Path:
    """Words with gaps, spaces, umlauts and characters that XGBoost refuses; a label in words; columns of no use."""
    draw = random.Random(2)  # noqa: S311
    rows = []
    for row in range(400):
        plan, calls = draw.choice(["basic", "plus", "pro<", ""]), draw.randint(0, 8)
        left = chance(calls - 4 + (plan == "basic") * 1.5, draw)
        rows.append([
            f"c{row:05}", plan, draw.choice(["Zürich", "Köln", "Łódź"]), draw.choice([draw.randint(18, 80), ""]), calls,
            f"2024-01-{row % 28 + 1:02}", "moved" if left and row % 2 else "died" if left else "",
            "yes" if left else "no", "k", draw.choice("FM"),
        ])  # fmt: skip
    header = ["Kunden Nr", "Tarif [neu]", "Wohn Ort", "Alter", "Anrufe, häufig"]
    return write(path, [*header, "since", "why left", "gekündigt?", "k", "sex"], rows)
