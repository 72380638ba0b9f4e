"""A sample of the test claims, with how well the model judges them, for whoever serves the model later.

The staging tests of the model-deploy repository send the records to the endpoint, compute the same metrics from its
answers, and stop the deployment where they differ: then it is not this model that answers, or not as it was evaluated.
"""

from __future__ import annotations

from typing import Any

import measures
import numpy as np
import pandas as pd
from claims_contract import LABEL
from numpy.typing import NDArray

LARGEST = 1000  # records: sent to an endpoint within seconds
COMPARED = ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift")


def sample(
    claims: pd.DataFrame, labels: NDArray[Any], probabilities: NDArray[Any], decisions: NDArray[Any]
) -> dict[str, Any]:
    """Evenly spaced claims as JSON requests carry them, their labels, and the metrics of these claims alone.

    All claims where there are no more than LARGEST: the metrics are those of evaluation.json then.
    """
    rows = np.linspace(0, len(claims) - 1, min(len(claims), LARGEST)).round().astype(int)
    unlabelled = claims.drop(columns=LABEL.name).iloc[rows].astype(object)
    values = measures.metrics(labels[rows], probabilities[rows], decisions[rows])
    return {
        "of": len(claims),
        "records": unlabelled.where(unlabelled.notna(), None).to_dict("records"),
        "labels": labels[rows].tolist(),
        "probabilities": probabilities[rows].tolist(),
        "metrics": {name: values[name] for name in COMPARED},
    }
