"""Run by the Python of the image, in the new model-build repository after its local run: scores the test records.

Prints JSON: the model's threshold, and for every record of the test set what a request would hold, label and probability.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path("steps").resolve()))

import claims_contract
import inference
import pandas as pd
from fields import Integer
from records import read_csv

LOCAL = Path("build/local")


def main() -> None:
    model = inference.model_fn(str(LOCAL / "train" / "model"))
    parts = LOCAL / "preprocess" / "processing"
    found = []
    for part in ("test", "validation", "train"):
        typed = read_csv((parts / part / "claims.csv").read_text(encoding="utf-8"), labelled=True)
        probabilities = model.probabilities(typed)
        for position, probability in enumerate(probabilities):
            row = typed.iloc[position]
            record = {field.name: _plain(field, row[field.name]) for field in claims_contract.FIELDS}
            label = int(row[claims_contract.LABEL.name])
            found.append({"record": record, "label": label, "probability": float(probability)})
    print(json.dumps({"threshold": model.threshold, "scored": found}))


def _plain(field: object, value: object) -> object:
    if pd.isna(value):
        return None
    return int(value) if isinstance(field, Integer) else value


main()
