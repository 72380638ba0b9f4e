"""Whether groups of people are treated alike.

The report has the format of SageMaker Clarify's bias analysis, which the Model Registry shows:
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-measure-post-training-bias.html
Being decided as label 1 is taken for the *unfavourable* outcome: a disparate impact above 1 burdens the group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from claims_contract import BANDS, DECISIONS, FIELDS, LABEL, RECORDS, TRUTHS
from fields import Category
from numpy.typing import NDArray

DESCRIPTIONS = {
    "GroupSize": f"{RECORDS.capitalize()} of this group in the test set",
    "SelectionRate": f"Share of the group's {RECORDS} decided as {DECISIONS[1]}",
    "TPR": f"Share of the group's {TRUTHS[1]} {RECORDS} decided as {DECISIONS[1]} (recall)",
    "DI": "Disparate impact: the group's selection rate divided by everybody else's; 1 means equal",
    "DPPL": "Difference in selection rates: everybody else's minus the group's; 0 means equal",
    "RD": "Recall difference: everybody else's TPR minus the group's; 0 means equal",
    "AD": "Accuracy difference: everybody else's minus the group's; 0 means equal",
}


def groups(claims: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield facet, group and the mask of its claims: every protected category and the bands of the contract."""
    for field in FIELDS:
        if isinstance(field, Category) and field.audit_only:
            for value in sorted(claims[field.name].dropna().unique()):
                yield field.name, str(value), claims[field.name].eq(value).to_numpy()
    for facet, (column, bands) in BANDS.items():
        for band, (lowest, below) in bands.items():
            yield facet, band, claims[column].ge(lowest).to_numpy() & claims[column].lt(below).to_numpy()


def group_measures(labels: NDArray[Any], decisions: NDArray[Any], inside: NDArray[Any]) -> dict[str, float | None]:
    """Compare the claims inside a group with all others; None where a rate has no denominator."""
    selected, selected_elsewhere = _mean(decisions[inside]), _mean(decisions[~inside])
    recall, recall_elsewhere = _mean(decisions[inside & (labels == 1)]), _mean(decisions[~inside & (labels == 1)])
    correct = labels == decisions
    return {
        "GroupSize": float(inside.sum()),
        "SelectionRate": selected,
        "TPR": recall,
        "DI": selected / selected_elsewhere if selected is not None and selected_elsewhere else None,
        "DPPL": _difference(selected_elsewhere, selected),
        "RD": _difference(recall_elsewhere, recall),
        "AD": _difference(_mean(correct[~inside]), _mean(correct[inside])),
    }


def bias(claims: pd.DataFrame, labels: NDArray[Any], decisions: NDArray[Any]) -> dict[str, Any]:
    """The bias report over all groups that occur in the claims."""
    facets: dict[str, list[dict[str, Any]]] = {}
    for facet, group, inside in groups(claims):
        if not inside.any():
            continue
        measures = group_measures(labels, decisions, inside)
        facets.setdefault(facet, []).append(
            {
                "value_or_threshold": group,
                "metrics": [
                    {"name": name, "description": DESCRIPTIONS[name], "value": value}
                    for name, value in measures.items()
                ],
            }
        )
    report = {"label": LABEL.name, "label_value_or_threshold": "1", "facets": facets}
    return {"version": "1.0", "post_training_bias_metrics": report}


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _difference(elsewhere: float | None, here: float | None) -> float | None:
    return None if elsewhere is None or here is None else elsewhere - here
