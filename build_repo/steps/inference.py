"""What the endpoint runs, and what training and evaluation use to score: raw claims in, decisions out.

The SageMaker XGBoost image calls `model_fn` once and `transform_fn` for every request. A request is either
`application/json` (`{"records": [{...}, ...]}`) or `text/csv` with a header line; the answer is

    {"predictions": [{"fraud_probability": 0.123456, "decision": "pay"}, ...]}

with the words of claims_contract.py.

A claim that breaks the data contract is answered with status 400 and a body that names the record and the field.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import features
import numpy as np
import pandas as pd
import xgboost
from claims_contract import DECISIONS, PROBABILITY
from flask import Response
from numpy.typing import NDArray
from records import ContractError, Violation, read_csv, read_records

MODEL_FILE = "model.json"
METADATA_FILE = "metadata.json"


@dataclass(frozen=True)
class ClaimModel:
    """A trained booster together with the probability from which a record is decided as label 1."""

    booster: xgboost.Booster
    threshold: float

    def probabilities(self, claims: pd.DataFrame) -> NDArray[Any]:
        """Probabilities of label 1 of typed raw claims, one float per row."""
        return np.asarray(self.booster.predict(xgboost.DMatrix(features.compute(claims))), dtype=float)

    def predictions(self, claims: pd.DataFrame) -> list[dict[str, object]]:
        return [
            {
                PROBABILITY: round(float(probability), 6),
                "decision": DECISIONS[int(probability >= self.threshold)],
            }
            for probability in self.probabilities(claims)
        ]


def save(model: ClaimModel, model_dir: Path, metadata: dict[str, object]) -> None:
    """Write the model as XGBoost's own JSON and a metadata file; nothing is pickled."""
    model_dir.mkdir(parents=True, exist_ok=True)
    model.booster.save_model(model_dir / MODEL_FILE)
    described = {"threshold": model.threshold, "features": model.booster.feature_names, **metadata}
    (model_dir / METADATA_FILE).write_text(json.dumps(described, indent=1))


def model_fn(model_dir: str) -> ClaimModel:
    """Load the model that `save` wrote. Called once by the serving container."""
    directory = Path(model_dir)
    booster = xgboost.Booster(model_file=directory / MODEL_FILE)
    metadata = json.loads((directory / METADATA_FILE).read_text())
    return ClaimModel(booster, float(metadata["threshold"]))


def transform_fn(model: ClaimModel, data: str | bytes, content_type: str, accept: str) -> Response:
    """Answer one request. Called by the serving container."""
    media_type = (content_type or "").split(";")[0].strip().lower()
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        if media_type == "application/json":
            claims = read_records(_records(text))
        elif media_type == "text/csv":
            claims = read_csv(text, labelled=False)
        else:
            return _json({"error": f"content type {media_type!r}: send application/json or text/csv"}, status=415)
    except ContractError as error:
        return _json(_explanation(error.violations[0]), status=400)
    except UnicodeDecodeError:
        return _json({"error": "the body is not UTF-8 text"}, status=400)
    return _answer(model.predictions(claims), accept)


def _records(text: str) -> list[object]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError([Violation(None, None, f"the body is not JSON: {error}")]) from None
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list):
        raise ContractError([Violation(None, None, 'the body must be {"records": [...]}')])
    return records


def _explanation(violation: Violation) -> dict[str, object]:
    where = {"record": violation.record, "field": violation.field}
    return {"error": str(violation), **{name: value for name, value in where.items() if value is not None}}


def _answer(predictions: list[dict[str, object]], accept: str) -> Response:
    if (accept or "").split(";")[0].strip().lower() == "text/csv":
        return Response(pd.DataFrame(predictions).to_csv(index=False), mimetype="text/csv")
    return _json({"predictions": predictions}, status=200)


def _json(body: dict[str, object], *, status: int) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
