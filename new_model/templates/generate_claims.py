"""Examples: rows of the table this repository was made from, so that the first run needs nothing else.

They lie in examples.csv beside this file. The same `rows`, `seed` and `drift` always give the same records, with both
classes in the share they have there. `drift` moves the population the way time does: at 1 every number that is not a
flag lies half a standard deviation higher, within the contract. Use it to see drift detection and retraining:

    python steps/generate_claims.py --rows 5000 --seed 99 --drift 1 next-year.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from claims_contract import FIELDS, LABEL, RECORDS, TRUTHS
from fields import Integer, Number
from records import read_csv

EXAMPLES = Path(__file__).with_name("examples.csv")
FEWEST_PER_CLASS = 60  # a few more than preprocessing asks for


def generate(rows: int, seed: int = 7, drift: float = 0.0) -> pd.DataFrame:
    """Return `rows` labelled records with the columns of the contract, label first; all when there are fewer."""
    examples = read_csv(EXAMPLES.read_text(encoding="utf-8"), labelled=True)
    if rows < len(examples):
        examples = pd.concat(
            members.sample(min(len(members), max(round(rows * len(members) / len(examples)), FEWEST_PER_CLASS)),
                           random_state=seed)
            for _, members in examples.groupby(LABEL.name)
        )
    mixed = examples.sample(len(examples), random_state=seed).reset_index(drop=True)
    return _moved(mixed, drift) if drift else mixed


def _moved(records: pd.DataFrame, drift: float) -> pd.DataFrame:
    moved = records.copy()
    for field in FIELDS:
        if isinstance(field, Number) and records[field.name].nunique() > 2:
            numbers = records[field.name] + drift * records[field.name].std() / 2
            numbers = numbers.round() if isinstance(field, Integer) else numbers
            moved[field.name] = numbers.clip(field.minimum, field.maximum)
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description="Write example records to a CSV file.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--drift", type=float, default=0.0, help="0: as they are, 1: a changed population")
    arguments = parser.parse_args()
    records = generate(arguments.rows, arguments.seed, arguments.drift)
    records.to_csv(arguments.output, index=False)
    print(f"{arguments.output}: {len(records)} {RECORDS}, {records[LABEL.name].mean():.1%} {TRUTHS[1]}")


if __name__ == "__main__":
    main()
