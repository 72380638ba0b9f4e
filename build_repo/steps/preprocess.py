"""Step 1, Preprocess: check the raw claims against the contract, split them, describe them.

Reads   <base>/processing/input/raw/*.csv
Writes  <base>/processing/{train,validation,test}/claims.csv     raw, typed claims with label
        <base>/processing/baseline/{statistics,constraints}.json  what the training claims looked like
        <base>/output/message                             why the step failed, shown as the job's ExitMessage
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
from baseline import constraints, statistics
from claims_contract import LABEL, RECORDS, TRUTHS
from failure import PROCESSING, StepError, told
from records import ContractError, read_csv
from sklearn.model_selection import train_test_split

FEWEST_PER_CLASS = 50  # below this a stratified split has nothing to say about the rare class
# How the files begin that people most often take for CSV.
OTHER_FORMATS = {b"PK": "an Excel workbook or a zip archive", b"PAR1": "a Parquet file", b"\x1f\x8b": "a gzip archive"}


def load(directory: Path) -> pd.DataFrame:
    """Return the one CSV file in `directory` as typed claims. Raises StepError when it cannot be used."""
    files = sorted(directory.glob("*.csv"))
    if len(files) != 1:
        found = ", ".join(path.name for path in sorted(directory.iterdir())) if directory.is_dir() else "no such folder"
        raise StepError(
            f"expected exactly one CSV file in {directory}, found: {found or 'nothing'}. Check InputDataUrl: no other "
            "object's key may begin with it."
        )
    name = files[0].name
    try:
        return read_csv(text_of(files[0]), labelled=True)
    except ContractError as error:
        print(f"{name}: {error}")
        raise StepError(
            f"{name} breaks the data contract in {len(error.violations)} place(s), the first: {error.violations[0]}. "
            "The log lists more. Correct the data, or steps/claims_contract.py if your data is meant to look like this."
        ) from None


def text_of(file: Path) -> str:
    """Raises StepError when the file is empty or no text."""
    content = file.read_bytes()
    if not content.strip():
        raise StepError(f"{file.name} is empty. Check how it was exported, and that InputDataUrl names the right file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        looks = next((what for start, what in OTHER_FORMATS.items() if content.startswith(start)), None)
        why = f"it looks like {looks}" if looks else f"byte {error.start} is {content[error.start]:#04x}"
        raise StepError(f"{file.name} is not UTF-8 text: {why}. Save it as CSV in UTF-8.") from None


def split(claims: pd.DataFrame, *, validation_share: float, test_share: float, seed: int) -> dict[str, pd.DataFrame]:
    """Split at random, with the same share of label 1 in all parts. Raises StepError for too few of a class."""
    counts = claims[LABEL.name].value_counts()
    for value in (0, 1):
        if counts.get(value, 0) < FEWEST_PER_CLASS:
            raise StepError(
                f"only {counts.get(value, 0)} claims have {LABEL.name}={value}; at least {FEWEST_PER_CLASS} are needed "
                "to train and test on. Add such claims to the data, and check that the label column is filled in."
            )
    rest, test = train_test_split(claims, test_size=test_share, stratify=claims[LABEL.name], random_state=seed)
    train, validation = train_test_split(
        rest, test_size=validation_share / (1 - test_share), stratify=rest[LABEL.name], random_state=seed
    )
    return {"train": train, "validation": validation, "test": test}


def save(parts: dict[str, pd.DataFrame], output: Path) -> None:
    for name, claims in parts.items():
        directory = output / name
        directory.mkdir(parents=True, exist_ok=True)
        claims.to_csv(directory / "claims.csv", index=False)
        print(f"{name}: {len(claims)} {RECORDS}, {claims[LABEL.name].mean():.1%} {TRUTHS[1]}")


def describe(train: pd.DataFrame, directory: Path) -> None:
    """Write what the model learnt from, in Model Monitor's file formats, for drift checks later.

    Without the label, so that it can be held against the requests an endpoint captured.
    """
    claims = train.drop(columns=LABEL.name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "statistics.json").write_text(json.dumps(statistics(claims), indent=1))
    (directory / "constraints.json").write_text(json.dumps(constraints(claims), indent=1))


def main(base_dir: Path, *, validation_share: float = 0.15, test_share: float = 0.2, seed: int = 7) -> None:
    processing = base_dir / "processing"
    claims = load(processing / "input" / "raw")
    parts = split(claims, validation_share=validation_share, test_share=test_share, seed=seed)
    save(parts, processing)
    describe(parts["train"], processing / "baseline")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check, split and describe the raw claims.")
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml"))
    parser.add_argument("--validation-share", type=float, default=0.15)
    parser.add_argument("--test-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with told(given.base_dir, PROCESSING):
        main(given.base_dir, validation_share=given.validation_share, test_share=given.test_share, seed=given.seed)
