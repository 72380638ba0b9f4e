"""Step 2, Train: fit the model, choose the decision threshold, pack everything the endpoint needs.

Reads   <base>/input/config/hyperparameters.json
        <base>/input/data/{train,validation}/claims.csv
Writes  <base>/model/            model.json, metadata.json, code/ (SageMaker packs this folder as model.tar.gz)
        <base>/output/failure    why training failed, shown as the job's FailureReason
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import features
import inference
import numpy as np
import pandas as pd
import xgboost
from claims_contract import DECISIONS, LABEL, RECORDS
from failure import TRAINING, told
from numpy.typing import NDArray
from records import read_csv
from sklearn.metrics import precision_recall_curve

# What the endpoint imports. It travels inside the model, so a model is always served by the code it was trained with.
SERVING_FILES = ("inference.py", "features.py", "records.py", "claims_contract.py", "fields.py")


@dataclass(frozen=True)
class Hyperparameters:
    """As set in pipelines/knobs.py; SageMaker hands them over as strings."""

    max_depth: int
    learning_rate: float
    num_round: int
    early_stopping_rounds: int
    recall_weight: float
    seed: int

    @classmethod
    def read(cls, path: Path) -> Hyperparameters:
        given: dict[str, str] = json.loads(path.read_text())
        return cls(
            max_depth=int(given["max_depth"]),
            learning_rate=float(given["learning_rate"]),
            num_round=int(given["num_round"]),
            early_stopping_rounds=int(given["early_stopping_rounds"]),
            recall_weight=float(given["recall_weight"]),
            seed=int(given["seed"]),
        )


def load(channel: Path) -> pd.DataFrame:
    return read_csv((channel / "claims.csv").read_text(encoding="utf-8"), labelled=True)


def fit(train: pd.DataFrame, validation: pd.DataFrame, given: Hyperparameters) -> xgboost.Booster:
    """Boost trees on the training claims until the validation loss stops falling."""
    matrices = [
        (xgboost.DMatrix(features.compute(claims), label=claims[LABEL.name]), name)
        for claims, name in ((train, "train"), (validation, "validation"))
    ]
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "eval_metric": ["auc", "logloss"],
            "max_depth": given.max_depth,
            "learning_rate": given.learning_rate,
            "subsample": 0.8,
            "seed": given.seed,
        },
        matrices[0][0],
        num_boost_round=given.num_round,
        evals=matrices,
        early_stopping_rounds=given.early_stopping_rounds,
        verbose_eval=25,
    )
    return booster[: booster.best_iteration + 1]


def choose_threshold(labels: NDArray[Any], probabilities: NDArray[Any], recall_weight: float) -> float:
    """The probability with the best F-score, where recall counts `recall_weight` times as much as precision."""
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    weight = recall_weight**2
    scores = (1 + weight) * precision * recall / np.maximum(weight * precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(scores[:-1]))])


def pack(model: inference.ClaimModel, model_dir: Path, metadata: dict[str, object]) -> None:
    inference.save(model, model_dir, metadata)
    code = model_dir / "code"
    code.mkdir(exist_ok=True)
    for name in SERVING_FILES:
        shutil.copyfile(Path(__file__).with_name(name), code / name)


def main(base_dir: Path) -> None:
    given = Hyperparameters.read(base_dir / "input" / "config" / "hyperparameters.json")
    channels = base_dir / "input" / "data"
    train, validation = load(channels / "train"), load(channels / "validation")
    booster = fit(train, validation, given)

    labels = validation[LABEL.name].to_numpy()
    scored = inference.ClaimModel(booster, threshold=0.5).probabilities(validation)
    model = inference.ClaimModel(booster, choose_threshold(labels, scored, given.recall_weight))
    pack(model, base_dir / "model", {"trees": booster.num_boosted_rounds(), "training_claims": len(train)})
    print(f"{booster.num_boosted_rounds()} trees; the {RECORDS} from probability {model.threshold:.3f}: {DECISIONS[1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml"))
    base = parser.parse_args().base_dir
    with told(base, TRAINING):
        main(base)
