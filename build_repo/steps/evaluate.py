"""Step 3, Evaluate: score the test claims exactly as the endpoint would, and say how good and how fair that is.

Reads   <base>/processing/model/model.tar.gz
        <base>/processing/test/claims.csv
Writes  <base>/processing/evaluation/
            evaluation.json       model quality, read by the quality gate and shown by the Model Registry
            bias.json             per-group bias, in Clarify's format
            explainability.json   feature importance, in Clarify's format
            held_out.json         a sample of the test claims and its metrics, for the tests of the staging endpoint
            lift_chart.png, confusion_matrix.png, feature_importance.png
        <base>/output/message     why the step failed, shown as the job's ExitMessage
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import charts
import fairness
import held_out
import measures
import numpy as np
import pandas as pd
import xgboost
from claims_contract import DECISIONS, LABEL, PROBABILITY
from failure import PROCESSING, StepError, told
from numpy.typing import NDArray
from records import read_csv

BATCH = 2000  # claims per request


def unpack(archive: Path, directory: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")


def serving_code(model_dir: Path) -> ModuleType:
    """Import the inference code that travels inside the model, not the copy beside this script."""
    sys.path.insert(0, str(model_dir / "code"))
    return importlib.import_module("inference")


def score(serving: ModuleType, model: Any, claims: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Send the claims through the endpoint's request handler; return probabilities and decisions (1: label 1)."""
    unlabelled = claims.drop(columns=LABEL.name)
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(unlabelled), BATCH):
        body = unlabelled.iloc[start : start + BATCH].to_csv(index=False)
        response = serving.transform_fn(model, body, "text/csv", "application/json")
        if response.status_code != 200:
            raise StepError(
                f"the model refused test claims with status {response.status_code}: {response.get_data(as_text=True)} "
                "Preprocessing let them pass: look at transform_fn in steps/inference.py."
            )
        predictions += json.loads(response.get_data())["predictions"]
    probabilities = np.array([prediction[PROBABILITY] for prediction in predictions])
    decisions = np.array([prediction["decision"] == DECISIONS[1] for prediction in predictions], dtype=int)
    return probabilities, decisions


def feature_importance(booster: xgboost.Booster, features: pd.DataFrame) -> tuple[dict[str, float], float]:
    """Mean absolute Shapley value of each feature over the test claims, and the expected log-odds."""
    contributions = booster.predict(xgboost.DMatrix(features), pred_contribs=True)
    strengths = np.abs(contributions[:, :-1]).mean(axis=0)
    return dict(zip(features.columns, map(float, strengths), strict=True)), float(contributions[:, -1].mean())


def explanation(importance: dict[str, float], expected: float) -> dict[str, Any]:
    """Clarify's explainability format; the values are exact tree Shapley values."""
    label = {"global_shap_values": importance, "expected_value": expected}
    return {"version": "1.0", "explanations": {"kernel_shap": {"label0": label}}}


def main(base_dir: Path) -> None:
    processing = base_dir / "processing"
    output = processing / "evaluation"
    output.mkdir(parents=True, exist_ok=True)
    claims = read_csv((processing / "test" / "claims.csv").read_text(encoding="utf-8"), labelled=True)
    labels = claims[LABEL.name].to_numpy().astype(int)

    with tempfile.TemporaryDirectory() as directory:
        model_dir = Path(directory)
        unpack(processing / "model" / "model.tar.gz", model_dir)
        serving = serving_code(model_dir)
        model = serving.model_fn(str(model_dir))
        probabilities, decisions = score(serving, model, claims)
        importance, expected = feature_importance(model.booster, serving.features.compute(claims))

    quality = measures.quality(labels, probabilities, decisions)
    write(output / "evaluation.json", quality)
    write(output / "bias.json", fairness.bias(claims, labels, decisions))
    write(output / "explainability.json", explanation(importance, expected))
    write(output / "held_out.json", held_out.sample(claims, labels, probabilities, decisions))
    charts.lift_chart(labels, probabilities, output / "lift_chart.png")
    charts.confusion_chart(measures.confusion(labels, decisions), output / "confusion_matrix.png")
    charts.importance_chart(importance, output / "feature_importance.png")
    for name in ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift"):
        print(f"{name}: {quality['binary_classification_metrics'][name]['value']:.4f}")


def write(path: Path, report: dict[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Evaluate the model on the test claims.")
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml"))
    base = parser.parse_args().base_dir
    with told(base, PROCESSING):
        main(base)
